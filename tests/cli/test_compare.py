"""The comparison of methods, as a user runs it."""

import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.cli.main import main
from darkscan.pipeline.core.arrays import Pixels
from tests.classical.scenes import noise, with_line


@pytest.fixture
def plate(tmp_path: Path) -> tuple[Path, Path]:
    """An image with a bright scratch, and its mask."""
    frame = with_line(noise((512, 640)), (20, 60), (620, 90), amplitude=80.0)
    mask = with_line(np.zeros_like(frame), (20, 60), (620, 90), amplitude=200.0)
    image_file, mask_file = tmp_path / "plate.png", tmp_path / "mask.png"
    cv2.imwrite(str(image_file), frame)
    cv2.imwrite(str(mask_file), ((mask > 50) * 255).astype(np.uint8))
    return image_file, mask_file


def _table(out: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (out / "comparison.csv").open(newline="") as file:
        return {(row["frame"], row["method"]): row for row in csv.DictReader(file)}


def test_a_masked_image_gives_figure_and_table(
    plate: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = [plate[0], "--mask", plate[1], "--methods", "otsu,line-bank", "--out", out]
    assert main(["compare", *map(str, arguments)]) == 0
    assert "AUC" in capsys.readouterr().out
    table = _table(out)
    assert list(table) == [("plate.png", "otsu"), ("plate.png", "line-bank")]
    for row in table.values():
        assert float(row["touched_auc"]) == 1.0
    figure = cv2.imread(str(out / "comparison.png"))
    assert figure is not None
    assert figure.shape[0] > 3 * figure.shape[1] / 2
    assert "| plate.png | otsu |" in (out / "comparison.md").read_text()


def test_without_masks_there_is_a_figure_alone(plate: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(plate[0]), "--methods", "rules", "--out", str(out)]) == 0
    assert [file.name for file in out.iterdir()] == ["comparison.png"]


def test_simulated_frames_and_the_shipped_model_need_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.cli.compare._FRAME_PX", 1024)
    monkeypatch.setattr("darkscan.cli.compare.SimulatedScan", _small_scan)
    out = tmp_path / "out"
    arguments = ["--simulated", "2", "--methods", "otsu", "--model", "default", "--out", str(out)]
    assert main(["compare", *arguments]) == 0
    table = _table(out)
    assert ("all frames", "otsu") in table
    model, otsu = (table["all frames", name] for name in ("default.onnx", "otsu"))
    assert float(model["touched_auc"]) > float(otsu["touched_auc"])


class _BrightnessScorer:
    """Stands for a trained network: windows with bright pixels are scratched."""

    def __init__(self, file: Path, *, threads: int) -> None:
        self.about = {"file": file, "threads": threads}

    def __call__(self, windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
        bright: npt.NDArray[np.float32] = (windows.max(axis=(1, 2)) / full_scale).astype(np.float32)
        return bright


def test_a_checkpoint_is_one_more_method_under_its_name(
    plate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = "darkscan.cli.compare.NetworkScorer"
    monkeypatch.setattr(scorer, _BrightnessScorer)
    out = tmp_path / "out"
    arguments = [plate[0], "--mask", plate[1], "--methods", "", "--out", out]
    assert main(["compare", *map(str, arguments), "--checkpoint", "bright=a.pt"]) == 0
    (row,) = _table(out).values()
    assert (row["method"], float(row["threshold"]), float(row["touched_auc"])) == ("bright", 0.5, 1)


@pytest.mark.parametrize(
    "options",
    [
        ["--checkpoint", "one=a.pt", "two=b.pt"],
        ["--checkpoint", "one=a.pt", "--checkpoint", "two=b.pt"],
    ],
    ids=["in one option", "in two"],
)
def test_several_checkpoints_are_several_methods(
    plate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    scorer = "darkscan.cli.compare.NetworkScorer"
    monkeypatch.setattr(scorer, _BrightnessScorer)
    out = tmp_path / "out"
    arguments = [plate[0], "--mask", plate[1], "--methods", "", "--out", out]
    assert main(["compare", *map(str, arguments), *options]) == 0
    assert {row["method"] for row in _table(out).values()} == {"one", "two"}


def _small_scan(truth: object) -> object:
    from darkscan.simulation.element._source import SimulatedScan

    return SimulatedScan(truth, frame_px=1024)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param([], "either FRAMEs or --simulated", id="nothing to compare on"),
        pytest.param(["{plate}", "--simulated", "1"], "either FRAMEs or", id="both"),
        pytest.param(["--simulated", "0"], "from 1 to 100, is 0", id="no simulated frames"),
        pytest.param(["--simulated", "1", "--seed", "-1"], "--seed", id="a negative seed"),
        pytest.param(["{plate}", "--methods", "sobel"], "'sobel'; known are otsu", id="no method"),
        pytest.param(["{plate}", "--methods", ""], "none is left", id="no methods at all"),
        pytest.param(["{plate}", "--methods", "otsu,otsu"], "are called 'otsu'", id="one twice"),
        pytest.param(["{plate}", "--mask", "{mask}", "{mask}"], "2 masks for 1", id="masks"),
        pytest.param(["{mask}", "--mask", "{small}"], "is 100x100 pixels", id="another size"),
        pytest.param(["{small}"], "less than a window", id="a frame that is too small"),
        pytest.param(["{plate}", "--mask", "{jpeg}"], "mask: is JPEG", id="a blurred mask"),
        pytest.param(["{plate}", "--mask", "{plate}"], "levels", id="the frame as its mask"),
        pytest.param(
            ["{plate}", "--mask", "{mask}", "--mask-void", "0"], "leaves no window", id="all void"
        ),
        pytest.param(["{plate}", "--mask-above", "1"], "no mask is given", id="a meaning alone"),
        pytest.param(
            ["{plate}", "--mask", "{mask}", "--mask-values", "3", "--mask-void", "none"],
            "no mask holds 3",
            id="no level",
        ),
        pytest.param(["none.png"], "none.png", id="no such file"),
        pytest.param(["{plate}", "--model", "none.onnx"], "no such model file", id="no model"),
        pytest.param(["{plate}", "--checkpoint", "a.pt"], "like NAME=FILE", id="no name"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str],
    problem: str,
    plate: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    small, out = tmp_path / "small.png", tmp_path / "out"
    cv2.imwrite(str(small), np.zeros((100, 100), np.uint8))
    jpeg = tmp_path / "mask.jpg"
    cv2.imwrite(str(jpeg), np.asarray(cv2.imread(str(plate[1]), cv2.IMREAD_GRAYSCALE)))
    files = {"plate": plate[0], "mask": plate[1], "small": small, "jpeg": jpeg}
    filled = [text.format(**files) for text in arguments]
    assert main(["compare", *filled, "--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert problem in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not out.exists()


def test_measured_values_are_compared_as_they_are_scored(tmp_path: Path) -> None:
    levels = with_line(noise((300, 300)), (20, 60), (280, 90), amplitude=80.0)
    plate, out = tmp_path / "plate.tif", tmp_path / "out"
    assert cv2.imwrite(str(plate), levels.astype(np.float32) / 100 - 0.5)
    assert main(["compare", str(plate), "--methods", "line-bank", "--out", str(out)]) == 0
    assert (out / "comparison.png").is_file()


def test_masks_may_be_named_in_one_option_or_several(
    plate: tuple[Path, Path], tmp_path: Path
) -> None:
    again = tmp_path / "again.png"
    again.write_bytes(plate[0].read_bytes())
    words = [plate[0], again, "--mask", plate[1], "--mask", plate[1], "--methods", "otsu"]
    assert main(["compare", *map(str, words), "--out", str(tmp_path / "out")]) == 0
    assert {frame for frame, _ in _table(tmp_path / "out")} == {
        "plate.png",
        "again.png",
        "all frames",
    }


def test_windows_that_nobody_judged_do_not_count(
    plate: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = np.asarray(cv2.imread(str(plate[1]), cv2.IMREAD_GRAYSCALE)) // 255
    levels[500:, :] = 255
    labels, out = tmp_path / "labels.png", tmp_path / "out"
    assert cv2.imwrite(str(labels), levels)
    words = [plate[0], "--mask", labels, "--methods", "otsu", "--out", out]
    assert main(["compare", *map(str, words)]) == 2
    assert "2 levels (1, 255)" in capsys.readouterr().err
    assert main(["compare", *map(str, words), "--mask-void", "255"]) == 0
    assert f"{labels}: 4 of 12 windows hold pixels that nobody judged" in capsys.readouterr().out
    (row,) = _table(out).values()
    assert (row["touched_windows"], row["touched_auc"]) == ("8", "1")
