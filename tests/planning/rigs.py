"""Rigs to plan scans for."""

from typing import Any, Literal

from darkscan.drivers.planning import ScanPlan, plan_scan
from darkscan.drivers.rig import Geometry, Rig, drawn_geometry
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Axis

Mode = Literal["step", "fly", "line"]

POSITIONS: dict[Mode, str] = {"step": "readback", "fly": "latch", "line": "encoder"}
COMPARE = {"axis": "C:A", "first": "C:F", "step": "C:S", "count": "C:N", "arm": "C:E"}


def rig_of(mode: Mode = "step", **tables: dict[str, Any]) -> Rig:
    """A rig; ``tables`` change or add keys of the rig file's tables."""
    line = mode == "line"
    content: dict[str, dict[str, Any]] = {
        "element": {"name": "plate", "size_mm": [60.0, 40.0]},
        "camera": {
            "producer": "some.cti",
            "kind": "line" if line else "area",
            "width": 1024,
            "height": 128 if line else 1024,
            "exposure_us": 25.0,
            "rate_hz": 20_000.0 if line else 20.0,
        },
        "geometry": {"pitch_um": 10.0, "transposed": line},
        "motion": {
            "x": {"record": "X"},
            "y": {"record": "Y"},
            "z": {"record": "Z"},
            "velocity_mm_s": 200.0,
            "acceleration_mm_s2": 1000.0,
            "settle_s": 0.025,
            "positions": POSITIONS[mode],
            "encoder_step_um": 1.0,
            "compare": COMPARE | {"latches": "C:L"},
        },
        "scan": {"mode": mode, "frame_height_px": 1024},
    }
    for name, table in tables.items():
        content[name] = content.get(name, {}) | table
    return Rig.model_validate({"name": "test rig", **content})


def plan_of(
    rig: Rig, geometry: Geometry | None = None, inspection: Inspection | None = None
) -> ScanPlan:
    return plan_scan(
        rig,
        geometry or drawn_geometry(rig),
        inspection or Inspection(),
        side="front",
        recipe_name="test",
    )


def every_frame(plan: ScanPlan) -> set[FrameId]:
    return {frame.meta.frame for frame in plan.frames}


def along(plan: ScanPlan, frame: FrameId) -> float:
    """Where the strip axis stands for a frame, mm."""
    return plan.frames[frame].stage_mm[axis_index(plan.axis)]


def axis_index(axis: Axis) -> int:
    return 0 if axis == "x" else 1
