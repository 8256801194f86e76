"""The frame ring: pixels are written once into shared memory and stay there.

One process (acquisition) leases slots and writes; the others attach, look and note in
the slot's header that they are working on it, so that when one is killed it is known
which frame it had in hands. A reference to a slot is stale once the slot was leased
anew, or the frame sent again, or acquisition restarted: looking it up then fails.
"""

import mmap
import os
from enum import IntEnum
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.errors import InputError, StorageError
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.messages import FrameRef
from darkscan.pipeline.units import FrameId

_PAGE = 4096
_MAGIC = 0x31474E4952_4B5344  # "DSKRING1"
_RING_HEADER = np.dtype(
    [
        ("magic", "<u8"),
        ("session", "<u8"),
        ("slots", "<u4"),
        ("height", "<u4"),
        ("width", "<u4"),
        ("itemsize", "<u4"),
    ]
)
_SLOT_HEADER = np.dtype(
    [("generation", "<u8"), ("frame", "<i8"), ("attempt", "<u4"), ("holders", "<u4", 2)]
)
_FREE = -1


class Role(IntEnum):
    """The stages that work on a slot's pixels after acquisition."""

    PREPROCESSING = 0
    CLASSIFICATION = 1


class StaleReferenceError(LookupError):
    """The slot no longer holds that sending of that frame; it is taken care of elsewhere."""


