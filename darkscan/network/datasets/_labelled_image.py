"""An image with the truth about it: where its scratches run, which pixels they touch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask, Pixels

_SPACING_PX = 1.0


@dataclass(frozen=True)
class Scratch:
    """A scratch as points along its centre line, no more than a pixel or two apart.

    ``points`` (P, 2) float64 are x and y in the image's pixels, (0, 0) the outer corner of
    its first pixel. ``lengths`` (P,) float64 are the pixels of line that each point stands
    for, 0 where the line is dark. ``contrasts`` (P,) float64 are its amplitude over the
    noise, NaN where unknown; ``kind`` is its shape, "" if unknown.
    """

    points: Float64Array
    lengths: Float64Array
    contrasts: Float64Array
    kind: str = ""


@dataclass(frozen=True)
class Distractor:
    """Something that is no scratch: points (K, 2), x and y, that it is seen at."""

    kind: str
    points: Float64Array


@dataclass(frozen=True)
class ImageTruth:
    """The scratches of an image of (height, width) pixels.

    ``touched`` (H, W) bool is true for every pixel with any light of a scratch.
    ``power`` (H, W) float32 is the square of that light over the local noise, None where
    it is unknown. ``distractors`` come rarest kind first; ``commonest`` is the name of
    what every window shows, "" if unknown. ``void`` (H, W) bool is true for pixels of which
    nobody said what they show, None if there are none.
    """

    scratches: tuple[Scratch, ...]
    touched: Mask
    power: npt.NDArray[np.float32] | None = None
    distractors: tuple[Distractor, ...] = field(default=())
    commonest: str = ""
    void: Mask | None = None


@dataclass(frozen=True)
class LabelledImage:
    """An image (H, W) uint8 or uint16, its truth, and the SHA-256 of what both came from."""

    pixels: Pixels
    truth: ImageTruth
    sha256: str


def points_along(vertices: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Points (P, 2) each pixel or less along a polyline (K, 2).

    With them the length (P,) of line that each stands for and its place (P,) as a
    fractional index of the vertices.
    """
    steps = np.hypot(*np.diff(vertices, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(1, int(np.ceil(along[-1] / _SPACING_PX)))
    at = (np.arange(count) + 0.5) * along[-1] / count
    place = np.interp(at, along, np.arange(len(vertices), dtype=np.float64))
    points = np.stack([np.interp(at, along, vertices[:, axis]) for axis in (0, 1)], axis=1)
    return points, np.full(count, along[-1] / count), place


def polyline_scratch(vertices: Float64Array) -> Scratch:
    """The scratch along a polyline (K, 2) that somebody drew."""
    points, lengths, _ = points_along(vertices)
    return Scratch(points, lengths, np.full(len(points), np.nan))


def total_length(scratches: Sequence[Scratch]) -> float:
    """The lit length of all of them together, pixels."""
    return float(sum(scratch.lengths.sum() for scratch in scratches))
