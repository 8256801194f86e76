"""The memory shared with the simulated camera; producer/rig.h says the same in C.

A file in /dev/shm holds the canvas, which is the light that there is to see, how the camera
sees it, where the axes are, the triggers of the compare output, and the faults to play. The
camera is a C library in another process, which maps the same file.
"""

import ctypes
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.shared_memory import attach_shared, create_shared, whole_pages

SHARED_RIG = "DARKSCAN_SIMULATED_RIG"
"""The environment variable that tells the simulated camera which file to map."""

MAGIC = 0x3130_4749_5253_4B44  # "DKSRIG01"
RING = 4096
"""Tellings and triggers that are kept. A telling every 5 ms fills the ring in 20 s."""

Canvas = npt.NDArray[np.uint16]
Item = TypeVar("Item", bound=np.generic)
Position = tuple[float, float, float]
"""x, y, z of the axes, mm."""


@dataclass(frozen=True)
class Look:
    """How the simulated camera sees the canvas.

    A frame is an upright crop of the canvas, whose top left pixel corner lies at canvas
    (column, row) = ``to_canvas`` (2, 3) @ (stage x mm, stage y mm, 1), rounded; beyond the
    canvas it is black. A line camera's frames are one row high. ``gains`` (of light) and
    ``hot`` (grey levels at 8 bit, light or no light) are of the sensor's shape. ``noise``
    is an (N, N) tile of unit variance, scaled so that the variance of a pixel is
    max(noise_gain * light + noise_offset, noise_floor ** 2), light in grey levels at 8 bit.
    The camera's encoder counts ``encoder_step_mm`` (negative: downwards) of that axis.
    """

    kind: Literal["area", "line"]
    sensor_shape: tuple[int, int]
    to_canvas: npt.NDArray[np.float64]
    gains: Float32Array | None = None
    hot: Float32Array | None = None
    noise: Float32Array | None = None
    noise_gain: float = 0.0
    noise_offset: float = 0.0
    noise_floor: float = 0.0
    encoder_axis: Literal[0, 1] = 0
    encoder_step_mm: float = 0.001


@dataclass(frozen=True)
class Counters:
    """The camera's counters since the shared rig was made."""

    frames: int
    """Frames (area) or blocks (line) that took a number."""

    lines: int
    """Lines taken, those of lost blocks included."""

    underruns: int
    """Frames or blocks lost because no buffer was free."""

    triggers_ignored: int
    """Triggers that came while the camera was not acquiring."""


