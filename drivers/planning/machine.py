"""What this computer has for a scan: memory for the ring, disk for the recording."""

import os
from pathlib import Path

from darkscan.drivers.planning.finding import Finding, judged
from darkscan.drivers.planning.plan import ScanPlan
from darkscan.pipeline.errors import StorageError
from darkscan.pipeline.ring import ring_bytes
from darkscan.pipeline.run import SHARED_MEMORY

_MIB = 2**20
_ROW_BYTES = 1024
"""Of a recording beside a frame's pixels, generously."""


def ring_memory(plan: ScanPlan, slots: int, margin: int = 0) -> Finding:
    """The ring of frames, with ``margin`` px around each, in shared memory, which is memory."""
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


def free_bytes(folder: Path) -> int:
    """What may still be written there. Raises OSError if there is no such folder."""
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