class FrameRing:
    """A ring of frame slots in a file of /dev/shm, mapped by every process of a run."""

    def __init__(self, path: Path, mapping: mmap.mmap) -> None:
        self.path = path
        self._mapping = mapping
        self._header = np.frombuffer(mapping, _RING_HEADER, count=1)
        head = self._header[0]
        self.slots = int(head["slots"])
        self.frame_shape = (int(head["height"]), int(head["width"]))
        self.dtype = np.dtype(np.uint8 if head["itemsize"] == 1 else np.uint16)
        self._frame_bytes = self.frame_shape[0] * self.frame_shape[1] * self.dtype.itemsize
        self._headers = np.frombuffer(mapping, _SLOT_HEADER, count=self.slots, offset=_PAGE)
        self._first = _pages(_PAGE + self.slots * _SLOT_HEADER.itemsize)

    @classmethod
    def create(
        cls, path: Path, slots: int, frame_shape: tuple[int, int], dtype: npt.DTypeLike
    ) -> Self:
        """Makes a ring, all slots free, its memory really there.

        Raises InputError with the sizes if shared memory is too small for it.
        """
        itemsize = np.dtype(dtype).itemsize
        size = ring_bytes(slots, frame_shape, itemsize)
        check_space(path.parent, size, slots)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Without this, writing to a full /dev/shm is a SIGBUS instead of an error.
            os.posix_fallocate(descriptor, 0, size)
            mapping = mmap.mmap(descriptor, size)
        except OSError as error:
            path.unlink()
            raise StorageError(path, error) from error
        finally:
            os.close(descriptor)
        header = np.frombuffer(mapping, _RING_HEADER, count=1)
        header[0] = (_MAGIC, 0, slots, *frame_shape, itemsize)
        ring = cls(path, mapping)
        ring._headers["frame"] = _FREE
        # The first write to fresh pages is several times slower than the next.
        np.frombuffer(mapping, np.uint8)[ring._first :: _PAGE] = 0
        return ring

    @classmethod
    def attach(cls, path: Path) -> Self:
        """Maps a ring made by another process. Raises InputError if it is none."""
        try:
            with path.open("r+b") as file:
                mapping = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise InputError(f"is no frame ring: {error}", file=path) from error
        if (
            len(mapping) < _PAGE
            or np.frombuffer(mapping, _RING_HEADER, count=1)[0]["magic"] != _MAGIC
        ):
            raise InputError("is no frame ring", file=path)
        return cls(path, mapping)

    @property
    def session(self) -> int:
        """Which acquisition process writes the ring, counted from 1."""
        return int(self._header[0]["session"])

    def begin_session(self) -> None:
        """A (new) acquisition process takes over: all slots are free, old references stale."""
        self._header["session"] += 1
        self._headers["frame"] = _FREE
        self._headers["holders"] = 0

    def lease(self, slot: int, frame: FrameId) -> tuple[Pixels, FrameRef]:
        """Takes a free slot for a frame: its pixels to write, and the reference to send.

        Raises ValueError if the slot is taken.
        """
        header = self._headers[slot]
        if header["frame"] != _FREE:
            raise ValueError(f"slot {slot} is taken by frame {header['frame']}")
        header["generation"] += 1
        header["attempt"] = 0
        header["holders"] = 0
        header["frame"] = frame
        return self._pixels(slot), self._ref(slot)

    def resend(self, slot: int) -> FrameRef:
        """A reference for sending the slot's frame again; earlier ones become stale.

        Raises ValueError if the slot is free.
        """
        header = self._headers[slot]
        if header["frame"] == _FREE:
            raise ValueError(f"slot {slot} is free")
        header["attempt"] += 1
        return self._ref(slot)

    def release(self, slot: int) -> None:
        """Frees a slot. Raises ValueError if it is free already."""
        header = self._headers[slot]
        if header["frame"] == _FREE:
            raise ValueError(f"slot {slot} is free already")
        header["frame"] = _FREE
        header["holders"] = 0

    def view(self, ref: FrameRef) -> Pixels:
        """The pixels (height, width) a reference means, read-only, without a copy.

        Raises StaleReferenceError if the slot has moved on; ``check`` again after reading.
        """
        self.check(ref)
        pixels = self._pixels(ref.slot)
        pixels.flags.writeable = False
        return pixels

    def check(self, ref: FrameRef) -> None:
        """Raises StaleReferenceError unless the slot still holds what ``ref`` means."""
        if ref.slot >= self.slots or ref != self._ref(ref.slot):
            raise StaleReferenceError(f"frame {ref.frame}: slot {ref.slot} has moved on")

    def still_holds(self, ref: FrameRef) -> bool:
        """Whether the pixels behind a reference are still that frame's, whatever the attempt."""
        now = self._ref(ref.slot)
        return now.model_copy(update={"attempt": ref.attempt}) == ref

    def hold(self, ref: FrameRef, role: Role) -> bool:
        """Notes that this process works on the frame; False if another live one does."""
        self.check(ref)
        holders = self._headers[ref.slot]["holders"]
        if holders[role] not in {0, os.getpid()} and _alive(int(holders[role])):
            return False
        holders[role] = os.getpid()
        return True

    def let_go(self, ref: FrameRef, role: Role) -> None:
        """Notes that this process is done with the frame."""
        holders = self._headers[ref.slot]["holders"]
        if holders[role] == os.getpid():
            holders[role] = 0

    def held_by(self, pid: int) -> list[FrameId]:
        """The frames a process has in hands."""
        mine = (self._headers["holders"] == pid).any(axis=1) & (self._headers["frame"] != _FREE)
        return [FrameId(int(frame)) for frame in self._headers["frame"][mine]]

    def forget(self, pid: int) -> None:
        """Clears all notes of a process that is gone; its number may be given to another."""
        holders = self._headers["holders"]
        holders[holders == pid] = 0

    def is_held(self, slot: int) -> bool:
        """Whether a living process works on a slot's frame."""
        return any(int(pid) and _alive(int(pid)) for pid in self._headers[slot]["holders"])

    def close(self) -> None:
        """Forgets the mapping; it goes when the last array over it is gone."""
        del self._header, self._headers

    def _ref(self, slot: int) -> FrameRef:
        header = self._headers[slot]
        # model_construct: these numbers are ours; checking them again costs more than reading.
        return FrameRef.model_construct(
            session=self.session,
            frame=FrameId(int(header["frame"])),
            slot=slot,
            generation=int(header["generation"]),
            attempt=int(header["attempt"]),
        )

    def _pixels(self, slot: int) -> Pixels:
        offset = self._first + slot * _pages(self._frame_bytes)
        flat = np.frombuffer(
            self._mapping, self.dtype, count=self._frame_bytes // self.dtype.itemsize, offset=offset
        )
        return flat.reshape(self.frame_shape)


def ring_bytes(slots: int, frame_shape: tuple[int, int], itemsize: int) -> int:
    """The shared memory a ring takes."""
    frame = _pages(frame_shape[0] * frame_shape[1] * itemsize)
    return _pages(_PAGE + slots * _SLOT_HEADER.itemsize) + slots * frame


def check_space(folder: Path, size: int, slots: int) -> None:
    """Raises InputError if ``folder`` (of /dev/shm) cannot take ``size`` bytes."""
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < size:
        mib = 2**20
        raise InputError(
            f"too small for a ring of {slots} frames: {size / mib:.0f} MiB are needed, "
            f"{free / mib:.0f} MiB are free; lower processes.ring_slots or enlarge it",
            file=folder,
        )


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
