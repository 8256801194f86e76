"""Lays the frames of a scan over the region, in pixels of the camera.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from darkscan.drivers.planning.plan import AXES
from darkscan.drivers.planning.view import View
from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.units import FiniteMm

_ROUNDING = 1e-9
"""Tolerance of a count of frames: a region that fits exactly needs no further frame."""


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
        """The overlap of neighbouring frames within a strip, and of neighbouring strips."""
        (length, width), (step, strip_step) = self.frame_px, self.steps_px
        return length - step, width - strip_step

    def corners_px(self) -> Float64Array:
        """Pixel corner (0, 0) of every frame: (strips, frames of a strip, 2), x and y."""
        (step, strip_step), (count, strips) = self.steps_px, self.counts
        strip, number = np.mgrid[:strips, :count].astype(np.float64)
        corners = np.empty((strips, count, 2))
        corners[..., self.along] = number * step
        corners[..., 1 - self.along] = strip * strip_step + number * self.drift_px
        corners += np.array(self.origin_px)
        return corners


def lattice_of(rig: Rig, view: View, inspection: Inspection) -> Lattice:
    """The frames over the region and its margin, in pixels.

    Raises InputError if frames and overlap do not go with the windows.
    """
    margin = rig.scan.margin_mm
    x, y, width, height = region_of(rig)
    outline = rectangle(x - margin, y - margin, width + 2 * margin, height + 2 * margin)
    # Step and stare: both axes move from frame to frame, and frames follow the camera's axes.
    slope = 0.0 if rig.scan.mode == "step" else view.slope
    outline_px = outline @ np.linalg.inv(view.pixel_to_stage.matrix).T
    return lattice_over(outline_px, view.along, _spacings(rig, view, inspection), slope)


def region_of(rig: Rig) -> tuple[FiniteMm, FiniteMm, FiniteMm, FiniteMm]:
    """x, y, width and height of the part of the element that is to be inspected, mm."""
    return rig.element.region_mm or (FiniteMm(0.0), FiniteMm(0.0), *rig.element.size_mm)


def stage_places(rig: Rig, geometry: Geometry, view: View, lattice: Lattice) -> Float64Array:
    """Positions of the x and y axes (strips, frames of a strip, 2), mm."""
    corners_mm = lattice.corners_px() @ view.pixel_to_stage.matrix.T
    stage = geometry.stage_to_element.stage_for(corners_mm)
    if rig.scan.mode != "step":
        # One axis alone moves along a strip: take off what rounding left of the other.
        other = 1 - AXES[rig.scan.axis]
        stage[..., other] = stage[:, :1, other]
    return stage


def scan_order(view: View, lattice: Lattice) -> Iterator[tuple[int, tuple[int, int]]]:
    """Strip number and place in the lattice (strip, frame of a strip) of the frames as taken.

    From the element's top left, every other strip backwards.
    """
    count, strips = lattice.counts
    forth, down = (
        column[np.abs(column).argmax()] > 0
        for column in view.pixel_to_stage.matrix.T[[view.along, 1 - view.along]]
    )
    for strip in range(strips):
        for number in range(count):
            ascending = forth == (strip % 2 == 0)
            yield (
                strip,
                (
                    strip if down else strips - 1 - strip,
                    number if ascending else count - 1 - number,
                ),
            )


def lattice_over(
    outline_px: Float64Array, along: int, spacings: tuple[Spacing, Spacing], slope: float
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


def _spacings(rig: Rig, view: View, inspection: Inspection) -> tuple[Spacing, Spacing]:
    """The spacings of frames along a strip, and of strips."""
    window, stride, overlap = inspection.window, inspection.stride, rig.scan.overlap_px
    if overlap < window - stride:
        raise InputError(
            f"must be {window - stride} px or more (window {window} less stride {stride}), "
            f"is {overlap}: else a window that two frames share is whole in neither",
            field="scan.overlap_px",
        )
    rows, columns = rig.frame_shape
    if min(rows, columns) < window:
        raise InputError(
            f"a frame of {columns}x{rows} px is smaller than a window of {window} px",
            field=_side_field(rig, width=columns < window),
        )
    sides = (columns, rows)
    between = spacing(sides[1 - view.along], overlap, stride, field="scan.overlap_px")
    if rig.scan.mode != "line":
        return spacing(sides[view.along], overlap, stride, field="scan.overlap_px"), between
    # Rows are taken without a break, so the frames of a strip share no more than they must.
    within = spacing(rows, window - stride, stride, field="scan.frame_height_px")
    return Spacing(within.frame_px, within.step_px, within.step_px), between


def _side_field(rig: Rig, *, width: bool) -> str:
    """The key that says how wide or how high a frame is."""
    if width:
        return "camera.width"
    return "scan.frame_height_px" if rig.scan.mode == "line" else "camera.height"


def _middle(values: Sequence[float] | Float64Array) -> float:
    return (float(np.min(values)) + float(np.max(values))) / 2
