"""Recordings whose writer was stopped: killed, out of disk, or cut short afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import Recording, RecordingWriter
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.scan import FrameFlag
from tests.recording.samples import (
    FRAME_SHAPE,
    measured,
    picture,
    record_all,
    record_first_then_fail,
    small_plan,
    small_scan,
)

PLANNED = 400
ROOT = Path(__file__).parents[2]


def start_writer(path: Path, delay_s: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.recording.killed_writer"]
    return subprocess.Popen(
        [*command, str(path), str(PLANNED), str(delay_s)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def wait_for_frame(writer: subprocess.Popen[str], number: int) -> None:
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == number:
            return
    raise AssertionError("the writer stopped by itself")


def kill(writer: subprocess.Popen[str]) -> int:
    """Kills it; the last frame it had announced."""
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate()
    lines = [line for line in rest.split("\n")[:-1] if line]
    return int(lines[-1]) if lines else -1


def assert_pixels_are_right(recording: Recording) -> None:
    out = np.empty(FRAME_SHAPE, np.uint8)
    for index, meta in enumerate(recording.frames):
        if not meta.flags & FrameFlag.LOST:
            recording.read_into(index, out)
            np.testing.assert_array_equal(out, picture(meta.frame))


@pytest.mark.parametrize("after", [0, 3, 17])
def test_killed_writer_leaves_every_frame_it_finished(tmp_path: Path, after: int) -> None:
    path = tmp_path / "scan.h5"
    writer = start_writer(path)
    wait_for_frame(writer, after)
    last = max(after, kill(writer))
    with Recording(path) as recording:
        there = PLANNED - recording.missing
        # One more than announced, if it was killed between writing and saying so.
        assert there in {last + 1, last + 2}
        assert list(recording.missing_frames) == list(range(there, PLANNED))
        assert not recording.complete
        assert recording.shortfall == (
            f"recording was interrupted: {there} of {PLANNED} frames are there, "
            f"frames {there}-{PLANNED - 1} are missing"
        )
        plan = small_plan(PLANNED)
        assert list(recording.frames[:there]) == [measured(meta) for meta in plan[:there]]
        assert recording.frames[-1].position_mm == plan[-1].position_mm
        assert_pixels_are_right(recording)


def test_killed_recording_is_not_changed_by_reading(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    writer = start_writer(path)
    wait_for_frame(writer, 2)
    kill(writer)
    before = path.read_bytes()
    for _ in range(2):
        Recording(path).close()
    assert path.read_bytes() == before


def test_recording_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    writer = start_writer(path, delay_s=0.05)
    try:
        wait_for_frame(writer, 2)
        with Recording(path) as recording:
            assert not recording.complete
            assert PLANNED > PLANNED - recording.missing >= 3
            assert_pixels_are_right(recording)
    finally:
        kill(writer)


def test_exception_while_recording_leaves_a_recording_that_is_not_complete(
    tmp_path: Path,
) -> None:
    path = record_first_then_fail(tmp_path / "scan.h5")
    with Recording(path) as recording:
        assert not recording.complete
        assert recording.missing_frames == [1, 2, 3, 4, 5]


def test_half_written_row_of_an_interrupted_recording_is_not_counted(tmp_path: Path) -> None:
    path = record_first_then_fail(tmp_path / "scan.h5")
    with h5py.File(path, "r+") as file:
        file["frames/id"][1] = 1  # neither position nor pixels have arrived
    with Recording(path) as recording:
        assert recording.missing_frames == [1, 2, 3, 4, 5]


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from darkscan.pipeline.core.errors import StorageError
from tests.recording.samples import *
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
if sys.argv[3] == "unclaimed":
    RecordingWriter._claim = lambda self, wanted: None
try:
    with RecordingWriter(Path(sys.argv[1]), small_scan(frames=40), small_plan(40)) as writer:
        for meta in small_plan(40):
            writer.write(measured(meta), picture(meta.frame))
except StorageError as error:
    print(error)
"""


def fill_disk(path: Path, limit: int, how: str = "claimed") -> str:
    """Records onto a disk that holds ``limit`` bytes; what it says, all in all."""
    run = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path), str(limit), how],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert run.stderr == ""
    return run.stdout


def test_full_disk_is_said_in_one_line_and_keeps_the_frames_before(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    assert fill_disk(path, 3_000_000) == f"{path}: cannot be written: File too large\n"
    with h5py.File(path, "r"):
        pass  # closed properly, for all tools
    with Recording(path) as recording:
        assert 0 < recording.missing < 40
        assert_pixels_are_right(recording)


def test_disk_too_small_for_the_first_frame_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    assert fill_disk(path, 100_000) == f"{path}: cannot be written: File too large\n"
    assert not path.exists()


def test_write_that_fails_inside_hdf5_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    said = fill_disk(path, 1_000_000, "unclaimed")
    assert said == f"{path}: cannot be written: File too large\n"


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
def test_truncated_recording_is_refused_or_right(
    tmp_path: Path, share: float, closed: bool
) -> None:
    path = tmp_path / "scan.h5"
    if closed:
        record_all(path)
    else:
        writer = start_writer(path)
        wait_for_frame(writer, 5)
        kill(writer)
    os.truncate(path, int(path.stat().st_size * share))
    refusal = ""
    try:
        with Recording(path) as recording:
            assert_pixels_are_right(recording)
    except InputError as error:
        refusal = str(error)
    assert not refusal or refusal.startswith(f"{path}: is ")


def test_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "scan.h5"
    with pytest.raises(StorageError, match="No such file or directory"):
        RecordingWriter(path, small_scan(), small_plan())
