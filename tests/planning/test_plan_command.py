"""``darkscan plan`` as its users meet it."""

import json
from pathlib import Path

import pytest

from darkscan.cli.main import main
from darkscan.drivers.motion.inspecting import Inspected
from darkscan.drivers.planning import _instrument as instrument
from darkscan.pipeline.core.errors import ExitCode
from tests.conftest import REPOSITORY

RIGS = sorted((REPOSITORY / "configs").glob("rig-*.toml"))

RIG = """
name = "bench"
[element]
name = "plate"
size_mm = [30.0, 20.0]
[camera]
producer = "missing.cti"
kind = "area"
width = 1024
height = 1024
exposure_us = 100.0
rate_hz = 20.0
[geometry]
pitch_um = 10.0
[motion]
x = { record = "X", limits_mm = [-10.0, 40.0] }
y = { record = "Y" }
velocity_mm_s = 50.0
acceleration_mm_s2 = 500.0
positions = "readback"
[scan]
mode = "step"
"""


def rig_file(folder: Path, *changes: tuple[str, str]) -> Path:
    text = RIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "rig.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", RIGS, ids=lambda path: path.stem)
def test_the_rigs_that_ship_can_be_planned(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--rig", str(path)]) == ExitCode.OK
    text = capsys.readouterr().out
    for heading in ("strips", "overlap", "velocity", "focus", "data", "time", "preflight"):
        assert f"\n{heading}" in text
    assert "refused" not in text


def test_axes_that_would_not_carry_out_orders_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Inspected(answers=True, problem="X.SET is Set")
    monkeypatch.setattr(instrument, "inspect_records", lambda _: found)
    assert main(["plan", "--rig", str(rig_file(tmp_path))]) == ExitCode.BAD_INPUT
    (axes,) = [line for line in capsys.readouterr().out.splitlines() if "axes" in line]
    assert "refused" in axes
    assert "X.SET is Set" in axes


def test_people_read_what_will_happen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--rig", str(rig_file(tmp_path)), "--side", "back"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    told = {line[:14].strip(): line[14:] for line in lines}
    assert told["element"] == "plate, back, 30 x 20 mm"
    assert told["scan"] == "step and stare along x"
    assert told["strips"] == "3 of 4 frames"
    assert told["data"] == "12.6 MB, 4.2 MB a strip"
    assert told["windows"] == "588, 49 a frame"
    assert told["focus"] == "the z axis is not moved"


def test_programs_read_every_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = tmp_path / "scan.h5"
    command = ["plan", "--rig", str(rig_file(tmp_path)), "--record", str(record), "--json"]
    assert main(command) == ExitCode.OK
    data = json.loads(capsys.readouterr().out)
    assert data["totals"] == {"frames": 12, "bytes": 12 * 2**20, "windows": 588}
    assert [frame["frame"] for frame in data["frames"]] == list(range(12))
    assert [part["strip"] for part in data["passes"]] == [0, 1, 2]
    assert "disk" in {finding["name"] for finding in data["preflight"]["findings"]}
    assert not record.exists()


def test_an_impossible_scan_is_shown_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rig_file(tmp_path, ("[-10.0, 40.0]", "[0.0, 20.0]"))
    assert main(["plan", "--rig", str(path)]) == ExitCode.BAD_INPUT
    shown = capsys.readouterr()
    assert "refused  travel" in shown.out
    (error,) = shown.err.splitlines()
    assert error.startswith(f"darkscan: error: {path}: motion.x: travel: the scan takes the axis")
    assert "0.000 to 20.000 mm" in error


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('mode = "step"', 'mode = "step"\noverlap_px = 64'), "scan.overlap_px: must be 128 px"),
        (("height = 1024", "height = 64"), "camera: height 64"),
        (('mode = "step"', 'mode = "steps"'), "scan.mode: "),
        (("[30.0, 20.0]", "[30.0, 20.0]\nregion_mm = [50.0, 0.0, 5.0, 5.0]"), "element.region_mm"),
    ],
    ids=["overlap too small", "frame too small", "no such mode", "region beside the element"],
)
def test_what_is_wrong_in_the_rig_file_is_said_in_one_line(
    change: tuple[str, str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rig_file(tmp_path, change)
    assert main(["plan", "--rig", str(path)]) == ExitCode.BAD_INPUT
    shown = capsys.readouterr()
    assert not shown.out
    (error,) = shown.err.splitlines()
    assert f"{path}: " in error
    assert problem in error


def test_no_such_rig_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--rig", str(tmp_path / "none.toml")]) == ExitCode.BAD_INPUT
    assert "none.toml: cannot be read" in capsys.readouterr().err
