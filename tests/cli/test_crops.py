"""``darkscan crops``: pictures of the largest defects, and refusals in one line."""

from pathlib import Path

import pytest

from darkscan.cli.main import main
from tests.mapping.painted import Painted


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of results, and the recording that they were made of."""
    return Painted().save(tmp_path_factory.mktemp("crops"))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pictures_and_an_index_are_written_beside_the_map(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    results, recording = files
    assert main(["crops", str(results), "--scan", str(recording)]) == 0
    folder = results / "crops"
    kinds = [name.partition("-")[2] for name in names_in(folder)]
    assert sorted(kinds) == ["", "dig.png", "scratch.png", "scratch.png"]
    assert f"{folder / 'index.html'}: 3 defects, the longest first" in capsys.readouterr().out

    assert main(["crops", str(results), "--scan", str(recording)]) == 2
    assert "index.html: --out: exists already; --force" in capsys.readouterr().err
    assert main(["crops", str(results), "--scan", str(recording), "--force"]) == 0


def test_a_file_of_a_map_some_defects_and_a_folder_are_chosen(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    results, recording = files
    words = ["--scan", str(recording), "--kind", "scratch", "--count", "1", "--out", str(tmp_path)]
    assert main(["crops", str(results / "defect-map.json"), *words]) == 0
    assert [name.partition("-")[2] for name in names_in(tmp_path)] == ["scratch.png", ""]


def test_a_map_without_such_defects_is_no_error(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, recording = files
    out = tmp_path / "crops"
    words = ["--scan", str(recording), "--kind", "fibre", "--out", str(out)]
    assert main(["crops", str(results), *words]) == 0
    assert "has no fibre: nothing to draw" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--count", "0"], "--count: must be from 1 to 200, is 0", id="none"),
        pytest.param(["--count", "201"], "--count: must be from 1 to 200, is 201", id="too many"),
        pytest.param(["--scan", "absent.h5"], "absent.h5: cannot be read", id="no recording"),
        pytest.param(
            ["--scan", "{other}"], "element: is a scan of window 8, front", id="another element"
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line_and_nothing_is_written(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    results, recording = files
    other = tmp_path / "other"
    other.mkdir()
    _, another_scan = Painted(element="window 8").save(other)
    words = [word.format(other=another_scan) for word in words]
    out = tmp_path / "crops"
    command = ["crops", str(results), "--scan", str(recording), "--out", str(out), *words]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
