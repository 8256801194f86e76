"""Replays of recordings that are damaged, or change in mid-run: never a clean map of either.

Before there were checksums and identities such runs ended as complete maps, exit code 0.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.transport.journal import JOURNAL_NAME, read_journal
from tests.recording.samples import without_checksums
from tests.stages.running import (
    FRAMES,
    PATIENCE_S,
    darkscan,
    kill,
    record_small_scan,
    running,
    the_stage,
    wait_until,
)

pytestmark = pytest.mark.slow

CHANGED = "has changed since the run began"


@pytest.fixture
def copy(recording: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(recording, tmp_path / "copy.h5"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the same size of another element."""
    path = tmp_path_factory.mktemp("another") / "scan.h5"
    record_small_scan(path, seed=4)
    return path


def slowly(folder: Path) -> tuple[str, ...]:
    """Options of a replay that is still under way when something happens to it."""
    recipe = folder / "slowly.toml"
    recipe.write_text("[processes]\nring_slots = 3\n")
    return "--speed", "recorded", "--recipe", str(recipe)


def zero_frame(file: h5py.File) -> None:
    file["frames/pixels"][7] = 0


def flip_pixel(file: h5py.File) -> None:
    file["frames/pixels"][7, 100, 100] ^= 1


def move_frame(file: h5py.File) -> None:
    file["frames/position_mm"][7, 0] += 2.0


@pytest.mark.parametrize(
    ("damage", "part"),
    [(zero_frame, "pixels do"), (flip_pixel, "pixels do"), (move_frame, "row does")],
    ids=["a frame of zeros", "a flipped bit", "a place 2 mm off"],
)
def test_a_damaged_frame_is_lost_and_located(
    copy: Path, tmp_path: Path, damage: Callable[[h5py.File], None], part: str
) -> None:
    with h5py.File(copy, "r+") as file:
        damage(file)
    done = darkscan("replay", copy, "--out", tmp_path / "out", check=3)
    reason = f"the recording is damaged (its {part} not match"
    assert reason in done.stdout
    defect_map = read_map(tmp_path / "out")
    assert (defect_map.ledger.mapped, defect_map.ledger.lost) == (FRAMES - 1, 1)
    (frame,) = defect_map.coverage.frames_not_inspected
    assert frame.frame == 7
    assert frame.placed
    assert frame.reason.startswith(reason)
    assert any(area.frames == (7,) for area in defect_map.coverage.not_inspected)


def test_a_map_of_a_recording_without_checksums_says_so(
    copy: Path, undisturbed: Path, tmp_path: Path
) -> None:
    done = darkscan("replay", without_checksums(copy), "--out", tmp_path / "out")
    (warning,) = read_map(tmp_path / "out").warnings
    assert f"warning: {warning}" in done.stdout
    assert "holds no checksums" in warning
    assert f"warning: {warning}" in darkscan("info", tmp_path / "out").stdout
    assert f"warning: {warning}" in darkscan("info", copy).stdout
    assert read_map(tmp_path / "out").defects == read_map(undisturbed).defects
    assert read_map(undisturbed).warnings == ()


def replace(copy: Path, another: Path) -> None:
    fresh = Path(shutil.copy(another, copy.with_name("fresh.h5")))
    fresh.replace(copy)


def overwrite(copy: Path, another: Path) -> None:
    with copy.open("r+b") as file:
        file.write(another.read_bytes())


def lengthen(copy: Path, _another: Path) -> None:
    os.truncate(copy, copy.stat().st_size + 100)


@pytest.mark.parametrize("change", [replace, overwrite, lengthen])
def test_acquisition_does_not_go_on_with_another_recording(
    copy: Path, another: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    out = tmp_path / "out"
    with running("replay", copy, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        change(copy, another)
        kill(the_stage(run, "acquisition"))
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 2, stderr
    assert stderr.strip().splitlines()[-1] == f"darkscan: error: {copy}: {CHANGED}"
    assert not (out / "defect-map.json").exists()


def test_a_recording_overwritten_in_mid_run_loses_what_was_not_read(
    copy: Path, another: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running("replay", copy, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        overwrite(copy, another)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 3, stderr + stdout
    defect_map = read_map(out)
    assert defect_map.ledger.lost > 0
    assert defect_map.ledger.mapped >= 2
    (warning,) = defect_map.warnings
    assert "was changed or replaced while it was inspected" in warning
    reasons = {frame.reason for frame in defect_map.coverage.frames_not_inspected}
    assert reasons == {"the recording is damaged (its pixels do not match their checksum)"}


def test_one_without_checksums_that_is_overwritten_in_mid_run_is_refused(
    copy: Path, another: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    without_checksums(copy)
    with running("replay", copy, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(out / JOURNAL_NAME)) >= 2)
        with h5py.File(another, "r") as file:
            pixels = file["frames/pixels"][20]
        with h5py.File(copy, "r") as file:
            place = file["frames/pixels"].id.get_chunk_info(20).byte_offset
        with copy.open("r+b") as opened:
            opened.seek(place)
            opened.write(pixels.tobytes())
        _, stderr = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 2, stderr
    assert stderr.strip().splitlines()[-1] == f"darkscan: error: {copy}: {CHANGED}"


def test_a_damaged_journal_has_its_frames_inspected_again(
    copy: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    journal = out / JOURNAL_NAME
    with running("replay", copy, "--out", out, *slowly(tmp_path)) as run:
        wait_until(lambda: len(read_journal(journal)) >= 3)
        merging = the_stage(run, "merging")
        merging.suspend()
        with journal.open("r+b") as file:
            content = file.read()
            file.seek(len(content) // 4)
            file.write(bytes([content[len(content) // 4] ^ 1]))
        settled = len(read_journal(journal))
        kill(merging)
        stdout, stderr = run.communicate(timeout=PATIENCE_S)
    assert settled >= 2
    assert run.returncode == 0, stderr + stdout
    for name in ("defect-map.json", "defect-map.csv", "defect-map.svg"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
    log = (out / "log.jsonl").read_text()
    assert "journal is damaged" in log
    assert "its result was damaged in the journal" in log


def test_verifying_says_what_is_damaged(recording: Path, copy: Path) -> None:
    assert "yes, and all match" in darkscan("info", recording, "--verify").stdout
    with h5py.File(copy, "r+") as file:
        zero_frame(file)
        move_frame(file)
        file["frames/pixels"][9] = 1
    done = darkscan("info", copy, "--verify", check=3)
    assert "frame 7 is damaged: its row does not match its checksum" in done.stdout
    assert "frame 9 is damaged: its pixels do not match their checksum" in done.stdout
    assert "22 of 24 recorded, 2 damaged" in done.stdout
