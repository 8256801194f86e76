"""A stage started by hand, or with less than it needs, says what is wrong."""

from pathlib import Path

import pytest

from tests.stages.running import darkscan


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "holds no run: No such file or directory", id="an empty folder"),
        pytest.param("{", "holds no run", id="a broken description"),
        pytest.param('{"speed": "max"}', "is missing", id="half a description"),
    ],
)
def test_a_folder_that_holds_no_run_is_refused(
    tmp_path: Path, content: str | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    done = darkscan("stage", "merging", "--run", tmp_path, check=2)
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"darkscan: error: {tmp_path}")
    assert expected in line


def test_an_impossible_worker_is_refused(tmp_path: Path) -> None:
    done = darkscan("stage", "classification", "--run", tmp_path, "--index", "-1", check=2)
    assert "--index" in done.stderr
