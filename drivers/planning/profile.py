"""How long moves take, and with them a scan."""

import math
from collections.abc import Sequence
from itertools import pairwise

from darkscan.drivers.planning.plan import AXES, Pass, ScanPlan
from darkscan.drivers.rig import MotionSettings, Rig


def move_seconds(distance_mm: float, velocity_mm_s: float, acceleration_mm_s2: float) -> float:
    """A move from rest to rest with a trapezoidal velocity, a triangle where it is short."""
    distance = abs(distance_mm)
    if distance < velocity_mm_s**2 / acceleration_mm_s2:
        return 2 * math.sqrt(distance / acceleration_mm_s2)
    return distance / velocity_mm_s + velocity_mm_s / acceleration_mm_s2


def frame_seconds(plan: ScanPlan, rig: Rig) -> float:
    """From frame to frame of a strip."""
    if plan.mode != "step":
        return plan.frame_step_mm / plan.velocity_mm_s
    return _travel_seconds((plan.frame_step_mm,), (0.0,), rig.motion) + _stare_seconds(rig)


def scan_seconds(plan: ScanPlan, passes: Sequence[Pass], rig: Rig) -> float:
    """All passes, from the first place on, if the scan never waits."""
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


def _stare_seconds(rig: Rig) -> float:
    """At rest: settling, the exposure, and the camera's time to hand over a frame."""
    return rig.motion.settle_s + rig.camera.exposure_us / 1e6 + 1 / rig.camera.rate_hz


def _end(part: Pass, axis: int) -> list[float]:
    end: list[float] = list(part.start_mm)
    end[axis] = part.end_mm
    return end


def _travel_seconds(
    start_mm: Sequence[float], end_mm: Sequence[float], motion: MotionSettings
) -> float:
    """A move of all axes at once, each in its own time: the slowest counts."""
    return max(
        move_seconds(end - start, motion.velocity_mm_s, motion.acceleration_mm_s2)
        for start, end in zip(start_mm, end_mm, strict=True)
    )