class SharedRig:
    """The shared memory of a simulated rig. One process tells of moves and triggers."""

    def __init__(self, path: Path, mapping: mmap.mmap) -> None:
        self.path = path
        self._mapping = mapping
        self._head = Head.from_buffer(mapping)
        self.faults = Faults(self._head)

    @classmethod
    def create(cls, path: Path, look: Look, canvas: Canvas) -> Self:
        """Makes the file; ``canvas`` (height, width) is the light in 1/256 grey level at 8 bit.

        The light is on, the axes stand at 0. Raises StorageError where there is no room,
        ValueError where shapes do not fit each other.
        """
        _check(look, canvas)
        parts = {"gains": look.gains, "hot": look.hot, "noise": look.noise, "canvas": canvas}
        starts, size = {}, whole_pages(ctypes.sizeof(Head))
        for name, part in parts.items():
            starts[name] = size if part is not None else 0
            size += whole_pages(part.nbytes) if part is not None else 0
        rig = cls(path, create_shared(path, size))
        rig._describe(look, canvas, size, starts)
        for name, part in parts.items():
            if part is not None:
                rig._array(starts[name], part.shape, part.dtype)[:] = part
        rig._head.magic = MAGIC  # last: now the file is whole
        return rig

    @classmethod
    def attach(cls, path: Path) -> Self:
        """Maps a shared rig made by another process. Raises InputError if it is none."""
        mapping = attach_shared(path, "shared rig")
        small = len(mapping) < ctypes.sizeof(Head)
        if small or Head.from_buffer_copy(mapping).magic != MAGIC:
            mapping.close()
            raise InputError("is no shared rig", file=path)
        return cls(path, mapping)

    @property
    def canvas(self) -> Canvas:
        """The canvas (height, width) itself: what is written here, the camera sees."""
        head = self._head
        shape = (head.canvas_height, head.canvas_width)
        return self._array(head.canvas_at, shape, np.dtype(np.uint16))

    @property
    def light(self) -> bool:
        """Whether the element is lit; else a frame shows hot pixels and noise alone."""
        return bool(self._head.light)

    @light.setter
    def light(self, on: bool) -> None:
        self._head.light = int(on)

    @property
    def counters(self) -> Counters:
        """The camera's counters so far."""
        head = self._head
        unseen = 0 if head.acquiring else head.triggers_fired - head.triggers_seen
        return Counters(
            frames=head.frames,
            lines=head.lines,
            underruns=head.underruns,
            triggers_ignored=head.triggers_ignored + unseen,
        )

    def move(self, time_ns: int, position: Position) -> None:
        """Tells where the axes are, mm, at a time (CLOCK_REALTIME, ns, ascending).

        The camera takes them to move evenly from telling to telling and to rest after the
        last one: tell also at the start of a move, and about every 5 ms during it.
        """
        self._put(self._head.moves, self._head.moves_told, time_ns, position)
        self._head.moves_told += 1

    def trigger(self, time_ns: int, position: Position) -> None:
        """The compare output fires: the camera takes a frame as of then and there."""
        self._put(self._head.triggers, self._head.triggers_fired, time_ns, position)
        self._head.triggers_fired += 1

    def close(self) -> None:
        """Lets go of the memory; the file stays for who made it to remove.

        Arrays taken from ``canvas`` must be gone.
        """
        self.faults.close()
        del self._head
        self._mapping.close()

    @staticmethod
    def _put(ring: "ctypes.Array[Moment]", number: int, time_ns: int, position: Position) -> None:
        moment = ring[number % RING]
        moment.time_ns = time_ns
        moment.position[:] = list(position)

    def _describe(self, look: Look, canvas: Canvas, size: int, starts: dict[str, int]) -> None:
        head = self._head
        head.size = size
        head.line_scan = int(look.kind == "line")
        head.encoder_axis = look.encoder_axis
        head.encoder_step_mm = look.encoder_step_mm
        head.to_canvas[:] = [float(value) for value in look.to_canvas.ravel()]
        head.sensor_height, head.sensor_width = look.sensor_shape
        head.canvas_height, head.canvas_width = canvas.shape
        head.noise_side = 0 if look.noise is None else look.noise.shape[0]
        head.noise_gain = look.noise_gain
        head.noise_offset = look.noise_offset
        head.noise_floor = look.noise_floor
        head.gains_at, head.hot_at = starts["gains"], starts["hot"]
        head.noise_at, head.canvas_at = starts["noise"], starts["canvas"]
        head.light = 1

    def _array(
        self, start: int, shape: tuple[int, ...], dtype: np.dtype[Item]
    ) -> npt.NDArray[Item]:
        count = int(np.prod(shape))
        return np.frombuffer(self._mapping, dtype, count, start).reshape(shape)


class Faults:
    """The faults that the simulated camera shows on request."""

    def __init__(self, head: "Head") -> None:
        self._head = head

    def drop(self, frames: int = 1) -> None:
        """The next frames (area) or blocks (line) take a number and are never delivered."""
        self._head.drop_asked += frames

    def incomplete(self, frames: int = 1) -> None:
        """The next frames or blocks are delivered incomplete: their second half is missing."""
        self._head.incomplete_asked += frames

    def skip(self, counts: int) -> None:
        """The encoder input misses the next edges: that many counts pass without a line.

        The count itself stays true, so it jumps in the chunks.
        """
        self._head.skip_asked += counts

    def unplug(self) -> None:
        """The camera is gone: its calls fail, and it is found no more."""
        if not self._head.plug % 2:
            self._head.plug += 1

    def plug(self) -> None:
        """The camera is back; who had it open has to open it again."""
        if self._head.plug % 2:
            self._head.plug += 1

    def close(self) -> None:
        """Lets go of the memory."""
        del self._head


class Moment(ctypes.Structure):
    """Where the axes stood at a time."""

    time_ns: int
    position: "ctypes.Array[ctypes.c_double]"

    _fields_ = (("time_ns", ctypes.c_int64), ("position", ctypes.c_double * 3))


