"""Checks of this computer before a scan: memory for the ring, disk, and speed to keep up."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from darkscan.drivers.planning._instrument import Finding, judged
from darkscan.drivers.planning.plan import ScanPlan
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.shared_memory import SHARED_MEMORY
from darkscan.pipeline.transport.ring import ring_bytes

_MIB = 2**20
_ROW_BYTES = 1024
"""A generous allowance for each frame's row in a recording, beside its pixels."""

_SHARE = 0.5
"""The share of the measured rate to count on during a strip: other processes are busy too."""


@dataclass(frozen=True)
class Backlog:
    """How far classification falls behind a scan, and how long the scan waits for it."""

    waits_s: float
    """How long the scan stands still until there is room for frames."""

    behind_s: float
    """From the last frame to the map."""


def ring_memory(plan: ScanPlan, slots: int, margin: int = 0) -> Finding:
    """Room for the ring of frames, with ``margin`` px around each, in shared memory and memory."""
    needed = ring_bytes(slots, plan.info.frame_shape, plan.info.dtype.itemsize, margin)
    shared, memory = free_bytes(SHARED_MEMORY), available_memory()
    figures = (
        f"a ring of {slots} frames takes {needed / _MIB:.0f} MiB; {SHARED_MEMORY} has "
        f"{shared / _MIB:.0f} MiB free"
    )
    if memory is not None:
        figures += f", the machine {memory / _MIB:.0f} MiB"
    possible = needed <= min(shared, shared if memory is None else memory)
    # How much of a strip in motion must be held is not the recipe's to say.
    field = "processes.ring_slots" if plan.mode == "step" else ""
    return judged("memory", figures, possible=possible, field=field)


def recording_disk(plan: ScanPlan, record: Path) -> Finding:
    """Room for the recording. Raises StorageError if its folder is not there."""
    needed = len(plan.frames) * (plan.info.frame_bytes + _ROW_BYTES) + _MIB
    try:
        free = free_bytes(record.absolute().parent)
    except OSError as error:
        raise StorageError(record, error) from error
    figures = f"the recording takes {needed / 1e9:.2f} GB; its disk has {free / 1e9:.2f} GB free"
    return judged("disk", figures, possible=needed <= free, field="--record")


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
    """The backlog of a scan, followed frame by frame, or by strips where it cannot wait within."""
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
    """The number of frames of the largest strip."""
    return plan.strip_bytes // plan.info.frame_bytes


def free_bytes(folder: Path) -> int:
    """The bytes that may still be written to a folder. Raises OSError if it is not there."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def available_memory() -> int | None:
    """Memory that can be had without swapping, bytes; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def _hurry(rig: Rig) -> float:
    """How much faster than stated the axes move."""
    return 1.0 if rig.simulation is None else rig.simulation.time_scale
