"""The benchmark that holds maps against the truth scratch by scratch."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.evaluation.drawn_frames import LINES, write_frames


def measure(*options: object) -> subprocess.CompletedProcess[str]:
    script = REPOSITORY / "benchmarks" / "scratches.py"
    command = [str(word) for word in (sys.executable, script, "--threads", 1, *options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


@pytest.mark.slow
def test_elements_and_frames_are_measured_and_written(tmp_path: Path) -> None:
    frames, out = write_frames(tmp_path / "frames"), tmp_path / "out"
    words = ("--presets", "clean", "--count", 1, "--seed", 5, "--out", out)
    done = measure(*words, "--real", frames)
    assert done.returncode == 0, done.stderr
    report = (out / "scratches.md").read_text()
    assert report in done.stdout
    assert f"### {len(LINES)} real frames" in report
    figures = json.loads((out / "scratches.json").read_text())
    of_scratches = figures["elements"]["clean"]["kinds"][0]["whole"]
    scratches = [
        row for row in rows(out / "scratches.csv") if row["shape"] not in {"hair", "fibre"}
    ]
    assert len(scratches) == of_scratches["recall"]["count"] >= 3
    assert sum(int(row["found"]) for row in scratches) == of_scratches["recall"]["hits"] >= 2
    listed = [row for row in rows(out / "defects.csv") if row["kind"] == "scratch"]
    assert len(listed) == of_scratches["precision"]["count"]
    drawn = sum(len(lines.get("clear", ())) for lines in LINES.values())
    assert figures["real"]["raw"]["clear"]["count"] == drawn
    assert figures["real"]["raw"]["clear"]["once"] >= drawn - 1
    again = measure(*words)
    assert again.returncode == 2
    assert again.stderr.strip().endswith("exists already; --force overwrites files")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--count", 0), "--count: must be from 1 to 1000, is 0"),
        (("--seed", -1), "--seed: must not be negative, is -1"),
        (("--model", "none.onnx"), "none.onnx: no such model file"),
        (("--real", "nowhere"), "nowhere/polylines.json: cannot be read"),
    ],
    ids=["no elements", "no seed", "no model", "no frames"],
)
def test_what_cannot_be_measured_is_refused_in_a_line(
    tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    done = measure(*options, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
