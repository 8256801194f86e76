"""Recordings that cannot be opened now: each cause has its own words and its own way out."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import Recording, RecordingWriter
from darkscan.drivers.recording import _holders as holders_module
from darkscan.drivers.recording.superblock import read_superblock
from darkscan.pipeline.core.errors import InputError, StorageError
from tests.recording.holding import held
from tests.recording.samples import FRAME_SHAPE, picture, record_all, small_plan, small_scan


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Recording(path)
    assert caught.value.file == str(path)
    assert "\n" not in str(caught.value)
    return caught.value.problem


def in_the_old_format(path: Path) -> Path:
    """A copy as other programs write it: its first bytes have no mark of who has it open."""
    old = path.with_name("old.h5")
    with h5py.File(path, "r") as source, h5py.File(old, "w", libver="earliest") as target:
        target.attrs.update(source.attrs)
        target.create_group("scan").attrs.update(source["scan"].attrs)
        for group in ("plan", "frames"):
            for name, dataset in source[group].items():
                target[f"{group}/{name}"] = dataset[()]
    return old


def assert_whole(path: Path) -> None:
    out = np.empty(FRAME_SHAPE, np.uint8)
    with Recording(path) as recording:
        assert recording.missing == 0
        for index in range(6):
            recording.read_into(index, out)
            np.testing.assert_array_equal(out, picture(index))


@pytest.mark.parametrize("mode", ["r+", "a"])
@pytest.mark.parametrize("old", [False, True], ids=["our format", "the old format"])
def test_who_has_it_open_for_writing_is_named(recording_path: Path, mode: str, old: bool) -> None:
    path = in_the_old_format(recording_path) if old else recording_path
    with held(path, mode) as pid:
        assert refusal(path).endswith(f" (process {pid}): close it there, or wait, and try again")
        assert refusal(path).startswith("is open for writing in ")


def test_readers_do_not_get_into_each_others_way(recording_path: Path) -> None:
    with held(recording_path, "r"):
        assert_whole(recording_path)


def test_who_has_locked_it_is_named(recording_path: Path) -> None:
    with recording_path.open("rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_SH)
        assert_whole(recording_path)
        fcntl.flock(locked, fcntl.LOCK_EX)
        assert f" (process {os.getpid()}): close it there" in refusal(recording_path)


def test_a_writer_whose_process_cannot_be_seen_is_known_by_its_lock(
    recording_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders_module, "_PROCESSES", tmp_path / "none")
    with held(recording_path, "r+"):
        assert refusal(recording_path) == (
            "is open for writing in another program: close it there, or wait, and try again"
        )


def test_a_mark_that_a_killed_program_left_is_no_loss_and_can_be_taken_away(
    recording_path: Path,
) -> None:
    before = recording_path.read_bytes()
    with held(recording_path, "r+"):
        pass
    problem = refusal(recording_path)
    assert "ended without closing it" in problem
    assert f"h5clear -s {recording_path}, " in problem
    # What h5clear does, to the byte: the start of the file as it was before it was opened.
    marked = recording_path.read_bytes()
    assert marked[48:] == before[48:]
    recording_path.write_bytes(before[:48] + marked[48:])
    assert_whole(recording_path)


def test_one_that_was_left_before_its_first_frame_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with held(path, "w"):  # HDF5 writes out what was made when it is closed
        pass
    os.truncate(path, 4096)
    assert refusal(path) == "was left by its writer before the first frame: it holds nothing"


def test_one_that_is_just_copied_is_not_called_damaged(recording_path: Path) -> None:
    whole = recording_path.read_bytes()
    with recording_path.open("wb") as copying:
        for part in (b"", whole[:100_000]):
            copying.write(part)
            copying.flush()
            assert refusal(recording_path).startswith("is open for writing in ")
    with Recording(recording_path) as recording:
        assert recording.shortfall.startswith("recording is cut short (100000 of ")
    recording_path.write_bytes(b"")
    assert refusal(recording_path) == "is not a recording: empty"


def error(number: int) -> OSError:
    return OSError(number, f"[Errno {number}] Unable to synchronously open file\n(more words)")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EAGAIN, "is open for writing in another program: "),
        (errno.ENOLCK, "lies where files cannot be locked (No locks available): "),
        (errno.EOPNOTSUPP, "HDF5_USE_FILE_LOCKING=FALSE"),
        (errno.EIO, "is damaged: "),
    ],
    ids=["locked elsewhere", "no locks left", "no locks at all", "a broken disk"],
)
def test_hdf5s_reasons_are_told_apart(
    recording_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    monkeypatch.setattr(h5py, "File", raising(error(number)))
    assert words in refusal(recording_path)


def test_a_disk_without_locks_is_said_to_who_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5py, "File", raising(error(errno.ENOLCK)))
    with pytest.raises(StorageError, match=r"files cannot be locked there \(No locks available\)"):
        RecordingWriter(tmp_path / "scan.h5", small_scan(), small_plan())
    assert not list(tmp_path.iterdir())


def raising(error: OSError) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def test_our_own_writer_leaves_no_mark_that_other_programs_stumble_over(tmp_path: Path) -> None:
    path = record_all(tmp_path / "scan.h5")
    assert not path.read_bytes()[11]
    assert not read_superblock(path).empty
