"""``darkscan plan``: shows what a scan would be, before anything moves."""

import argparse
import json
from pathlib import Path
from typing import Any

from darkscan.cli.options import model_of, recipe_of
from darkscan.cli.progress import say
from darkscan.drivers.calibration import load_geometry
from darkscan.drivers.planning import ScanPlan, passes, plan_scan
from darkscan.drivers.planning.plan import naming
from darkscan.drivers.planning.preflight import FrameUse, Preflight, survey
from darkscan.drivers.rig import Rig, load_rig
from darkscan.inference.rate import windows_per_s
from darkscan.pipeline.core.errors import ExitCode
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Recipe

_MODES = {
    "step": "step and stare",
    "fly": "frames on the fly",
    "line": "line scan",
}
_GB = 1e9
_LONG_S = 100
_WORTH_SAYING_S = 1.0


_EPILOG = """\
examples:
  darkscan plan --rig configs/rig-area-simulated.toml
  darkscan plan --rig rig.toml --record scan.h5 --side back
  darkscan plan --rig rig.toml --json | jq '.passes[0]'

Nothing moves and nothing is written. Axes that answer are asked whether they would carry out
orders; soft limits are those that the rig file states (motion.x.limits_mm and so on):
`darkscan run` holds the plan against the records' own. The camera is not asked.
How fast windows are classified is measured on this machine, for half a second.
exit codes: 0 the scan is possible, though it may have to wait; 2 it is not, or bad input.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan plan`` and its options."""
    parser = commands.add_parser(
        "plan",
        help="show what a scan would be: strips, frames, velocity, time, and what it needs",
        description="Plans the scan of a rig's element and checks what it needs of the "
        "instrument and of this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rig", type=Path, required=True, help="a rig file")
    parser.add_argument("--recipe", type=Path, help="a recipe file (default: the embedded one)")
    parser.add_argument("--side", default="front", help="the side to inspect (default: front)")
    parser.add_argument("--record", type=Path, help="check the disk for this recording, too")
    parser.add_argument(
        "--force", action="store_true", help="use calibrations that expired or are another rig's"
    )
    parser.add_argument("--json", action="store_true", help="for programs, every frame included")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the plan. Raises InputError for a scan that is impossible, after showing it."""
    rig = load_rig(arguments.rig)
    recipe = recipe_of(arguments.recipe)
    geometry = load_geometry(rig, force=arguments.force)
    with naming(arguments.rig):
        plan = plan_scan(
            rig, geometry, recipe.inspection, side=arguments.side, recipe_name=recipe.name
        )
        with model_of(recipe) as model:
            rate = windows_per_s(model, recipe, plan.info)
        use = FrameUse(arguments.record, rate)
        found = survey(plan, rig, recipe, use, asks_records=True)
        if arguments.json:
            say(json.dumps(as_data(plan, rig, recipe, found), indent=2))
        else:
            say(as_text(plan, rig, recipe, found))
        found.require()
    return ExitCode.OK


def as_data(plan: ScanPlan, rig: Rig, recipe: Recipe, found: Preflight) -> dict[str, Any]:
    """The plan, its passes and the findings as plain data; lengths in mm, times in s."""
    every = {frame.meta.frame for frame in plan.frames}
    inspection = recipe.inspection
    return {
        "plan": plan.model_dump(mode="json", exclude={"frames"}),
        "totals": {
            "frames": len(plan.frames),
            "bytes": len(plan.frames) * plan.info.frame_bytes,
            "windows": len(plan.frames)
            * len(window_origins(plan.info.frame_shape, inspection.window, inspection.stride)),
        },
        "preflight": found.model_dump(mode="json"),
        "passes": [part.model_dump(mode="json") for part in passes(plan, rig, every)],
        "frames": [
            {
                "frame": frame.meta.frame,
                "strip": frame.meta.strip,
                "position_mm": frame.meta.position_mm,
                "stage_mm": frame.stage_mm,
            }
            for frame in plan.frames
        ],
    }


def as_text(plan: ScanPlan, rig: Rig, recipe: Recipe, found: Preflight) -> str:
    """The plan as lines, then what was found as a table."""
    lines = [
        f"{name:<14}{value}" for name, value in _lines(plan, rig, recipe, found).items() if value
    ]
    verdicts = [
        f"  {finding.verdict:<9}{finding.name:<16}{finding.figures}" for finding in found.findings
    ]
    return "\n".join([*lines, "", "preflight", *verdicts])


def _lines(plan: ScanPlan, rig: Rig, recipe: Recipe, found: Preflight) -> dict[str, str]:
    info, frames = plan.info, len(plan.frames)
    x, y, width, height = info.region_mm
    rows, columns = info.frame_shape
    inspection = recipe.inspection
    windows = len(window_origins(info.frame_shape, inspection.window, inspection.stride))
    within, between = plan.overlap_px
    run_up, velocity = plan.run_up_mm, plan.velocity_mm_s
    moving = plan.mode != "step"
    return {
        "rig": rig.name,
        "element": f"{info.element}, {info.side}, {{:g}} x {{:g}} mm".format(*info.element_size_mm),
        "region": f"{width:g} x {height:g} mm at ({x:g}, {y:g}) mm, "
        f"margin {rig.scan.margin_mm:g} mm",
        "calibration": info.calibration or "none: the geometry as drawn",
        "scan": f"{_MODES[plan.mode]} along {plan.axis}",
        "strips": f"{plan.strips} of {frames // plan.strips} frames",
        "frames": f"{frames} of {columns}x{rows} px, "
        f"{info.bit_depth} bits, {info.pitch_um:g} um a pixel",
        "overlap": f"{within} px within strips, {between} px between strips",
        "lines": f"every {1000 * abs(plan.line_step_mm):.4g} um: "
        f"{plan.encoder_divider} counts of the encoder, in blocks of {rig.camera.height}"
        if plan.mode == "line"
        else "",
        "velocity": f"{velocity:.4g} mm/s, set by {plan.velocity_set_by}",
        "over-scan": f"{run_up:.4g} mm at each end of a strip" if moving else "",
        "focus": _focus(plan),
        "data": f"{_bytes(frames * info.frame_bytes)}, {_bytes(plan.strip_bytes)} a strip",
        "windows": f"{frames * windows}, {windows} a frame",
        "ring": f"{found.ring_slots} frames",
        "time": f"{_duration(plan.seconds)} without waiting",
        "waiting": f"{_duration(found.waits_s)} for classification"
        if found.waits_s >= _WORTH_SAYING_S
        else "",
    }


def _focus(plan: ScanPlan) -> str:
    if not plan.focused:
        return "the z axis is not moved"
    heights = [frame.stage_mm[2] for frame in plan.frames]
    return f"z from {min(heights):.3f} to {max(heights):.3f} mm"


def _bytes(count: int) -> str:
    return f"{count / _GB:.2f} GB" if count >= _GB else f"{count / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < _LONG_S:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
