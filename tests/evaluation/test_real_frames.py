"""Frames of a real instrument, whose scratches were drawn by eye, and the script that measures."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.cli.options import model_file
from darkscan.inference.scoring import ModelScorer
from darkscan.network.evaluation.frame_figures import MapTotals, joined, window_figures
from darkscan.network.evaluation.labelled_frames import (
    LabelledFrame,
    flat_fielded,
    read_frames,
)
from darkscan.network.evaluation.lines_in_maps import find_in_map
from darkscan.runs.in_process import LoneFrame, examining, inspect_traced
from tests.conftest import REPOSITORY
from tests.evaluation.drawn_frames import LINES, write_frames

pytestmark = pytest.mark.slow

# What the shipped model reaches, a window or two less.
LEAST_AREA = {"raw": 0.995, "flat-fielded": 0.995}
LEAST_PRECISION, LEAST_RECALL = 0.97, 0.97
CLEAR, LEAST_FAINT = 24, {"raw": 5, "flat-fielded": 4}  # all clear scratches, of 8 faint ones


@pytest.fixture(scope="module")
def scorer() -> ModelScorer:
    with model_file(None) as file:
        return ModelScorer(file, threads=1)


@pytest.fixture(scope="module", params=["raw", "flat-fielded"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def frames(real_images: Path, kind: str) -> list[LabelledFrame]:
    folder = real_images / "optics"
    if not folder.is_dir():
        pytest.skip(f"no frames of an instrument in {folder}")
    read = read_frames(folder)
    return read if kind == "raw" else flat_fielded(read)


def test_windows_of_real_frames_are_told_apart(
    scorer: ModelScorer, frames: list[LabelledFrame], kind: str
) -> None:
    labels = [frame.lines.labels(frame.origins) for frame in frames]
    scores = [
        scorer.frame(frame.grey.levels, frame.origins, frame.grey.full_scale) for frame in frames
    ]
    found = window_figures(np.concatenate(scores), joined(labels), scorer.info.threshold)
    assert (found.positive, found.negative) == (115, 44)
    assert found.auc >= LEAST_AREA[kind]
    assert found.precision >= LEAST_PRECISION
    assert found.recall >= LEAST_RECALL


def test_scratches_of_real_frames_are_in_their_maps(
    scorer: ModelScorer, frames: list[LabelledFrame], kind: str
) -> None:
    found = []
    for frame in frames:
        source = LoneFrame(*frame.grey, frame.name)
        defect_map = inspect_traced(source, examining(scorer), scorer.info, lambda _: None)
        found.append(find_in_map(frame.lines, defect_map))
    total = MapTotals.of(found)
    assert total.clear.found == CLEAR
    assert total.faint.found >= LEAST_FAINT[kind]
    assert total.false_in_10_frames <= 1


def measure(script: str, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, REPOSITORY / "benchmarks" / script, "--threads", 1, *options]
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )


def test_drawn_frames_are_measured_and_shown(tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "frames"), tmp_path / "out"
    done = measure("real_frames.py", "--frames", folder, "--out", out)
    assert done.returncode == 0, done.stderr
    figures = json.loads((out / "real-frames.json").read_text())
    raw, _ = figures["results"]
    assert (raw["model"], raw["frames"], figures["frames"]) == ("default", "raw", len(LINES))
    assert raw["windows"]["with_neighbours"]["auc"] > 0.8
    assert raw["maps"]["clear"]["found"] >= 3
    assert raw["negatives_marked"]["beside the step"]["parted"] is not None
    assert "## Scratches in the maps" in (out / "real-frames.md").read_text()
    rows = list(csv.DictReader((out / "windows.csv").read_text().splitlines()))
    assert len(rows) == len(LINES) * 9 * 2 * 2  # raw and flat-fielded, model and bank
    assert {row["label"] for row in rows} == {"positive", "negative", "none"}
    sheet = cv2.imread(str(out / "frames-default.png"))
    assert sheet is not None
    assert min(sheet.shape[:2]) > 800
    again = measure("real_frames.py", "--frames", folder, "--out", out)
    assert again.returncode == 2
    assert again.stderr.strip().endswith("exists already; --force overwrites files")


def test_drawn_frames_are_degraded(tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "frames"), tmp_path / "out"
    done = measure("robustness.py", "--frames", folder, "--out", out)
    assert done.returncode == 0, done.stderr
    with (out / "robustness-frames.csv").open() as file:
        rows = {row["condition"]: row for row in csv.DictReader(file)}
    assert float(rows["as it is"]["model_auc"]) > 0.8
    assert rows["0.5x the pixels"]["negative"] == "1"  # the frame on which nothing is drawn
    assert int(rows["2x the pixels"]["negative"]) > int(rows["as it is"]["negative"])
    assert (out / "robustness-frames.png").is_file()
    assert "false frames" in (out / "robustness.md").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--frames", "nowhere"), "nowhere/polylines.json: cannot be read"),
        (("--model", "default", "--model", "x/default.onnx"), "two models are called 'default'"),
        (("--frames", ".", "--shortest", 0), "--shortest: must be above 0, is 0"),
    ],
    ids=["no frames", "one name for two models", "no length"],
)
def test_what_cannot_be_measured_is_refused_in_a_line(
    tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    done = measure("real_frames.py", *options, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
