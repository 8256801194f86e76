"""What a scan needs of instrument and machine, found out before anything moves."""

from pathlib import Path

from darkscan.drivers.planning import instrument, machine
from darkscan.drivers.planning.finding import Finding
from darkscan.drivers.planning.plan import ScanPlan
from darkscan.drivers.planning.profile import frame_seconds
from darkscan.drivers.planning.waiting import Backlog, backlog, slots_for
from darkscan.drivers.rig import Rig
from darkscan.pipeline.configuration import Settings
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.recipe import Recipe

_WORTH_SAYING_S = 1.0
"""A scan that waits less does not wait."""


class Preflight(Settings):
    """All that was looked at."""

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


def preflight(
    plan: ScanPlan,
    rig: Rig,
    recipe: Recipe,
    *,
    record: Path | None,
    windows_per_s: float | None,
    inspects: bool = True,
) -> Preflight:
    """As ``survey``. Raises InputError with the figures if the scan is impossible."""
    found = survey(plan, rig, recipe, record=record, windows_per_s=windows_per_s, inspects=inspects)
    found.require()
    return found


def survey(
    plan: ScanPlan,
    rig: Rig,
    recipe: Recipe,
    *,
    record: Path | None,
    windows_per_s: float | None,
    inspects: bool = True,
    asks: bool = False,
) -> Preflight:
    """Looks at everything a scan needs.

    ``record``: the recording, or None; ``windows_per_s``: what classification is capable of,
    None where that was not measured; ``inspects``: whether frames are classified at all;
    ``asks``: whether the axes' records are looked at, too. A scan looks at them itself.
    """
    inspection = recipe.inspection
    windows = len(window_origins(plan.info.frame_shape, inspection.window, inspection.stride))
    rate = windows_per_s / windows if inspects and windows_per_s else 0.0
    slots = slots_for(plan, rig, recipe.processes.ring_slots, rate)
    behind = backlog(plan, rig, slots, rate) if rate else Backlog(0.0, 0.0)
    findings = [
        instrument.travel(plan, rig),
        instrument.records(rig) if asks else None,
        instrument.focus(plan, rig),
        instrument.blur(plan, rig),
        instrument.camera_rate(plan, rig),
        instrument.link(plan, rig),
        machine.ring_memory(plan, slots, recipe.inspection.context_px if inspects else 0),
        machine.recording_disk(plan, record) if record is not None else None,
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
