"""Plans a scan: lays frames over the region, and says where the axes stand for each."""

from dataclasses import dataclass

from darkscan.drivers.planning._focus import heights
from darkscan.drivers.planning._layout import lattice_of, region_of, scan_order, stage_places
from darkscan.drivers.planning._timing import frame_seconds, pace_of, scan_seconds
from darkscan.drivers.planning.passes import passes
from darkscan.drivers.planning.plan import PlannedFrame, ScanPlan
from darkscan.drivers.planning.view import View
from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import check, updated
from darkscan.pipeline.core.units import FiniteMm, FrameId, Nanoseconds
from darkscan.pipeline.transport.messages import Place


def plan_scan(
    rig: Rig, geometry: Geometry, inspection: Inspection, *, side: str, recipe_name: str
) -> ScanPlan:
    """The scan of one side of the rig's element.

    Raises InputError with the figures for what cannot be scanned so.
    """
    view = View.of(rig, geometry)
    lattice = lattice_of(rig, view, inspection)
    stage = stage_places(rig, geometry, view, lattice)
    element = geometry.stage_to_element.element_at(stage)
    z, defocus_um = heights(rig, view.pixel_to_stage.matrix, element)
    places = _Places(element, stage, z)
    rows = lattice.steps_px[0] if rig.scan.mode == "line" else 0
    frames = tuple(
        places.frame(FrameId(number), strip, at, row=at[1] * rows)
        for number, (strip, at) in enumerate(scan_order(view, lattice))
    )
    frame_mm = lattice.steps_px[0] * view.pixel_mm
    pace = pace_of(rig, frame_mm=frame_mm, pixel_mm=view.pixel_mm)
    info = _info(rig, geometry, view, len(frames), side=side, recipe_name=recipe_name)
    count, strips = lattice.counts
    plan = ScanPlan(
        mode=rig.scan.mode,
        axis=rig.scan.axis,
        info=info,
        frames=frames,
        line_step_mm=view.line_step_mm,
        encoder_divider=view.divider,
        frame_step_mm=frame_mm,
        pixel_mm=view.pixel_mm,
        rows=rig.frame_shape[0],
        velocity_mm_s=pace.velocity_mm_s,
        velocity_set_by=pace.set_by,
        run_up_mm=pace.run_up_mm,
        overlap_px=lattice.overlaps_px,
        focused=rig.focus is not None,
        defocus_um=defocus_um,
        seconds=0.0,
        strips=strips,
        strip_bytes=count * info.frame_bytes,
        strip_seconds=0.0,
    )
    # Times follow from the movements, and those from all else.
    every = passes(plan, rig, {frame.meta.frame for frame in frames})
    return updated(
        plan,
        seconds=scan_seconds(plan, every, rig),
        strip_seconds=count * frame_seconds(plan, rig),
    )


@dataclass(frozen=True)
class _Places:
    """Where the frames lie, (strips, frames of a strip, ...) as in the lattice, mm."""

    element: Float64Array
    """(..., 2)"""

    stage: Float64Array
    """(..., 2)"""

    z: Float64Array

    def frame(self, number: FrameId, strip: int, at: tuple[int, int], *, row: int) -> PlannedFrame:
        """The frame at a place of the lattice."""
        meta = FrameMeta(
            frame=number,
            strip=strip,
            position_mm=_place(self.element[at], self.z[at]),
            exposure_ns=Nanoseconds(0),
        )
        stage = _place(self.stage[at], self.z[at])
        return PlannedFrame(meta=meta, stage_mm=stage, strip_row=row)


def _place(xy_mm: Float64Array, z_mm: float) -> Place:
    x, y = xy_mm.tolist()
    return FiniteMm(x), FiniteMm(y), FiniteMm(float(z_mm))


def _info(
    rig: Rig, geometry: Geometry, view: View, frames: int, *, side: str, recipe_name: str
) -> ScanInfo:
    """The scan's description. Raises InputError for values that no map can hold."""
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
