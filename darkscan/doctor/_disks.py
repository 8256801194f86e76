"""Disks: whether results, outbox and store can be written, how much fits, how fast it goes."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from darkscan.doctor._findings import Finding, Subject, note, ok, problem

_GB = 10**9
_BLOCK = 4 * 2**20  # bytes, a frame's
_BLOCKS = 16
_LONGEST_S = 2.0

LEAST_FREE, GOOD_FREE = _GB, 20 * _GB
"""Bytes: a recorded element takes 4 to 10 GB, its picture up to 1 GB."""

SLOW_MB_S = 20.0
"""Slower than this, the disk holds up every commit."""


class Disk(NamedTuple):
    """What was measured of a disk."""

    free: int
    """Bytes."""

    mb_per_s: float
    """Written in blocks of 4 MiB and forced onto the disk."""


def check_out(subject: Subject) -> Iterator[Finding]:
    """The folder of results, which a recording may go to as well."""
    yield check_disk("results", subject.out, wanted_mb_s=_recording_mb_s(subject))


def check_disk(name: str, folder: Path, wanted_mb_s: float = 0.0) -> Finding:
    """Whether a folder, or the nearest one above that exists, can be written to, and how fast.

    ``wanted_mb_s``: what a recording at the camera's full rate needs, 10^6 bytes a second.
    """
    place = nearest(folder)
    try:
        disk = measure(place)
    except OSError as error:
        text = f"{place} cannot be written to: {error.strerror or error}"
        return problem(name, text, f"choose another folder, or let this user write to {place}")
    return judged(name, folder, disk, wanted_mb_s)


def judged(name: str, folder: Path, disk: Disk, wanted_mb_s: float = 0.0) -> Finding:
    """What to say of a disk that was measured."""
    text = f"{folder}: {disk.free / _GB:.1f} GB free, written at {disk.mb_per_s:.0f} MB/s"
    if disk.free < LEAST_FREE:
        return problem(name, text, "make room: less than 1 GB is left")
    if disk.mb_per_s < SLOW_MB_S:
        return note(name, f"{text}, which is slow", "take a disk in this computer, not a network's")
    if disk.mb_per_s < wanted_mb_s:
        text = f"{text}; recording at the camera's full rate takes {wanted_mb_s:.0f} MB/s"
        return note(name, text, "record to a faster disk, or let the camera take fewer frames")
    if disk.free < GOOD_FREE:
        return note(name, text, "enough for a few scans: make room before more are kept")
    return ok(name, text)


def measure(folder: Path) -> Disk:
    """Writes up to 64 MiB, for two seconds at most, and removes them. Raises OSError."""
    path = folder / f".darkscan-doctor.{os.getpid()}.part"
    block = os.urandom(_BLOCK)  # some file systems compress
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    written = 0
    try:
        with path.open("xb", buffering=0) as file:
            begun = time.perf_counter()
            while written < min(_BLOCKS * _BLOCK, free // 2):
                written += file.write(block)
                os.fsync(file.fileno())
                if time.perf_counter() - begun > _LONGEST_S:
                    break
            seconds = time.perf_counter() - begun
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return Disk(free, written / max(seconds, 1e-9) / 1e6)


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above that exists."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place


def _recording_mb_s(subject: Subject) -> float:
    """What the rig's camera delivers at most, 10^6 bytes a second; 0 without a rig."""
    if subject.rig is None:
        return 0.0
    camera, (height, width) = subject.rig.camera, subject.rig.frame_shape
    rows = 1 if camera.kind == "line" else height  # a line camera's rate is of lines
    return rows * width * (1 if camera.pixel_type == "uint8" else 2) * camera.rate_hz / 1e6
