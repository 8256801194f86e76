"""Frames of a recording laid on one another, to be compared pixel by pixel."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.calibration._glow import CELLS
from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Float32Array, Mask, Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameMeta

Progress = Callable[[int, int], None]
"""Told how many frames are read, of how many."""
MOST_BYTES = 1 << 29
MOST_FRAMES = 64
_ROW_STEP = 4
"""Every fourth line of a block tells as much about its columns: noise is not what limits it."""

_CLIP_SIGMAS = 3.0
_NORMAL_MAD = 1.4826
_BAND_VALUES = 1 << 24
_MOST_GROUPS = 8
_VOTES = 0.8
"""A spot is the sensor's if it is there in so many of all frames and of all strips."""

_STANDS_OUT_SIGMAS = 4.0
_ONE_SIGMA_PERCENT = 84.13
_COARSE = 4
"""Surroundings are found in an image so many times smaller."""

_SPARSE = 4
"""The noise is measured on every fourth pixel of each axis."""


@dataclass(frozen=True)
class Stack:
    """Frames over one another; a block of lines is one row, the typical line."""

    looks: Pixels | Float32Array
    """(N, h, w), uint8 or uint16; (N, 1, w) float32 for a line camera."""

    strips: npt.NDArray[np.int64]
    """(N,) from 0 without gaps; where there are many, neighbours count as one."""

    frames: list[FrameMeta]
    cells: Float32Array
    """(N, 64, 64): the mean grey level of parts of the frames."""

    fixed: Mask
    """(h, w): the pixels that stand out in most frames of most strips."""

    saturated: float
    """The share of saturated pixels."""

    def only(self, chosen: Mask) -> "Stack":
        """The stack of the frames that are ``chosen``, (N,) bool."""
        if chosen.all():
            return self
        frames = [meta for meta, is_chosen in zip(self.frames, chosen, strict=True) if is_chosen]
        return replace(
            self,
            looks=self.looks[chosen],
            strips=self.strips[chosen],
            frames=frames,
            cells=self.cells[chosen],
        )


