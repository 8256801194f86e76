"""The frame ring: pixels are written once into shared memory and stay there.

One process (acquisition) leases slots and writes; the others attach, look and note in
the slot's header that they are working on it, so that when one is killed it is known
which frame it was at work on. A reference to a slot is stale once the slot was leased
anew, or the frame sent again, or acquisition restarted: looking it up then fails.

A ring may have a margin: room around each frame for what lies beyond the frame's borders.
"""

import mmap
import os
from enum import IntEnum
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.shared_memory import PAGE, attach_shared, create_shared, whole_pages
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import FrameRef

_MAGIC = 0x3347_4E49_524B_5344  # "DSKRING3"
_SLOT_WORDS = 8  # a cache line, so that slots do not slow each other down
_PID_BITS = 32  # the low bits of a holder's word; above them stands the number of the sending


class _Head(IntEnum):
    """The ring's own words (8 bytes each), on its first page."""

    MAGIC = 0
    SESSION = 1
    SLOTS = 2
    HEIGHT = 3
    WIDTH = 4
    ITEMSIZE = 5
    MARGIN = 6


class _Slot(IntEnum):
    """A slot's words. Each is read and written at once, so none is ever seen half."""

    GENERATION = 0
    FRAME = 1  # the frame's number plus one; 0: the slot is free
    ATTEMPT = 2
    HOLDERS = 3  # one for each Role: the process at work on it and on which sending, or 0


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
        self._head = memoryview(mapping)[:PAGE].cast("Q")
        self.slots = self._head[_Head.SLOTS]
        self.frame_shape = (self._head[_Head.HEIGHT], self._head[_Head.WIDTH])
        self.dtype = np.dtype(np.uint8 if self._head[_Head.ITEMSIZE] == 1 else np.uint16)
        self.margin = self._head[_Head.MARGIN]
        self._first = _first_frame(self.slots)
        self._words = memoryview(mapping)[PAGE : self._first].cast("Q")
        self._surrounded = [self._map_slot(slot) for slot in range(self.slots)]
        self._pixels = [self._inner(slot) for slot in self._surrounded]

    @classmethod
    def create(
        cls,
        path: Path,
        slots: int,
        frame_shape: tuple[int, int],
        dtype: npt.DTypeLike,
        *,
        margin: int = 0,
    ) -> Self:
        """Makes a ring, all slots free, its memory really there.

        ``margin``: pixels of room around each frame, on all four sides. Raises InputError
        with the sizes if shared memory is too small for it, or the frame for the margin.
        """
        check_margin(frame_shape, margin)
        itemsize = np.dtype(dtype).itemsize
        size = ring_bytes(slots, frame_shape, itemsize, margin)
        check_space(path.parent, size, slots)
        mapping = create_shared(path, size)
        head = memoryview(mapping)[:PAGE].cast("Q")
        values = (_MAGIC, 0, slots, *frame_shape, itemsize, margin)
        for word, value in zip(_Head, values, strict=True):
            head[word] = value
        ring = cls(path, mapping)
        # The first write to fresh pages is several times slower than the next.
        np.frombuffer(mapping, np.uint8)[ring._first :: PAGE] = 0
        return ring

    @classmethod
    def attach(cls, path: Path) -> Self:
        """Maps a ring made by another process. Raises InputError if it is none."""
        # Populated: a fault for each page of a frame costs as much as looking at it.
        mapping = attach_shared(path, "frame ring", populate=True)
        if len(mapping) < PAGE or memoryview(mapping)[:PAGE].cast("Q")[_Head.MAGIC] != _MAGIC:
            raise InputError("is no frame ring", file=path)
        return cls(path, mapping)

    @property
    def session(self) -> int:
        """Which acquisition process writes the ring, counted from 1."""
        return self._head[_Head.SESSION]

    def begin_session(self) -> None:
        """A (new) acquisition process takes over: all slots are free, old references stale."""
        self._head[_Head.SESSION] += 1
        for slot in range(self.slots):
            self._free(slot)

    def lease(self, slot: int, frame: FrameId) -> tuple[Pixels, FrameRef]:
        """Takes a free slot for a frame: its pixels to write, and the reference to send.

        The pixels (height, width) lie in rows apart where the ring has a margin. Raises
        ValueError if the slot is taken.
        """
        words, base = self._words, slot * _SLOT_WORDS
        if words[base + _Slot.FRAME]:
            raise ValueError(f"slot {slot} is taken by frame {words[base + _Slot.FRAME] - 1}")
        words[base + _Slot.GENERATION] += 1
        words[base + _Slot.ATTEMPT] = 0
        words[base + _Slot.FRAME] = frame + 1
        return self._pixels[slot], self._ref(slot)

    def resend(self, slot: int) -> FrameRef:
        """A reference for sending the slot's frame again; earlier ones become stale.

        Raises ValueError if the slot is free.
        """
        base = slot * _SLOT_WORDS
        if not self._words[base + _Slot.FRAME]:
            raise ValueError(f"slot {slot} is free")
        self._words[base + _Slot.ATTEMPT] += 1
        return self._ref(slot)

    def release(self, slot: int) -> None:
        """Frees a slot. Raises ValueError if it is free already."""
        if not self._words[slot * _SLOT_WORDS + _Slot.FRAME]:
            raise ValueError(f"slot {slot} is free already")
        self._free(slot)

    def view(self, ref: FrameRef) -> Pixels:
        """The pixels (height, width) a reference means, read-only, without a copy.

        They are contiguous in a ring without a margin. Raises StaleReferenceError if the slot
        has moved on; ``check`` again after reading.
        """
        self.check(ref)
        return _read_only(self._pixels[ref.slot])

    def surrounded(self, ref: FrameRef) -> Pixels:
        """As ``view`` with what lies around the frame, contiguous.

        (height + 2 margin, width + 2 margin); the frame's first pixel is at (margin, margin).
        """
        self.check(ref)
        return _read_only(self._surrounded[ref.slot])

    def to_surround(self, ref: FrameRef) -> Pixels:
        """As ``surrounded``, to be written by who leased the slot.

        Raises StaleReferenceError if the slot has moved on.
        """
        self.check(ref)
        return self._surrounded[ref.slot]

    def peek(self, ref: FrameRef) -> Pixels:
        """As ``view``, whichever sending of the frame is the latest: for who only copies it.

        Raises StaleReferenceError; ask ``still_holds`` after reading.
        """
        if not self.still_holds(ref):
            raise StaleReferenceError(f"frame {ref.frame}: slot {ref.slot} has moved on")
        return _read_only(self._pixels[ref.slot])

    def check(self, ref: FrameRef) -> None:
        """Raises StaleReferenceError unless the slot still holds what ``ref`` means."""
        if ref.slot >= self.slots or ref != self._ref(ref.slot):
            raise StaleReferenceError(f"frame {ref.frame}: slot {ref.slot} has moved on")

    def still_holds(self, ref: FrameRef) -> bool:
        """Whether the pixels behind a reference are still that frame's, whatever the attempt."""
        if ref.slot >= self.slots:
            return False
        now = self._ref(ref.slot)
        return (now.session, now.frame, now.generation) == (ref.session, ref.frame, ref.generation)

    def hold(self, ref: FrameRef, role: Role) -> bool:
        """Notes that this process works on the frame; False if another live one does."""
        self.check(ref)
        holder = self._holder(ref.slot, role)
        pid = _pid(self._words[holder])
        if pid not in {0, os.getpid()} and _alive(pid):
            return False
        self._words[holder] = _note(ref)
        return True

    def let_go(self, ref: FrameRef, role: Role) -> None:
        """Notes that this process is done with that sending of the frame.

        Another one that it holds by now stays noted, as does another frame in the slot.
        """
        holder = self._holder(ref.slot, role)
        if self.still_holds(ref) and self._words[holder] == _note(ref):
            self._words[holder] = 0

    def held_by(self, pid: int) -> list[FrameId]:
        """The frames that a process works on."""
        return [
            FrameId(frame - 1)
            for slot in range(self.slots)
            if (frame := self._words[slot * _SLOT_WORDS + _Slot.FRAME])
            and pid in self._holders(slot)
        ]

    def forget(self, pid: int) -> None:
        """Clears all notes of a process that is gone; its number may be given to another."""
        for slot in range(self.slots):
            for role in Role:
                if _pid(self._words[holder := self._holder(slot, role)]) == pid:
                    self._words[holder] = 0

    def is_held(self, slot: int) -> bool:
        """Whether a living process works on a slot's frame."""
        return any(pid and _alive(pid) for pid in self._holders(slot))

    def waits_for(self, role: Role) -> bool:
        """Whether there are frames in the ring, and no living process works on one as that."""
        taken = [
            slot for slot in range(self.slots) if self._words[slot * _SLOT_WORDS + _Slot.FRAME]
        ]
        holders = {self._holders(slot)[role] for slot in taken} - {0}
        return bool(taken) and not any(map(_alive, holders))

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        """The whole ring as bytes, for a device that fetches frames from it by itself."""
        return np.frombuffer(self._mapping, np.uint8)

    def close(self) -> None:
        """Forgets the mapping; it goes when the last array over it is gone."""
        self._pixels.clear()
        self._surrounded.clear()
        self._head.release()
        self._words.release()

    def _free(self, slot: int) -> None:
        self._words[slot * _SLOT_WORDS + _Slot.FRAME] = 0
        for role in Role:
            self._words[self._holder(slot, role)] = 0

    @staticmethod
    def _holder(slot: int, role: Role) -> int:
        return slot * _SLOT_WORDS + _Slot.HOLDERS + role

    def _holders(self, slot: int) -> list[int]:
        return [_pid(self._words[self._holder(slot, role)]) for role in Role]

    def _ref(self, slot: int) -> FrameRef:
        words, base = self._words, slot * _SLOT_WORDS
        # model_construct: these numbers are ours; checking them again costs more than reading.
        return FrameRef.model_construct(
            session=self._head[_Head.SESSION],
            frame=FrameId(words[base + _Slot.FRAME] - 1),
            slot=slot,
            generation=words[base + _Slot.GENERATION],
            attempt=words[base + _Slot.ATTEMPT],
        )

    def _map_slot(self, slot: int) -> Pixels:
        shape = _with_margin(self.frame_shape, self.margin)
        count = shape[0] * shape[1]
        offset = self._first + slot * whole_pages(count * self.dtype.itemsize)
        return np.frombuffer(self._mapping, self.dtype, count=count, offset=offset).reshape(shape)

    def _inner(self, surrounded: Pixels) -> Pixels:
        height, width = self.frame_shape
        return surrounded[self.margin : self.margin + height, self.margin : self.margin + width]


