"""The files of real backgrounds: pictures and recordings, and their levels as 8-bit grey levels."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag
from darkscan.simulation.element.sensor import SHALLOWEST_BITS, noise_of

if TYPE_CHECKING:
    from darkscan.drivers.recording import Recording

Levels = npt.NDArray[np.integer]
"""Whole grey levels (height, width) as a camera or a file gives them."""

_WHITE = 255.0
_DEPTHS = (10, 12, 14, 16)
_LEAST_SIGMA = 1.4  # grey levels: rounding to whole ones then adds 2 % to the noise
_BRIGHTEST_MEDIAN = 100.0  # of a background whose noise is stretched: scratches need room above
_LEAST_LEVELS = 16  # that differ; of fewer the step says nothing
_SAMPLED_ROWS = 512  # of a picture, for its noise
_SAMPLED_FRAMES = 3  # of a recording, for the same
_KEPT_BYTES = 1 << 28
_OPEN_RECORDINGS = 4
_HASHED_WHOLE = 1 << 26  # bytes; of longer files, both ends
_HASHED_END = 1 << 20


@dataclass(frozen=True)
class GreyScale:
    """How a file's levels become 8-bit grey levels: ``(level - black) * gain``, 0 to 255.

    All levels of the file lie ``step`` apart, or several times that.
    """

    black: float = 0.0
    gain: float = 1.0
    step: int = 1


@dataclass(frozen=True)
class BackgroundFile:
    """A picture, or a recording with those of its frames that have pixels."""

    path: Path
    shape: tuple[int, int]
    """Height and width of the picture, or of each frame, in pixels."""
    scale: GreyScale
    frames: tuple[int, ...] | None = None
    """Places of the frames in the recording; None: it is a picture."""

    @property
    def pictures(self) -> int:
        """How many pictures or frames it holds."""
        return 1 if self.frames is None else len(self.frames)

    def digest(self) -> bytes:
        """A SHA-256 of the file; where it is longer than 64 MB, of its length and both ends."""
        try:
            length = self.path.stat().st_size
            with self.path.open("rb") as file:
                if length <= _HASHED_WHOLE:
                    return hashlib.file_digest(file, "sha256").digest()
                found = hashlib.sha256(b"%d" % length + file.read(_HASHED_END))
                file.seek(length - _HASHED_END)
                found.update(file.read())
                return found.digest()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=self.path) from error


class Reader:
    """Reads pictures and frames, and keeps the latest: 256 MB of them, and one in any case."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, int], Levels] = OrderedDict()
        self._kept_bytes = 0
        self._recordings: OrderedDict[Path, Recording] = OrderedDict()

    def levels(self, file: BackgroundFile, number: int) -> Levels:
        """The levels (height, width) of picture ``number`` of a file, counted from 0.

        Raises InputError if it cannot be read any more, or has another shape than before.
        """
        key = (file.path, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if file.frames is None:
            levels, _ = _picture(file.path)
        else:
            levels = _frame(self._recording(file.path), file.frames[number])
        if levels.shape != file.shape:
            raise InputError("changed while it was read", file=file.path)
        self._kept[key] = levels
        self._kept_bytes += levels.nbytes
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= dropped.nbytes
        return levels

    def _recording(self, path: Path) -> "Recording":
        from darkscan.drivers.recording import Recording

        if path not in self._recordings:
            if len(self._recordings) == _OPEN_RECORDINGS:
                self._recordings.popitem(last=False)[1].close()
            self._recordings[path] = Recording(path)
        self._recordings.move_to_end(path)
        return self._recordings[path]


def opened(path: Path) -> BackgroundFile:
    """What a file holds. A picture is read whole, of a recording a few frames.

    Raises InputError if it is neither, cannot be read, or has no frame with pixels.
    """
    from darkscan.drivers.recording import Recording, is_hdf5

    if not is_hdf5(path):
        levels, bits = _picture(path)
        return BackgroundFile(path, _shape(levels), grey_scale(levels, bits))
    with Recording(path) as recording:
        without = FrameFlag.LOST | FrameFlag.MISSING
        frames = tuple(i for i, meta in enumerate(recording.frames) if not meta.flags & without)
        if not frames:
            raise InputError("has no frame with pixels", file=path)
        sampled = frames[:: max(1, len(frames) // _SAMPLED_FRAMES)]
        levels = np.concatenate([_frame(recording, frame) for frame in sampled])
        scale = grey_scale(levels, recording.info.bit_depth)
        return BackgroundFile(path, recording.info.frame_shape, scale, frames)


def grey_scale(levels: Levels, bits: int | None = None) -> GreyScale:
    """How levels (H, W) of a camera of so many bits become 8-bit grey levels.

    8-bit levels stay as they are. Deeper ones become the part of the range that they are of the
    camera's, or more, if their noise were below 1.4 grey levels then; of what is so stretched,
    the median is brought to 100 at most. Without ``bits``, the range is the least of 10, 12, 14
    and 16 bits that holds all levels.
    """
    lowest = int(levels.min())
    rows = levels[:: max(1, len(levels) // _SAMPLED_ROWS)]
    step = _step(rows, lowest)
    if levels.dtype == np.uint8:
        return GreyScale(step=step)
    black = float(min(lowest, 0))
    highest = float(levels.max()) - black
    if bits is None:
        bits = next((depth for depth in _DEPTHS if highest < 2**depth), _DEPTHS[-1])
    gain = _WHITE / (2 ** max(bits, SHALLOWEST_BITS) - 1)
    finer = _LEAST_SIGMA / noise_of(rows)
    if finer > gain:
        gain = finer
        black = max(black, float(np.median(rows)) - _BRIGHTEST_MEDIAN / gain)
    return GreyScale(black, gain, step)


def _step(levels: Levels, lowest: int) -> int:
    """The step between levels, more than 1 where a camera's are shifted to higher bits."""
    there = np.flatnonzero(np.bincount((levels - lowest).astype(np.int64).ravel()))
    return int(np.gcd.reduce(np.diff(there))) if len(there) >= _LEAST_LEVELS else 1


def _picture(path: Path) -> tuple[Levels, int | None]:
    from darkscan.drivers.images import read_picture

    picture = read_picture(path, stretch=True)
    return picture.levels, picture.bits


def _frame(recording: "Recording", place: int) -> Levels:
    levels = np.empty(recording.info.frame_shape, recording.info.dtype)
    recording.read_into(place, levels)
    return levels


def _shape(levels: Levels) -> tuple[int, int]:
    return levels.shape[0], levels.shape[1]
