"""Lays frames over a region, in pixels of the camera.

Seen in pixel coordinates (element millimetres through the inverse of ``pixel_to_stage``)
every frame is an upright rectangle of the same size, however the camera is turned, flipped
or transposed. Frames lie on a lattice: a fixed step along the strip, a fixed step from strip
to strip. Where one axis alone moves along a strip and the camera is turned against it, the
frames of a strip drift sideways, all strips alike.

Steps are multiples of the window stride, so that the windows of neighbouring frames lie on
one grid. Of those that need the fewest frames the smallest is taken, and what the frames
reach beyond the region lies evenly on both sides: a compare output knows but one step, a
last frame laid flush would break the grid, and half the surplus at each side asks for the
least travel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.geometry import FloatArray

_ROUNDING = 1e-9
"""Of a count of frames: a region that fits exactly needs no further frame."""


@dataclass(frozen=True)
class Spacing:
    """How frames follow each other along one pixel axis."""

    frame_px: int
    step_px: int
    """The largest step allowed."""

    multiple_px: int
    """A smaller step must be a multiple of this."""

    def lay(self, extent_px: float, inner_px: float) -> tuple[int, int]:
        """Count and step of frames, of which ``inner_px`` count, over ``extent_px``."""
        missing = extent_px - inner_px
        count = max(1, math.ceil(missing / self.step_px - _ROUNDING) + 1)
        if count == 1:
            return 1, self.step_px
        fewest = math.ceil(missing / (count - 1) / self.multiple_px - _ROUNDING)
        return count, min(self.step_px, max(1, fewest) * self.multiple_px)


@dataclass(frozen=True)
class Lattice:
    """Where the frames of a scan lie, in pixels from the element's top left corner."""

    origin_px: tuple[float, float]
    """Pixel corner (0, 0) of the first frame of the first strip (x, y)."""

    along: int
    """The pixel axis along which strips run: 0 columns, 1 rows."""

    frame_px: tuple[int, int]
    """A frame's sides along and across a strip."""

    steps_px: tuple[int, int]
    """From frame to frame along a strip, and from strip to strip."""

    counts: tuple[int, int]
    """Frames of a strip, and strips."""

    drift_px: float
    """How far a frame lies sideways of the one before it in its strip."""

    @property
    def overlaps_px(self) -> tuple[int, int]:
        """Of neighbours within a strip, and of neighbouring strips."""
        (length, width), (step, strip_step) = self.frame_px, self.steps_px
        return length - step, width - strip_step

    def corners_px(self) -> FloatArray:
        """Pixel corner (0, 0) of every frame: (strips, frames of a strip, 2), x and y."""
        (step, strip_step), (count, strips) = self.steps_px, self.counts
        strip, number = np.mgrid[:strips, :count].astype(np.float64)
        corners = np.empty((strips, count, 2))
        corners[..., self.along] = number * step
        corners[..., 1 - self.along] = strip * strip_step + number * self.drift_px
        corners += np.array(self.origin_px)
        return corners


def lattice_over(
    outline_px: FloatArray, along: int, spacings: tuple[Spacing, Spacing], slope: float
) -> Lattice:
    """The frames that cover a convex outline (N, 2), pixels.

    ``spacings``: along a strip, and from strip to strip; ``slope``: how far a strip wanders
    sideways for each pixel along it.
    """
    within, between = spacings
    places = outline_px[:, along]
    # Sheared so that strips are upright: frames then lean the other way, and what is common
    # to all of a frame's columns is a little less than the frame.
    sides = outline_px[:, 1 - along] - slope * places
    lean = -slope * within.frame_px
    inner = (max(0.0, lean), between.frame_px + min(0.0, lean))
    count, step = within.lay(float(np.ptp(places)), within.frame_px)
    strips, strip_step = between.lay(float(np.ptp(sides)), inner[1] - inner[0])
    place = _middle(places) - ((count - 1) * step + within.frame_px) / 2
    side = _middle(sides) - ((strips - 1) * strip_step + sum(inner)) / 2
    origin = [0.0, 0.0]
    origin[along], origin[1 - along] = place, side + slope * place
    return Lattice(
        origin_px=(origin[0], origin[1]),
        along=along,
        frame_px=(within.frame_px, between.frame_px),
        steps_px=(step, strip_step),
        counts=(count, strips),
        drift_px=slope * step,
    )


def spacing(frame_px: int, overlap_px: int, stride: int, *, field: str) -> Spacing:
    """Frames of ``frame_px`` that overlap by at least ``overlap_px`` on one window grid.

    Raises InputError naming ``field`` if nothing is left of a frame.
    """
    step = (frame_px - overlap_px) // stride * stride
    if step <= 0:
        raise InputError(
            f"frames of {frame_px} px that overlap by {overlap_px} px do not get on by a "
            f"stride of {stride} px",
            field=field,
        )
    return Spacing(frame_px, step, stride)


def _middle(values: Sequence[float] | FloatArray) -> float:
    return (float(np.min(values)) + float(np.max(values))) / 2