def read_stack(
    recording: Recording, *, line: bool, level_out: bool, progress: Progress = lambda _d, _t: None
) -> Stack:
    """Reads at most 64 usable frames, spread over the scan.

    ``level_out`` puts the surroundings in place of whatever stands out from them: scratches,
    dust, stars of light. Raises InputError if a frame cannot be read.
    """
    info = recording.info
    usable = [index for index, meta in enumerate(recording.frames) if meta.usable]
    chosen = _spread(usable, MOST_FRAMES if line else max(8, MOST_BYTES // info.frame_bytes))
    height, width = info.frame_shape
    shape = (1, width) if line else (height, width)
    looks = np.empty((len(chosen), *shape), np.float32 if line else info.dtype)
    strips = _grouped([recording.frames[index].strip for index in chosen])
    cells: Float32Array = np.empty((len(chosen), CELLS, CELLS), np.float32)
    votes = np.zeros((int(strips.max(initial=-1)) + 1, *shape), np.uint8)
    least = 2.0 ** (info.bit_depth - 8)
    saturated = 0
    pixels: Pixels = np.empty(info.frame_shape, info.pixel_type)
    for number, index in enumerate(chosen):
        recording.read_into(index, pixels)
        saturated += int(np.count_nonzero(pixels >= info.full_scale))
        image = typical_line(pixels) if line else pixels.astype(np.float32)
        around = surroundings(image)
        outstanding = stand_out(image, around, least)
        votes[strips[number]] += outstanding
        if level_out:
            image[outstanding] = around[outstanding]
        looks[number] = image if line else np.rint(image)
        cells[number] = _in_cells(pixels, image, outstanding[0]) if line else _mean_cells(image)
        progress(number + 1, len(chosen))
    return Stack(
        looks=looks,
        strips=strips,
        frames=[recording.frames[index] for index in chosen],
        cells=cells,
        fixed=fixed_spots(votes, strips),
        saturated=saturated / max(1, len(chosen) * pixels.size),
    )


def robust_mean(
    stack: Stack, *, dark: Float32Array | float = 0.0, scales: npt.NDArray[np.float64] | None = None
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Means over frames of ``(look - dark) * scale``: of all, and of each half of them, (h, w).

    Outliers, more than 3 sigma from the median over frames, are left out. The halves are every
    other strip, or every other frame where there is one strip: what both show is no chance.
    """
    count, height, width = stack.looks.shape
    scale = np.ones(count) if scales is None else scales
    factors = scale.astype(np.float32)[:, None, None]
    number = stack.strips if stack.strips.max() > 0 else np.arange(count)
    half = number % 2 == 1
    means: list[Float32Array] = [np.empty((height, width), np.float32) for _ in range(3)]
    dark_map = np.broadcast_to(np.asarray(dark, np.float32), (height, width))
    rows = max(1, _BAND_VALUES // (count * width))
    for top in range(0, height, rows):
        band = slice(top, top + rows)
        values = (stack.looks[:, band].astype(np.float32) - dark_map[band]) * factors
        mean, kept = _clipped_mean(values)
        means[0][band] = mean
        for part, chosen in ((1, ~half), (2, half)):
            means[part][band] = _mean_of(values[chosen], kept[chosen], mean)
    return means[0], means[1], means[2]


def refuse_one_place(recording: Recording, *, least_frames: int) -> None:
    """Raises InputError unless enough frames show different places, along x and along y."""
    frames = [meta for meta in recording.frames if meta.usable]
    if len(frames) < least_frames:
        problem = f"holds {len(frames)} usable frames, {least_frames} are needed"
        raise InputError(problem, file=recording.path)
    places = np.array([meta.position_mm[:2] for meta in frames])
    pixel_mm = recording.info.pitch_um / 1000.0
    least_mm = pixel_mm * min(recording.info.frame_shape) / 4
    for axis, spread in zip("xy", np.ptp(places, axis=0), strict=True):
        if spread < least_mm:
            raise InputError(
                f"all frames lie within {spread:.2f} mm along {axis}: the element must have moved "
                "along x and y, else its scratches cannot be told from the sensor's",
                file=recording.path,
            )


def typical_line(block: Pixels) -> Float32Array:
    """The mean line of a block of lines, scratches and dust left out: (1, w) float32."""
    some = block[::_ROW_STEP].astype(np.float32)
    return _clipped_mean(some)[0][None]


def surroundings(image: Float32Array) -> Float32Array:
    """The level around each pixel, without what is narrower than about 8 pixels.

    ``image`` is (h, w) float32 grey levels; h may be 1.
    """
    height, width = image.shape
    small = (max(1, width // _COARSE), max(1, height // _COARSE))
    coarse = cv2.medianBlur(cv2.resize(image, small, interpolation=cv2.INTER_AREA), 5)
    return np.asarray(cv2.resize(coarse, (width, height)), dtype=np.float32)


def stand_out(image: Float32Array, around: Float32Array, least: float) -> Mask:
    """Pixels far above their surroundings, (h, w): by 4 sigma, and by ``least`` grey levels."""
    excess = image - around
    some = excess[:, ::_SPARSE] if len(excess) == 1 else excess[::_SPARSE, ::_SPARSE]
    # From the upper side alone: in dark frames the lower half of the noise is cut off at zero.
    middle, above = np.percentile(some, (50.0, _ONE_SIGMA_PERCENT))
    sigma = float(above - middle)
    return np.asarray(excess > middle + max(_STANDS_OUT_SIGMAS * sigma, least))


def fixed_spots(votes: npt.NDArray[np.uint8], strips: npt.NDArray[np.int64]) -> Mask:
    """Pixels that stand out in most frames and in most strips, a mask (h, w).

    ``votes`` is (strips, h, w): in how many frames of a strip a pixel stood out. Strips count
    by themselves because a scratch along a strip stays where it is in all of its frames.
    """
    frames = np.bincount(strips, minlength=len(votes))
    in_strips = np.zeros(votes.shape[1:], np.int64)
    for count, of in zip(votes, frames, strict=True):
        in_strips += count >= _VOTES * of
    in_all = votes.sum(axis=0, dtype=np.int64)
    return np.asarray((in_all >= _VOTES * len(strips)) & (in_strips >= _VOTES * len(votes)))


def _spread(indices: list[int], most: int) -> list[int]:
    most = min(most, MOST_FRAMES)
    if len(indices) <= most:
        return indices
    return [indices[i] for i in np.linspace(0, len(indices) - 1, most).round().astype(int)]


def _grouped(strips: list[int]) -> npt.NDArray[np.int64]:
    names, ranks = np.unique(strips, return_inverse=True)
    return ranks.astype(np.int64) * min(len(names), _MOST_GROUPS) // max(1, len(names))


def _in_cells(block: Pixels, line: Float32Array, outstanding: Mask) -> Float32Array:
    """A block of lines in cells, outstanding columns as the line has them."""
    some = block[::_ROW_STEP].astype(np.float32)
    some[:, outstanding] = line[0, outstanding]
    return _mean_cells(some)


def _mean_cells(image: Float32Array) -> Float32Array:
    return np.asarray(cv2.resize(image, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)


def _clipped_mean(values: Float32Array) -> tuple[Float32Array, Mask]:
    """The mean over axis 0 of the values near the median (h, w), and which lie near (N, h, w)."""
    middle = np.median(values, axis=0)
    off = np.abs(values - middle)
    reach = np.maximum(_CLIP_SIGMAS * _NORMAL_MAD * np.median(off, axis=0), 1.0)
    kept: Mask = off <= reach
    return _mean_of(values, kept, middle), kept


def _mean_of(values: Float32Array, kept: Mask, otherwise: Float32Array) -> Float32Array:
    count = kept.sum(axis=0)
    total = np.where(kept, values, 0).sum(axis=0, dtype=np.float32)
    mean: Float32Array = np.where(count > 0, total / np.maximum(count, 1), otherwise).astype(
        np.float32
    )
    return mean
