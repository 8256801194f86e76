"""Checks instrument and machine for all that a scan needs, before anything moves."""

from pathlib import Path
from typing import NamedTuple

from darkscan.drivers.planning import _instrument, _machine
from darkscan.drivers.planning._instrument import Finding
from darkscan.drivers.planning._machine import Backlog, backlog, slots_for
from darkscan.drivers.planning._timing import frame_seconds
from darkscan.drivers.planning.plan import ScanPlan
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.settings import Settings

_WORTH_SAYING_S = 1.0
"""A scan that waits less does not wait."""


class FrameUse(NamedTuple):
    """The use that a scan makes of its frames."""

    record: Path | None
    """The recording that they are written to; None: they are not recorded."""

    windows_per_s: float | None
    """How many windows classification manages; None where that was not measured."""

    inspects: bool = True
    """Whether they are classified at all."""


class Preflight(Settings):
    """The findings of everything that was looked at."""

    findings: tuple[Finding, ...]

    ring_slots: int
    """Frames that the ring must hold."""

    waits_s: float
    """How long the scan will stand still until frames are classified."""

    behind_s: float
    """From the last frame to the map."""

    def require(self) -> None:
        """Raises InputError with the figures of the first finding that forbids the scan."""
        for finding in self.findings:
            if finding.verdict == "refused":
                raise InputError(f"{finding.name}: {finding.figures}", field=finding.field or None)


def preflight(plan: ScanPlan, rig: Rig, recipe: Recipe, use: FrameUse) -> Preflight:
    """As ``survey``, without the axes' records: a scan looks at them itself.

    Raises InputError with the figures if the scan is impossible.
    """
    found = survey(plan, rig, recipe, use)
    found.require()
    return found


def survey(
    plan: ScanPlan, rig: Rig, recipe: Recipe, use: FrameUse, *, asks_records: bool = False
) -> Preflight:
    """Looks at everything a scan needs; ``asks_records``: at the axes' records, too."""
    inspection = recipe.inspection
    windows = len(window_origins(plan.info.frame_shape, inspection.window, inspection.stride))
    rate = use.windows_per_s / windows if use.inspects and use.windows_per_s else 0.0
    slots = slots_for(plan, rig, recipe.processes.ring_slots, rate)
    behind = backlog(plan, rig, slots, rate) if rate else Backlog(0.0, 0.0)
    findings = [
        _instrument.travel(plan, rig),
        _instrument.records(rig) if asks_records else None,
        _instrument.focus(plan, rig),
        _instrument.blur(plan, rig),
        _instrument.camera_rate(plan, rig),
        _instrument.link(plan, rig),
        _machine.ring_memory(plan, slots, inspection.context_px if use.inspects else 0),
        _machine.recording_disk(plan, use.record) if use.record is not None else None,
        _classification(plan, rig, windows, rate, behind) if rate else None,
    ]
    return Preflight(
        findings=tuple(finding for finding in findings if finding is not None),
        ring_slots=slots,
        waits_s=behind.waits_s,
        behind_s=behind.behind_s,
    )


def _classification(
    plan: ScanPlan, rig: Rig, windows: int, rate: float, behind: Backlog
) -> Finding:
    """Whether windows are classified as fast as they come."""
    comes = 1 / frame_seconds(plan, rig)
    figures = (
        f"{rate * windows:.0f} windows a second of {comes * windows:.0f} that come along a strip; "
        f"the map follows the last frame after {behind.behind_s:.0f} s"
    )
    if behind.waits_s < _WORTH_SAYING_S:
        return Finding(name="classification", verdict="ok", figures=figures)
    figures = f"the scan will wait {behind.waits_s:.0f} s for it: {figures}"
    return Finding(
        name="classification", verdict="waits", figures=figures, field="processes.workers"
    )
