"""Recordings after a power cut.

The model: what was in the file when it was last synced is on the disk. Of every sector of 512
bytes written since then, the disk has either the old content or the new, whichever; the file
is as long as it was then, or as it is now. A sector that the file did not have reads as zeros.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import Recording, RecordingWriter
from darkscan.drivers.recording._guarded_file import GuardedFile
from darkscan.drivers.recording.superblock import read_superblock
from darkscan.pipeline.core import disk_sync
from darkscan.pipeline.core.arrays import Mask
from darkscan.pipeline.core.errors import InputError, StorageError
from tests.recording.samples import FRAME_SHAPE, measured, picture, small_plan, small_scan
from tests.stages.running import wait_until

PLANNED = 96  # so that HDF5's list of where the frames lie takes two sectors
CUT_AFTER = range(5, PLANNED, 10)
SECTOR = 512


class Disk:
    """Sees what of a file is safe: its content at the begin of a sync that has ended.

    Of several that overlap the one that began last counts, whichever ends last.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.safe = b""
        self.syncs = 0
        self._begun = itertools.count(1)
        self._safe_since = 0
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._seen(getattr(os, name)))

    def _seen(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def seen(descriptor: int) -> None:
            is_ours = self.path.exists() and os.path.sameopenfile(descriptor, self._descriptor())
            begun, content = next(self._begun), self.path.read_bytes() if is_ours else b""
            sync(descriptor)
            if is_ours:
                self.syncs += 1
                if begun > self._safe_since:
                    self.safe, self._safe_since = content, begun

        return seen

    def _descriptor(self) -> int:
        if not hasattr(self, "_opened"):
            self._opened = self.path.open("rb")
        return self._opened.fileno()

    def close(self) -> None:
        self._opened.close()

    def after_a_cut(self, now: bytes, arrives: Mask, *, longer: bool) -> bytes:
        """The file as the disk has it: of each sector the new content if it ``arrives``."""
        size = len(now) if longer else min(len(self.safe), len(now))
        safe = self.safe.ljust(size, b"\0")
        return b"".join(
            (now if arrives[place // SECTOR] else safe)[place : min(place + SECTOR, size)]
            for place in range(0, size, SECTOR)
        )


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setattr(disk_sync, "SYNC_EVERY_S", 0.0)
    disk = Disk(tmp_path / "scan.h5", monkeypatch)
    yield disk
    disk.close()


def numbers_in(path: Path) -> list[int]:
    """The frames whose rows say that they are there, as any HDF5 program sees it."""
    try:
        with h5py.File(GuardedFile(path, read_superblock(path).stated_size), "r") as file:
            return [int(number) for number in file["frames/id"] if number >= 0]
    except (OSError, RuntimeError):
        return []


def check(path: Path, content: bytes, confirmed: int) -> int:
    """Reads what a cut left; how many frames are whole.

    All that were confirmed must be; none may have other pixels than it had.
    """
    path.write_bytes(content)
    whole = []
    out = np.empty(FRAME_SHAPE, np.uint8)
    with Recording(path) as recording:
        for index, meta in enumerate(recording.frames):
            if not meta.usable:
                continue
            try:
                recording.read_into(index, out)
            except InputError:
                continue
            np.testing.assert_array_equal(out, picture(meta.frame))
            assert meta == measured(small_plan(PLANNED)[index])
            whole.append(meta.frame)
    assert set(numbers_in(path)) <= set(whole), "a row says 'there' before its pixels are"
    assert set(range(confirmed)) <= set(whole), "what was on the disk is lost"
    return len(whole)


CUTS: list[tuple[str, float, bool]] = [
    ("nothing arrived since", 0.0, False),
    ("the length alone arrived", 0.0, True),
    ("some sectors arrived", 0.3, True),
    ("most sectors arrived", 0.9, True),
    ("some sectors, and not the length", 0.6, False),
    ("all arrived", 1.0, True),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "longer"), [cut[1:] for cut in CUTS], ids=[cut[0] for cut in CUTS]
)
def test_after_a_power_cut_a_row_that_says_there_has_its_pixels(
    tmp_path: Path, disk: Disk, share: float, longer: bool
) -> None:
    left = tmp_path / "left.h5"
    random = np.random.default_rng(int(share * 10))
    writer = RecordingWriter(disk.path, small_scan(frames=PLANNED), small_plan(PLANNED))
    seen = []
    try:
        for meta in small_plan(PLANNED):
            writer.write(measured(meta), picture(meta.frame))
            if meta.frame not in CUT_AFTER:
                continue
            confirmed = len(numbers_in(disk.path))
            now = disk.path.read_bytes()
            arrives = random.random(1 + len(now) // SECTOR) < share
            content = disk.after_a_cut(now, arrives, longer=longer)
            seen.append(check(left, content, confirmed))
    finally:
        writer.abandon()
    assert disk.syncs > 3
    assert seen[-1] >= confirmed > 3


def test_a_closed_recording_is_on_the_disk_with_its_name(tmp_path: Path, disk: Disk) -> None:
    with RecordingWriter(disk.path, small_scan(), small_plan()) as writer:
        for meta in small_plan():
            writer.write(measured(meta), picture(meta.frame))
    assert disk.safe == disk.path.read_bytes()


def test_a_frame_taken_again_is_withdrawn_before_its_pixels_change(
    tmp_path: Path, disk: Disk
) -> None:
    writer = RecordingWriter(disk.path, small_scan(frames=PLANNED), small_plan(PLANNED))
    try:
        for meta in small_plan(PLANNED):
            writer.write(measured(meta), picture(meta.frame))

        def is_confirmed() -> bool:
            writer.keep_up()
            return 2 in numbers_in(disk.path)

        wait_until(is_confirmed)
        writer.write(measured(small_plan(PLANNED)[2]), picture(5))
        (tmp_path / "left.h5").write_bytes(disk.safe)
        assert 2 not in numbers_in(tmp_path / "left.h5")
    finally:
        writer.abandon()


def test_a_disk_that_fails_is_said_by_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_sync, "SYNC_EVERY_S", 0.0)
    writer = RecordingWriter(tmp_path / "scan.h5", small_scan(), small_plan())

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)

    def record() -> None:
        with writer:
            for meta in small_plan():
                writer.write(measured(meta), picture(meta.frame))

    with pytest.raises(StorageError, match="cannot be written: Input/output error"):
        record()
