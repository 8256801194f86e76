"""Plans a scan: lays frames over the region, and says where the axes stand for each."""

from collections.abc import Iterator

import numpy as np

from darkscan.drivers.planning.focus import heights
from darkscan.drivers.planning.lattice import Lattice, Spacing, lattice_over, spacing
from darkscan.drivers.planning.pace import fastest
from darkscan.drivers.planning.passes import passes
from darkscan.drivers.planning.plan import AXES, PlannedFrame, ScanPlan
from darkscan.drivers.planning.profile import frame_seconds, run_up_mm, scan_seconds
from darkscan.drivers.planning.view import View
from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.configuration import check
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.geometry import FloatArray, rectangle
from darkscan.pipeline.messages import Place
from darkscan.pipeline.recipe import Inspection
from darkscan.pipeline.scan import FrameMeta, ScanInfo
from darkscan.pipeline.units import FiniteMm, FrameId, Nanoseconds


def plan_scan(
    rig: Rig, geometry: Geometry, inspection: Inspection, *, side: str, recipe_name: str
) -> ScanPlan:
    """The scan of one side of the rig's element.

    Raises InputError with the figures for what cannot be scanned so.
    """
    view = View.of(rig, geometry)
    lattice = _lattice(rig, view, inspection)
    stage = _stage_places(rig, geometry, view, lattice)
    element = geometry.stage_to_element.element_at(stage)
    z, defocus_um = heights(rig, view.pixel_to_stage.matrix, element)
    order = list(_order(lattice, view))
    frames = tuple(
        PlannedFrame(
            meta=FrameMeta(
                frame=FrameId(number),
                strip=strip,
                position_mm=_place(element[at], z[at]),
                exposure_ns=Nanoseconds(0),
            ),
            stage_mm=_place(stage[at], z[at]),
            strip_row=at[1] * lattice.steps_px[0] if rig.scan.mode == "line" else 0,
        )
        for number, (strip, at) in enumerate(order)
    )
    step_mm = lattice.steps_px[0] * view.pixel_mm
    if rig.scan.mode == "step":
        velocity, set_by, run_up = float(rig.motion.velocity_mm_s), "motion.velocity_mm_s", 0.0
    else:
        trigger_mm = view.pixel_mm if rig.scan.mode == "line" else step_mm
        pace = fastest(rig, trigger_step_mm=trigger_mm, pixel_mm=view.pixel_mm)
        velocity, set_by = pace.velocity_mm_s, pace.set_by
        run_up = run_up_mm(velocity, rig.motion)
    info = _info(rig, geometry, view, len(frames), side=side, recipe_name=recipe_name)
    count, strips = lattice.counts
    overlaps = [spacing.frame_px for spacing in _spacings(rig, view, inspection)]
    plan = ScanPlan(
        mode=rig.scan.mode,
        axis=rig.scan.axis,
        info=info,
        frames=frames,
        line_step_mm=view.line_step_mm,
        encoder_divider=view.divider,
        frame_step_mm=step_mm,
        pixel_mm=view.pixel_mm,
        rows=rig.frame_shape[0],
        velocity_mm_s=velocity,
        velocity_set_by=set_by,
        run_up_mm=run_up,
        overlap_px=(overlaps[0] - lattice.steps_px[0], overlaps[1] - lattice.steps_px[1]),
        focused=rig.focus is not None,
        defocus_um=defocus_um,
        seconds=0.0,
        strips=strips,
        strip_bytes=count * info.frame_bytes,
        strip_seconds=0.0,
    )
    every = passes(plan, rig, {frame.meta.frame for frame in frames})
    times = {
        "seconds": scan_seconds(plan, every, rig),
        "strip_seconds": count * frame_seconds(plan, rig),
    }
    return plan.model_copy(update=times)


def _lattice(rig: Rig, view: View, inspection: Inspection) -> Lattice:
    """The frames over the region and its margin, in pixels."""
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
            field="camera" if rows != rig.scan.frame_height_px else "scan.frame_height_px",
        )
    sides = (columns, rows)
    between = spacing(sides[1 - view.along], overlap, stride, field="scan.overlap_px")
    if rig.scan.mode != "line":
        return spacing(sides[view.along], overlap, stride, field="scan.overlap_px"), between
    # Rows are taken without a break, so the frames of a strip share no more than they must.
    within = spacing(rows, window - stride, stride, field="scan.frame_height_px")
    return Spacing(within.frame_px, within.step_px, within.step_px), between


def _stage_places(rig: Rig, geometry: Geometry, view: View, lattice: Lattice) -> FloatArray:
    """Positions of the x and y axes (strips, frames of a strip, 2), mm."""
    corners_mm = lattice.corners_px() @ view.pixel_to_stage.matrix.T
    stage = geometry.stage_to_element.stage_for(corners_mm)
    if rig.scan.mode != "step":
        # One axis alone moves along a strip: take off what rounding left of the other.
        other = 1 - AXES[rig.scan.axis]
        stage[..., other] = stage[:, :1, other]
    return stage


def _order(lattice: Lattice, view: View) -> Iterator[tuple[int, tuple[int, int]]]:
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


def _place(xy_mm: FloatArray, z_mm: float) -> Place:
    x, y = xy_mm.tolist()
    return FiniteMm(x), FiniteMm(y), FiniteMm(float(z_mm))


def _info(
    rig: Rig, geometry: Geometry, view: View, frames: int, *, side: str, recipe_name: str
) -> ScanInfo:
    """What is known of the scan. Raises InputError for what no map can hold."""
    camera, simulation = rig.camera, rig.simulation
    if simulation is not None:
        source = f"simulated rig, preset {simulation.preset}, seed {simulation.seed}"
    else:
        source = " ".join(["camera", *filter(None, [camera.serial]), camera.pixel_format])
    content = {
        "element": rig.element.name,
        "side": side,
        "element_size_mm": rig.element.size_mm,
        "region_mm": region_of(rig),
        "pitch_um": rig.geometry.pitch_um,
        "pixel_to_stage": view.pixel_to_stage,
        "frame_shape": rig.frame_shape,
        "pixel_type": camera.pixel_type,
        "bit_depth": camera.bit_depth,
        "frames_planned": frames,
        "rig": rig.name,
        "recipe": recipe_name,
        "calibration": geometry.name,
        "source": source,
    }
    try:
        return check(content, ScanInfo, file=None)
    except InputError as error:
        # All else has been checked in the rig file, each key for itself.
        raise InputError(error.problem, field=error.field or "element.region_mm") from error
