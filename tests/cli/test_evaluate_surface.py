"""``darkscan evaluate --surface``, on a handful of windows."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from darkscan.cli import evaluate_surface
from darkscan.cli.main import main
from darkscan.network.evaluation.surface import QUICK

FILES = {"surface.csv", "surface.json", "surface.md", "surface.png"}


@pytest.fixture(autouse=True)
def few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(
        QUICK,
        lengths_px=(119,), cnrs=(6, 40), specks=(0, 5), windows=2, blanks=6,
    )  # fmt: skip
    monkeypatch.setattr(evaluate_surface, "QUICK", small)


def run(out: Path, *arguments: str) -> int:
    return main(["evaluate", "--surface", "--quick", "--out", str(out), *arguments])


def test_a_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--model", "windowed", "--methods", "model,line-bank") == 0
    assert {entry.name for entry in tmp_path.iterdir()} == FILES
    content = json.loads((tmp_path / "surface.json").read_text())
    assert content["about"]["file"] == "windowed.onnx"
    assert content["about"]["hash"].startswith("sha256:")
    assert content["conditions"]["seed"] == 1
    rows = list(csv.DictReader(io.StringIO((tmp_path / "surface.csv").read_text())))
    assert {row["method"] for row in rows} == {"model", "line-bank"}
    assert {row["windows"] for row in rows} == {"2"}
    said = capsys.readouterr().out
    assert "| specks in 10^4 px | length, px | model | line-bank |" in said
    assert said.endswith(f"report: {tmp_path / 'surface.md'}\n")


def test_the_matched_filter_needs_no_model(tmp_path: Path) -> None:
    assert run(tmp_path, "--methods", "matched-filter", "--windows-a-point", "1") == 0
    assert "No model." in (tmp_path / "surface.md").read_text()
    content = json.loads((tmp_path / "surface.json").read_text())
    assert content["conditions"]["windows_a_point"] == 1


def test_seeds_change_the_windows(tmp_path: Path) -> None:
    scores = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(tmp_path / name, "--methods", "line-bank", "--seed", seed) == 0
        scores.append((tmp_path / name / "surface.csv").read_text())
    assert scores[0] == scores[1] != scores[2]


def test_existing_files_are_kept_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "surface.csv").write_text("mine")
    assert run(tmp_path, "--methods", "line-bank") == 2
    assert "surface.csv: --out: exists already" in capsys.readouterr().err
    assert run(tmp_path, "--methods", "line-bank", "--force") == 0
    assert (tmp_path / "surface.csv").read_text().startswith("method,")


SURFACE = ("--surface", "--model", "default")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([*SURFACE, "--data", "d.h5"], "--data: does not go with --surface", id="data"),
        pytest.param(["--surface", "--checkpoint", "a.pt"], "--checkpoint: does not go", id="pt"),
        pytest.param([*SURFACE, "--split", "test"], "--split: does not go", id="split"),
        pytest.param([*SURFACE, "--in-frames"], "--in-frames: does not go", id="in frames"),
        pytest.param([*SURFACE, "--snr-limit", "0"], "--snr-limit: does not go", id="limit of 0"),
        pytest.param([*SURFACE, "--scans", "0"], "--scans: does not go", id="no scans"),
        pytest.param([*SURFACE, "--methods", "otsu"], "'otsu' is none of model", id="method"),
        pytest.param([*SURFACE, "--methods", "model,model"], "names a method twice", id="twice"),
        pytest.param([*SURFACE, "--methods", "line-bank"], "but --model is given", id="unused"),
        pytest.param(["--surface"], "--model: is needed, or --methods", id="no model"),
        pytest.param([*SURFACE, "--windows-a-point", "0"], "must be from 1 to 1000", id="windows"),
        pytest.param([*SURFACE, "--seed", "-1"], "--seed: must be 0 or more", id="seed"),
        pytest.param([*SURFACE, "--threads", "0"], "--threads", id="threads"),
        pytest.param(["--surface", "--model", "none.onnx"], "none.onnx: no such", id="no file"),
        pytest.param(["--model", "default"], "--data: is needed, or --surface", id="no data"),
        pytest.param(["--data", "d.h5"], "--model: is needed, or --checkpoint", id="nothing"),
        pytest.param(
            ["--model", "default", "--data", "d.h5", "--seed", "0"],
            "--seed: goes only with --surface",
            id="a seed without it",
        ),
        pytest.param(
            ["--model", "default", "--data", "d.h5", "--quick"],
            "--quick: goes only with --surface",
            id="quick without it",
        ),
    ],
)
def test_refuses_bad_input_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert expected in line
    assert not (tmp_path / "out").exists()
