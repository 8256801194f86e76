"""Frames of an instrument with scratches drawn by eye: read, flat-fielded, without their lines.

A folder holds the images and a ``polylines.json`` that says where their scratches are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.images import Mosaic
from darkscan.network.classical.marked_windows import mask_of_lines
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.network.evaluation.degradations import Grey, noise_of
from darkscan.network.evaluation.polylines import Polylines, read_polylines
from darkscan.pipeline.core.arrays import Float32Array, Mask, Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.names import printable

POLYLINES = "polylines.json"
TRIM = 0.15
"""The share of frames left out at either end where a fixed pattern is averaged."""
GAIN = 2.0

_STRIDE_PX = 128
_FEWEST = 3  # frames: of fewer, a line would be half of the mean
_LINE_PX = 17.0  # the width of what is taken out with a line
_CLIPPED = 3.0  # sigmas
_LEVEL_PX = 12.0  # the Gaussian over which two frames are brought to one level


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """A frame, and what is drawn on it."""

    name: str
    grey: Grey
    lines: Polylines

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self.grey.levels.shape
        return height, width

    @cached_property
    def origins(self) -> npt.NDArray[np.int32]:
        """The first pixels (N, 2), y and x, of the windows that an inspection looks at."""
        return window_origins(self.shape, WINDOW_PX, _STRIDE_PX)


def read_frames(folder: Path) -> list[LabelledFrame]:
    """The frames that the folder's ``polylines.json`` names, in the order of their names.

    Raises InputError naming the file, and the field, if either cannot be read, a frame is
    smaller than a window, or a line leaves its frame.
    """
    file = folder / POLYLINES
    lines = read_polylines(file)
    return [_read(folder / name, lines[name], file) for name in sorted(lines)]


def _read(path: Path, lines: Polylines, file: Path) -> LabelledFrame:
    image = Mosaic([path], stretch=True)
    height, width = image.shape
    if min(height, width) < WINDOW_PX:
        problem = f"{width}x{height} pixels are less than a window of {WINDOW_PX}"
        raise InputError(problem, file=path)
    for line in lines.everything:
        x, y = (line - 0.5).T
        if min(x.min(), y.min()) < 0 or x.max() > width - 1 or y.max() > height - 1:
            problem = f"a line leaves the frame of {width}x{height} pixels: {_ends(line)}"
            raise InputError(problem, file=file, field=path.name)
    levels: Pixels = np.empty((height, width), np.dtype(image.pixel_type))
    image.read_into(0, 0, levels)
    return LabelledFrame(printable(path.name), Grey(levels, 2.0**image.bit_depth - 1), lines)


def _ends(line: npt.NDArray[np.float64]) -> str:
    first, last = ([round(float(place), 1) for place in end] for end in (line - 0.5)[[0, -1]])
    return f"from {first} to {last}"


def flat_fielded(frames: Sequence[LabelledFrame], trim: float = TRIM) -> list[LabelledFrame]:
    """The frames less what the sensor and the lamp add to each, times two.

    That fixed pattern is the mean over all frames of (frame - its median), pixel by pixel,
    without the share ``trim`` of frames at either end: the scratches, which lie in few. Levels
    are rounded and clipped to the frames' own range. Raises InputError unless there are three
    frames or more, all of one size.
    """
    if not 0 <= trim < 0.5:  # noqa: PLR2004 - half at either end is all
        raise InputError(f"must be from 0 to below 0.5, is {trim}", field="trim")
    _require_a_set(frames)
    levels = np.stack([frame.grey.levels.astype(np.float32) for frame in frames])
    apart = np.sort(levels - np.median(levels, axis=(1, 2), keepdims=True), axis=0)
    left_out = int(trim * len(frames))
    pattern = apart[left_out : len(frames) - left_out].mean(axis=0)
    return [
        _with_levels(frame, GAIN * (own - pattern))
        for frame, own in zip(frames, levels, strict=True)
    ]


def without_lines(frames: Sequence[LabelledFrame]) -> list[LabelledFrame]:
    """The frames with all that is drawn on them taken out.

    Within 8 px of a line the pixels are those of the next frame that has no line there,
    brought to the level around. The sensor's fixed pattern and the noise stay as they are,
    for all frames are of one sensor. A place with a line in every frame is left as it is.
    Raises InputError as ``flat_fielded`` does.
    """
    _require_a_set(frames)
    holes = [_near_lines(frame) for frame in frames]
    cleaned = []
    for number, frame in enumerate(frames):
        levels = frame.grey.levels.astype(np.float32)
        open_ = holes[number].copy()
        for ahead in range(1, len(frames)):
            other = (number + ahead) % len(frames)
            fill = open_ & ~holes[other]
            if fill.any():
                theirs = frames[other].grey.levels.astype(np.float32)
                both = ~(holes[number] | holes[other])
                levels[fill] = (theirs + _level_above(frame.grey, theirs, both))[fill]
                open_ &= ~fill
        cleaned.append(replace(_with_levels(frame, levels), lines=Polylines()))
    return cleaned


def _require_a_set(frames: Sequence[LabelledFrame]) -> None:
    if len(frames) < _FEWEST:
        raise InputError(f"{len(frames)} frames are too few, {_FEWEST} are needed", field="frames")
    for frame in frames:
        if frame.shape != frames[0].shape:
            problem = f"{frame.name} and {frames[0].name} differ in size"
            raise InputError(problem, field="frames")


def _near_lines(frame: LabelledFrame) -> Mask:
    return mask_of_lines(((line, _LINE_PX) for line in frame.lines.everything), frame.shape)


def _level_above(grey: Grey, theirs: Float32Array, known: Mask) -> Float32Array:
    """How far the level (H, W) of an image lies above another's around each pixel.

    From the known pixels around it; specks of either are clipped.
    """
    apart = grey.levels - theirs
    middle, most = np.float32(np.median(apart[known])), np.float32(_CLIPPED * noise_of(grey))
    weights = known.astype(np.float32)
    sums, counts = (
        cv2.GaussianBlur(part, (0, 0), _LEVEL_PX)
        for part in (weights * np.clip(apart, middle - most, middle + most), weights)
    )
    return np.asarray(sums / np.maximum(counts, np.float32(1e-6)), np.float32)


def _with_levels(frame: LabelledFrame, levels: Float32Array) -> LabelledFrame:
    full_scale, dtype = frame.grey.full_scale, frame.grey.levels.dtype
    whole = cast("Pixels", np.clip(np.rint(levels), 0, full_scale).astype(dtype))
    return replace(frame, grey=Grey(whole, full_scale))
