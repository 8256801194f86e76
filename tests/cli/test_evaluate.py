"""The evaluate command, on a data set in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.cli import evaluate
from darkscan.cli.main import main
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from tests.evaluation.fakes import FakeData, FakeWindows, by_grey_level, drawn, in_a_plate


class FakeNetwork:
    """Stands in for a checkpoint's network: its file's name says which one it is."""

    def __init__(self, file: Path, *, threads: int) -> None:
        assert threads >= 1
        if file.suffix != ".pt":
            raise InputError("is not a training checkpoint", file=file)
        self.network = file.stem
        self.about = {
            "checkpoint": file.name, "network": self.network, "width": 0.25, "seed": 5,
            "steps": 1000, "batch": 32, "samples": 32000, "parameters": 790_000,
            "training_data": "sha256:0b",
        }  # fmt: skip

    def __call__(self, windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
        return by_grey_level(windows, full_scale)


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> FakeData:
    content = FakeData(train=drawn(3, 20), validation=drawn(2), test=drawn(1))
    monkeypatch.setattr(evaluate, "open_data", lambda _: content)
    monkeypatch.setattr(evaluate, "NetworkScorer", FakeNetwork)
    return content


def run(out: Path, *arguments: str) -> Any:
    assert main(["evaluate", *arguments, "--data", "data.h5", "--out", str(out)]) == 0
    return json.loads((out / "metrics.json").read_text())


def test_checkpoints_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = run(tmp_path, "--checkpoint", "a=x/afn.pt", "y/afn.pt", "--checkpoint", "y/afn.pt")
    assert [d["name"] for d in metrics["detectors"]] == ["a", "afn", "afn (2)"]
    first = metrics["detectors"][0]
    assert first["headline"]["rule"] == "highest F1"
    assert 0.6 < first["headline"]["f1"]["low"] < first["headline"]["f1"]["value"] < 1
    assert metrics["data"]["counts"]["train"] == [10, 10]
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["detector", "precision", "recall", "F1", "AUC", "threshold"]
    assert said[1].startswith("a ")
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"metrics.json", "report.md", "precision-recall.png", "recall-over-snr.png"}


def test_the_shipped_model_keeps_its_own_threshold(tmp_path: Path, data: FakeData) -> None:
    data.splits = {"test": drawn(1, 8)}  # no validation is needed
    metrics = run(tmp_path, "--model", "windowed", "--threads", "1")
    (detector,) = metrics["detectors"]
    assert detector["headline"]["rule"] == "the model's own"
    assert detector["about"]["hash"].startswith("sha256:")
    assert detector["others"] == []
    assert detector["headline"]["recall"]["value"] == 0  # flat windows show no scratch


def test_windows_off_the_grid_are_told_of(
    tmp_path: Path, data: FakeData, capsys: pytest.CaptureFixture[str]
) -> None:
    data.splits = {"test": in_a_plate(tmp_path / "plate.png")}
    words = ("--model", "windowed", "--in-frames", "--images", str(tmp_path), "--threads", "1")
    metrics = run(tmp_path / "out", *words)
    counts = metrics["detectors"][0]["counts"]
    assert (counts["scratches"], counts["backgrounds"], counts["off_grid"]) == (1, 1, 1)
    told = "2 of 3 windows lie on the grid of an inspection"
    assert f"windowed.onnx, test: {told}\n" in capsys.readouterr().out
    assert told in (tmp_path / "out" / "report.md").read_text()


def test_scratches_under_the_limit_are_counted_in_the_report(
    tmp_path: Path, data: FakeData
) -> None:
    data.splits["test"].snr[1:20:2] = 2.0
    metrics = run(tmp_path, "--checkpoint", "afn.pt", "--snr-limit", "4")
    counts = metrics["detectors"][0]["counts"]
    assert (counts["scratches"], counts["backgrounds"], counts["left_out"]) == (90, 100, 10)
    assert counts["unknown_snr"] == 0
    assert "10 scratched windows" in (tmp_path / "report.md").read_text()


def test_the_papers_table_beside_ours(tmp_path: Path) -> None:
    run(tmp_path, "--table", "3", "--checkpoint", "afn=afn.pt", "resnet18.pt")
    text = (tmp_path / "table-3.md").read_text()
    assert "| ResNet18 | 0.9943 | 0.6936 | 0.8172 | 0." in text
    assert "| ResNet18+CA | 0.9962 | 0.6950 | 0.8187 | not trained |" in text
    rows = json.loads((tmp_path / "table-3.json").read_text())["rows"]
    assert [row["trained"] for row in rows] == [True, False, False, False, True]


def test_simulated_elements_give_figures_by_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("darkscan.runs.elements.FRAMES", (1, 1))
    monkeypatch.setattr(
        FakeNetwork, "__call__", lambda _, windows, __: np.arange(len(windows)) / len(windows)
    )
    words = ("--scans", "1", "--scan-presets", "clean,weak", "--threshold", "0.4")
    metrics = run(tmp_path, "--checkpoint", "afn.pt", *words)
    figures = metrics["elements"]["afn"]
    assert list(figures) == ["clean", "weak", "all"]
    assert figures["all"]["elements"] == 2
    assert figures["all"]["area_dm2"] == pytest.approx(2 * 0.02048**2 * 100)
    scratches = figures["clean"]["kinds"][0]
    assert scratches["kind"] == "scratch"
    assert scratches["whole"]["recall"]["count"] >= 3
    assert (
        sum(shape["count"] for shape in figures["all"]["by_shape"])
        == (figures["all"]["kinds"][0]["whole"]["recall"]["count"])
    )
    assert "Defects in the maps of simulated elements" in (tmp_path / "report.md").read_text()
    said = capsys.readouterr().out
    assert "afn: a checkpoint has no line map" in said
    assert "false scratches per dm2" in said


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def refuse(*arguments: str, out: Path = tmp_path / "out") -> str:
        assert main(["evaluate", *arguments, "--data", "data.h5", "--out", str(out)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert not (tmp_path / "out").exists()
        (line,) = printed.err.strip().splitlines()
        return line.removeprefix("darkscan: error: ")

    return refuse


CHECKPOINT = ("--checkpoint", "afn.pt")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--model", "none.onnx"], "none.onnx: no such model file", id="no model"),
        pytest.param(["--model", __file__], "is no ONNX model", id="no model file"),
        pytest.param(["--checkpoint", "a.txt"], "is not a training checkpoint", id="no checkpoint"),
        pytest.param([*CHECKPOINT, "--split", "night"], "data.h5: night: the data", id="split"),
        pytest.param([*CHECKPOINT, "--threshold", "high"], "--threshold: must be", id="rule"),
        pytest.param([*CHECKPOINT, "--threshold", "model"], "of their own", id="no threshold"),
        pytest.param([*CHECKPOINT, "--snr-limit", "nan"], "--snr-limit", id="limit of nan"),
        pytest.param([*CHECKPOINT, "--snr-limit", "99"], "reaches 99", id="limit above all"),
        pytest.param([*CHECKPOINT, "--scans", "-1"], "--scans", id="scans"),
        pytest.param(
            [*CHECKPOINT, "--scans", "1", "--scan-presets", "clean,dull"],
            "--scan-presets: is unknown: 'dull'; known are optic, clean",
            id="preset",
        ),
        pytest.param([*CHECKPOINT, "--scan-presets", "clean"], "--scans N", id="no elements"),
        pytest.param([*CHECKPOINT, "--threads", "0"], "--threads", id="threads"),
        pytest.param(["--model", "default", "--table", "2"], "laid out from checkpoints", id="t"),
        pytest.param(
            ["--table", "3", "--checkpoint", "afn=resnet18.pt"],
            "resnet18.pt: --checkpoint: is a checkpoint of 'resnet18', not of 'afn'",
            id="a checkpoint of another variant",
        ),
        pytest.param(
            ["--checkpoint", "afn.pt", "darkscan-dense.pt"],
            "darkscan-dense.pt: --checkpoint: holds darkscan-dense, which is judged in whole",
            id="a dense checkpoint",
        ),
        pytest.param(
            ["--table", "3", "--checkpoint", "xception.pt"], "is no row of table 3", id="no row"
        ),
    ],
)
def test_refuses_bad_input_in_one_line(
    refused: Callable[..., str], arguments: list[str], expected: str
) -> None:
    assert expected in refused(*arguments)


def test_refuses_a_split_without_scratches(refused: Callable[..., str], data: FakeData) -> None:
    data.splits["test"] = FakeWindows([0.5, 0.5], [0, 0])
    assert refused(*CHECKPOINT) == "data.h5: test: the split has no scratch windows"


def test_refuses_a_threshold_rule_without_validation(
    refused: Callable[..., str], data: FakeData
) -> None:
    del data.splits["validation"]
    assert refused(*CHECKPOINT) == "data.h5: validation: the data set has no such split"


def test_refuses_a_place_that_cannot_be_written(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "file").touch()
    assert "is not a directory" in refused(*CHECKPOINT, out=tmp_path / "file" / "out")