def check_margin(frame_shape: tuple[int, int], margin: int) -> None:
    """Raises InputError unless a frame (height, width) can be mirrored over such a margin."""
    if margin >= min(frame_shape):
        height, width = frame_shape
        raise InputError(
            f"must be less than a side of the frames of {width}x{height} px, is {margin}",
            field="inspection.context_px",
        )


def ring_bytes(slots: int, frame_shape: tuple[int, int], itemsize: int, margin: int = 0) -> int:
    """The shared memory a ring takes."""
    height, width = _with_margin(frame_shape, margin)
    return _first_frame(slots) + slots * whole_pages(height * width * itemsize)


def _with_margin(frame_shape: tuple[int, int], margin: int) -> tuple[int, int]:
    return frame_shape[0] + 2 * margin, frame_shape[1] + 2 * margin


def _read_only(pixels: Pixels) -> Pixels:
    view = pixels.view()
    view.flags.writeable = False
    return view


def _first_frame(slots: int) -> int:
    """Where the first slot's pixels begin."""
    return whole_pages(PAGE + slots * _SLOT_WORDS * 8)


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


def _note(ref: FrameRef) -> int:
    """The holder's word of this process for one sending of a frame."""
    return ref.attempt << _PID_BITS | os.getpid()


def _pid(note: int) -> int:
    return note & ((1 << _PID_BITS) - 1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