class Head(ctypes.Structure):
    """The header at the start of the file. Every word has one writer.

    ``*_asked`` is written by the simulation and ``*_done`` by the camera; both only grow.
    ``plug`` is odd while the camera is unplugged and counts pluggings and unpluggings.
    """

    magic: int
    size: int
    line_scan: int
    encoder_axis: int
    encoder_step_mm: float
    to_canvas: "ctypes.Array[ctypes.c_double]"
    sensor_height: int
    sensor_width: int
    canvas_height: int
    canvas_width: int
    noise_side: int
    noise_gain: float
    noise_offset: float
    noise_floor: float
    gains_at: int
    hot_at: int
    noise_at: int
    canvas_at: int
    light: int
    plug: int
    drop_asked: int
    incomplete_asked: int
    skip_asked: int
    moves_told: int
    triggers_fired: int
    acquiring: int
    triggers_seen: int
    triggers_ignored: int
    drop_done: int
    incomplete_done: int
    skip_done: int
    frames: int
    lines: int
    underruns: int
    moves: "ctypes.Array[Moment]"
    triggers: "ctypes.Array[Moment]"

    _fields_ = (
        ("magic", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        # The look, written once.
        ("line_scan", ctypes.c_uint64),
        ("encoder_axis", ctypes.c_uint64),
        ("encoder_step_mm", ctypes.c_double),
        ("to_canvas", ctypes.c_double * 6),
        ("sensor_height", ctypes.c_uint64),
        ("sensor_width", ctypes.c_uint64),
        ("canvas_height", ctypes.c_uint64),
        ("canvas_width", ctypes.c_uint64),
        ("noise_side", ctypes.c_uint64),
        ("noise_gain", ctypes.c_double),
        ("noise_offset", ctypes.c_double),
        ("noise_floor", ctypes.c_double),
        ("gains_at", ctypes.c_uint64),
        ("hot_at", ctypes.c_uint64),
        ("noise_at", ctypes.c_uint64),
        ("canvas_at", ctypes.c_uint64),
        # Written by the simulation.
        ("light", ctypes.c_uint64),
        ("plug", ctypes.c_uint64),
        ("drop_asked", ctypes.c_uint64),
        ("incomplete_asked", ctypes.c_uint64),
        ("skip_asked", ctypes.c_uint64),
        ("moves_told", ctypes.c_uint64),
        ("triggers_fired", ctypes.c_uint64),
        # Written by the camera.
        ("acquiring", ctypes.c_uint64),
        ("triggers_seen", ctypes.c_uint64),
        ("triggers_ignored", ctypes.c_uint64),
        ("drop_done", ctypes.c_uint64),
        ("incomplete_done", ctypes.c_uint64),
        ("skip_done", ctypes.c_uint64),
        ("frames", ctypes.c_uint64),
        ("lines", ctypes.c_uint64),
        ("underruns", ctypes.c_uint64),
        # Written by the simulation, oldest overwritten.
        ("moves", Moment * RING),
        ("triggers", Moment * RING),
    )


def _check(look: Look, canvas: Canvas) -> None:
    if canvas.ndim != 2 or canvas.dtype != np.uint16:  # noqa: PLR2004 - rows and columns
        raise ValueError(f"the canvas must be 2-D uint16, not {canvas.ndim}-D {canvas.dtype}")
    if look.to_canvas.shape != (2, 3):
        raise ValueError(f"to_canvas must be (2, 3), not {look.to_canvas.shape}")
    if look.kind == "line" and look.sensor_shape[0] != 1:
        raise ValueError(f"a line camera's sensor is one row high, not {look.sensor_shape[0]}")
    for name, part in (("gains", look.gains), ("hot", look.hot)):
        if part is not None and (part.shape != look.sensor_shape or part.dtype != np.float32):
            raise ValueError(f"{name} must be float32 of the sensor's shape {look.sensor_shape}")
    noise = look.noise
    if noise is not None and (noise.dtype != np.float32 or noise.shape != noise.T.shape):
        raise ValueError("the noise tile must be a square of float32")
    if not look.encoder_step_mm:
        raise ValueError("encoder_step_mm must not be 0")
