"""The frames of a rig's scan: over which region, how far apart, in which order."""

from collections.abc import Iterator

import numpy as np

from darkscan.drivers.planning.lattice import Lattice, Spacing, lattice_over, spacing
from darkscan.drivers.planning.plan import AXES
from darkscan.drivers.planning.view import View
from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.geometry import FloatArray, rectangle
from darkscan.pipeline.recipe import Inspection
from darkscan.pipeline.units import FiniteMm


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
    """x, y, width and height of what is to be inspected, mm on the element."""
    return rig.element.region_mm or (FiniteMm(0.0), FiniteMm(0.0), *rig.element.size_mm)


def _spacings(rig: Rig, view: View, inspection: Inspection) -> tuple[Spacing, Spacing]:
    """How frames follow each other along a strip, and strips each other."""
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


def stage_places(rig: Rig, geometry: Geometry, view: View, lattice: Lattice) -> FloatArray:
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
