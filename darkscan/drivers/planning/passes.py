"""The movements that take the frames of a plan, all of them or those still wanted."""

import math
from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

from darkscan.drivers.planning.plan import AXES, Pass, PlannedFrame, ScanPlan
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.units import FiniteMm, FrameId
from darkscan.pipeline.transport.messages import Axis, Compare, Place

_SPARE_LINES = 16
"""Lines taken beyond the last block, so that an axis that stops early does not cost it."""

_ROUNDING = 1e-6
"""Tolerance of lengths (mm) and of counts of lines."""


def passes(plan: ScanPlan, rig: Rig, todo: AbstractSet[FrameId]) -> list[Pass]:
    """One pass for each strip with wanted frames, forth and back by turns.

    Each starts from wherever the axes stand. On the fly and in line scan it runs from the
    strip's first wanted frame to its last, over-scan at both ends. Raises KeyError for frames
    that are not of the plan.
    """
    strips: dict[int, list[PlannedFrame]] = defaultdict(list)
    for frame in plan.frames:
        strips[frame.meta.strip].append(frame)
    if unknown := todo - {frame.meta.frame for frame in plan.frames}:
        raise KeyError(f"not of the plan: frames {sorted(unknown)}")
    found: list[Pass] = []
    for strip, frames in sorted(strips.items()):
        wanted = [index for index, frame in enumerate(frames) if frame.meta.frame in todo]
        if not wanted:
            continue
        part = frames[wanted[0] : wanted[-1] + 1]
        direction = _direction(frames, plan.axis, strip)
        if (len(found) + strip) % 2:  # strips are numbered forth and back, all of them taken
            part, direction = part[::-1], _opposite(direction)
        if plan.mode == "step":
            found.append(_stops(plan, part, direction, todo))
        else:
            found.append(_sweep(plan, rig, part, direction, todo))
    return found


def check_limits(
    parts: Sequence[Pass], low_mm: Place, high_mm: Place, *, file: Path | None = None
) -> None:
    """Raises InputError with the figures if a pass leads an axis beyond its soft limits.

    Equal limits are none, as in a motor record. ``file``: the rig file, named in the error.
    """
    names: tuple[Literal["x", "y", "z"], ...] = ("x", "y", "z")
    for index, (name, low, high) in enumerate(zip(names, low_mm, high_mm, strict=True)):
        ways = [part.reach_mm for part in parts if part.focused or name != "z"]
        if low >= high or not ways:
            continue
        least, most = min(way[0][index] for way in ways), max(way[1][index] for way in ways)
        if least < low - _ROUNDING or most > high + _ROUNDING:
            raise InputError(
                f"the scan takes the axis from {least:.3f} to {most:.3f} mm, over-scan included; "
                f"its soft limits are {low:.3f} to {high:.3f} mm",
                file=file,
                field=f"motion.{name}",
            )


def _stops(
    plan: ScanPlan,
    part: Sequence[PlannedFrame],
    direction: Literal[1, -1],
    todo: AbstractSet[FrameId],
) -> Pass:
    """Step and stare: from frame to frame."""
    wanted = [frame for frame in part if frame.meta.frame in todo]
    places = [frame.stage_mm for frame in wanted]
    return Pass(
        strip=wanted[0].meta.strip,
        frames=tuple(frame.meta.frame for frame in wanted),
        axis=plan.axis,
        direction=direction,
        start_mm=places[0],
        end_mm=places[-1][AXES[plan.axis]],
        reach_mm=_reach(places),
        focused=plan.focused,
    )


def _sweep(
    plan: ScanPlan,
    rig: Rig,
    part: Sequence[PlannedFrame],
    direction: Literal[1, -1],
    todo: AbstractSet[FrameId],
) -> Pass:
    """On the fly and line scan: one movement past all frames of ``part``."""
    axis = AXES[plan.axis]
    if plan.mode == "line":
        first, before, after = _line_overscan(plan, rig, part, direction)
        compare = None
    else:
        first, before = part[0].stage_mm[axis], plan.run_up_mm
        after = (len(part) - 1) * plan.frame_step_mm + plan.run_up_mm
        compare = Compare(
            first_mm=first, step_mm=FiniteMm(direction * plan.frame_step_mm), count=len(part)
        )
    start = _moved(part[0].stage_mm, axis, first - direction * before)
    end = _moved(start, axis, first + direction * after)
    numbers = tuple(frame.meta.frame for frame in part)
    return Pass(
        strip=part[0].meta.strip,
        frames=tuple(frame for frame in numbers if frame in todo),
        axis=plan.axis,
        direction=direction,
        start_mm=start,
        end_mm=end[axis],
        reach_mm=_reach([start, end]),
        focused=plan.focused,
        compare=compare,
        trigger_frames=numbers if compare is not None else (),
    )


def _line_overscan(
    plan: ScanPlan, rig: Rig, part: Sequence[PlannedFrame], direction: int
) -> tuple[float, float, float]:
    """Where the first wanted row is taken, and the ways before and after that place, mm.

    Lines are taken from the start on, and delivered in whole blocks only: the way after holds
    the rest of the block of the last wanted row. The way before is of whole lines, so that
    lines are taken where the plan has its rows.
    """
    line_mm = abs(plan.line_step_mm)
    rows_ascend = direction * plan.line_step_mm > 0
    top = min(part, key=lambda frame: frame.strip_row)
    rows = max(frame.strip_row for frame in part) + plan.rows - top.strip_row
    ahead = 0 if rows_ascend else rows - 1
    first = top.stage_mm[AXES[plan.axis]] + ahead * plan.line_step_mm
    run_up = math.ceil(plan.run_up_mm / line_mm - _ROUNDING)
    height = rig.camera.height
    blocks = -(-(run_up + rows) // height)
    lines = max(run_up + rows + run_up, blocks * height + _SPARE_LINES)
    return first, run_up * line_mm, (lines - run_up) * line_mm


def _direction(frames: Sequence[PlannedFrame], axis: Axis, strip: int) -> Literal[1, -1]:
    """Which way the axis moves through a strip's frames by number."""
    first, last = (frames[end].stage_mm[AXES[axis]] for end in (0, -1))
    if len(frames) == 1:  # either way will do
        return -1 if strip % 2 else 1
    return 1 if last > first else -1


def _opposite(direction: Literal[1, -1]) -> Literal[1, -1]:
    return -1 if direction == 1 else 1


def _moved(place: Place, axis: int, position_mm: float) -> Place:
    x, y, z = place
    moved = FiniteMm(position_mm)
    return (moved, y, z) if axis == 0 else (x, moved, z)


def _reach(places: Sequence[Place]) -> tuple[Place, Place]:
    x, y, z = zip(*places, strict=True)
    return (min(x), min(y), min(z)), (max(x), max(y), max(z))
