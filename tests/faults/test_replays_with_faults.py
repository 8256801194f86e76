"""Each kind of fault happens to a replay, and the map is the undisturbed one or says so."""

import hashlib
import os
from pathlib import Path

import pytest

from darkscan.faults._checks import problems_of_results
from darkscan.pipeline.core.logs import LOG_NAME
from tests.stages.running import darkscan

pytestmark = pytest.mark.slow

SURVIVED = [
    "kill:acquisition@frame=4",
    "kill:preprocessing@frame=4",
    "kill:classification@frame=4",
    "kill:merging@frame=4",
    "stop:classification@frame=4,seconds=0.5",
    "delay@frame=4,seconds=0.5",
    "drop@frame=4",
    "duplicate@frame=4",
    "forge:acquisition@frame=4",
    "forge:preprocessing@frame=4",
    "forge:merging@frame=4",
    "forge:supervisor@frame=4",
]


def replay(recording: Path, out: Path, *faults: str, check: int | None = 0) -> str:
    options = [word for fault in faults for word in ("--fault", fault)]
    recipe = recording.with_name("recipe.toml")
    done = darkscan("replay", recording, "--out", out, "--recipe", recipe, *options, check=check)
    return done.stdout + done.stderr


@pytest.mark.parametrize("fault", SURVIVED)
def test_the_map_survives(recording: Path, undisturbed: Path, tmp_path: Path, fault: str) -> None:
    said = replay(recording, tmp_path / "out", fault)
    assert f"fault {fault.partition(',')[0]}" in said
    assert "did not happen" not in said
    assert problems_of_results(tmp_path / "out", undisturbed, whole=True) == []


def test_a_full_disk_is_told_and_no_map_is_left(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = replay(recording, out, "disk-full@frame=4", check=2)
    assert "cannot be written: File too large" in said
    assert not (out / "defect-map.json").exists()
    assert (out / LOG_NAME).exists()


@pytest.mark.parametrize("kind", ["cut-recording", "replace-recording"])
def test_a_spoilt_recording_is_a_copy_and_never_taken_for_clean(
    recording: Path, undisturbed: Path, tmp_path: Path, kind: str
) -> None:
    before, out = hashlib.sha256(recording.read_bytes()).digest(), tmp_path / "out"
    said = replay(recording, out, f"{kind}@frame=2", "kill:acquisition@frame=3", check=None)
    assert hashlib.sha256(recording.read_bytes()).digest() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    if (out / "defect-map.json").exists():
        assert problems_of_results(out, undisturbed, whole=False) == []
    else:
        assert "darkscan: error: " in said


def test_a_fault_whose_turn_never_comes_is_told(recording: Path, tmp_path: Path) -> None:
    said = replay(recording, tmp_path / "out", "kill:merging@frame=1000")
    assert "fault kill:merging@frame=1000: did not happen, the run was over" in said


def test_what_was_stopped_goes_on_when_the_run_is_over(recording: Path, tmp_path: Path) -> None:
    replay(recording, tmp_path / "out", "stop:preprocessing@frame=19,seconds=60", check=None)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text()
        except OSError:
            continue
        if os.fsencode(tmp_path) in command:
            assert ") T " not in state, command
