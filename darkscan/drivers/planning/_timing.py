"""The pace of a scan: the velocity along a strip, and the times of moves, frames and passes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from darkscan.drivers.planning.plan import AXES, Pass, ScanPlan
from darkscan.drivers.rig import MotionSettings, Rig
from darkscan.pipeline.core.errors import InputError

_LINE_STEP_TOLERANCE = 0.02
"""By which a line may be higher or lower than the pitch says; frames then are no squares."""


@dataclass(frozen=True)
class Pace:
    """The velocity along a strip."""

    velocity_mm_s: float
    set_by: str
    """The field of the rig file that keeps it from being higher."""

    run_up_mm: float
    """The way that the axis takes to reach it and to settle."""


def pace_of(rig: Rig, *, frame_mm: float, pixel_mm: float) -> Pace:
    """The highest velocity that the axes, the camera and the blur allow.

    ``frame_mm``: the axis's way from frame to frame; ``pixel_mm``: that of one pixel.
    """
    motion, exposure_s = rig.motion, rig.camera.exposure_us / 1e6
    limits = {"motion.velocity_mm_s": float(motion.velocity_mm_s)}
    if rig.scan.mode == "step":
        return Pace(limits["motion.velocity_mm_s"], "motion.velocity_mm_s", run_up_mm=0.0)
    trigger_mm = pixel_mm if rig.scan.mode == "line" else frame_mm
    limits["camera.rate_hz"] = rig.camera.rate_hz * trigger_mm
    limits["camera.exposure_us"] = trigger_mm / exposure_s
    limits["scan.blur_px"] = rig.scan.blur_px * pixel_mm / exposure_s
    # Rounded: of equal limits the first is named.
    field = min(limits, key=lambda name: round(limits[name], 9))
    velocity = limits[field]
    run_up = velocity**2 / (2 * motion.acceleration_mm_s2) + motion.settle_s * velocity
    return Pace(velocity, field, run_up)


def encoder_divider(line_mm: float, rig: Rig) -> int:
    """How many encoder counts make a line of ``line_mm``.

    Raises InputError if none do, within 2 %.
    """
    step_um = rig.motion.encoder_step_um
    if step_um is None:
        raise InputError("is needed for a line scan", field="motion.encoder_step_um")
    counts = line_mm * 1000 / step_um
    divider = max(1, round(counts))
    if abs(divider / counts - 1) > _LINE_STEP_TOLERANCE:
        raise InputError(
            f"a line of {line_mm * 1000:.4g} um is {counts:.3g} counts of {step_um:g} um: "
            f"{divider} would make it {100 * abs(divider / counts - 1):.1f} % "
            f"{'higher' if divider > counts else 'lower'}, "
            f"more than {100 * _LINE_STEP_TOLERANCE:.0f} %",
            field="motion.encoder_step_um",
        )
    return divider


def frame_seconds(plan: ScanPlan, rig: Rig) -> float:
    """The time from frame to frame of a strip."""
    if plan.mode != "step":
        return plan.frame_step_mm / plan.velocity_mm_s
    return _travel_seconds((plan.frame_step_mm,), (0.0,), rig.motion) + _stare_seconds(rig)


def scan_seconds(plan: ScanPlan, passes: Sequence[Pass], rig: Rig) -> float:
    """The time of all passes, from the first place on, if the scan never waits."""
    motion = rig.motion
    if plan.mode == "step":
        places = [plan.frames[frame].stage_mm for part in passes for frame in part.frames]
        moves = sum(_travel_seconds(*pair, motion) for pair in pairwise(places))
        return moves + len(places) * _stare_seconds(rig)
    axis = AXES[plan.axis]
    sweeps = sum(
        move_seconds(
            part.end_mm - part.start_mm[axis], plan.velocity_mm_s, motion.acceleration_mm_s2
        )
        for part in passes
    )
    turns = sum(
        _travel_seconds(_end(before, axis), after.start_mm, motion)
        for before, after in pairwise(passes)
    )
    return sweeps + turns


def move_seconds(distance_mm: float, velocity_mm_s: float, acceleration_mm_s2: float) -> float:
    """The time from rest to rest with a trapezoidal velocity, a triangle where it is short."""
    distance = abs(distance_mm)
    if distance < velocity_mm_s**2 / acceleration_mm_s2:
        return 2 * math.sqrt(distance / acceleration_mm_s2)
    return distance / velocity_mm_s + velocity_mm_s / acceleration_mm_s2


def _stare_seconds(rig: Rig) -> float:
    """The time at rest: settling, exposure, and the camera's time to hand over a frame."""
    return rig.motion.settle_s + rig.camera.exposure_us / 1e6 + 1 / rig.camera.rate_hz


def _travel_seconds(
    start_mm: Sequence[float], end_mm: Sequence[float], motion: MotionSettings
) -> float:
    """The time of a move of all axes at once, each in its own time: the slowest counts."""
    return max(
        move_seconds(end - start, motion.velocity_mm_s, motion.acceleration_mm_s2)
        for start, end in zip(start_mm, end_mm, strict=True)
    )


def _end(part: Pass, axis: int) -> list[float]:
    """The place of the axes at the end of a pass."""
    end: list[float] = list(part.start_mm)
    end[axis] = part.end_mm
    return end
