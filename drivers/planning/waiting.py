"""How far classification falls behind a scan, and how long the scan waits for it."""

import math
from dataclasses import dataclass

from darkscan.drivers.planning.plan import ScanPlan
from darkscan.drivers.rig import Rig

_SHARE = 0.5
"""Of the measured rate that is counted on while a strip comes in: other processes are busy too."""


@dataclass(frozen=True)
class Backlog:
    """What a scan at a rate of classification comes to."""

    waits_s: float
    """How long the scan stands still until there is room for frames."""

    behind_s: float
    """From the last frame to the map."""


def slots_for(plan: ScanPlan, rig: Rig, least: int, frames_per_s: float) -> int:
    """Frames that the ring must hold.

    Step and stare waits before each frame, so ``least`` will do. A strip in motion cannot
    wait: the ring must hold what is not taken out of it while the strip comes in.
    """
    if plan.mode == "step":
        return least
    taken = math.floor(_SHARE * frames_per_s * plan.strip_seconds / _hurry(rig))
    return max(least, frames_of_a_strip(plan) - taken)


def backlog(plan: ScanPlan, rig: Rig, slots: int, frames_per_s: float) -> Backlog:
    """Follows a scan frame by frame, or strip by strip where it cannot wait within one."""
    frames = 1 if plan.mode == "step" else frames_of_a_strip(plan)
    turns = len(plan.frames) // frames
    room = slots - min(frames, slots)
    done = frames_per_s * plan.seconds / _hurry(rig) / turns
    behind, waits_s = 0.0, 0.0
    for _ in range(turns):
        waits_s += max(0.0, behind - room) / frames_per_s
        behind = max(0.0, min(behind, room) + frames - done)
    # The last frame comes at the end, so it at least is left.
    return Backlog(waits_s, max(1.0, behind) / frames_per_s)


def frames_of_a_strip(plan: ScanPlan) -> int:
    """Of the largest one."""
    return plan.strip_bytes // plan.info.frame_bytes


def _hurry(rig: Rig) -> float:
    """How much faster than stated the axes move."""
    return 1.0 if rig.simulation is None else rig.simulation.time_scale
