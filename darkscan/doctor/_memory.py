"""Shared memory: room for the ring of frames, and what killed runs left there."""

import os
from collections.abc import Iterator
from pathlib import Path

from darkscan.doctor._findings import Finding, Subject, note, ok, problem
from darkscan.pipeline.core.shared_memory import SHARED_MEMORY
from darkscan.pipeline.running.specification import abandoned
from darkscan.pipeline.transport.ring import ring_bytes

_MIB = 2**20
_USUAL_FRAME = (2048, 2048)


def check_shared_memory(subject: Subject) -> Iterator[Finding]:
    """Whether the ring of the recipe and the rig's frames fits."""
    yield ring_room(subject, SHARED_MEMORY)


def check_leftovers(_: Subject) -> Iterator[Finding]:
    """What killed runs of this user left in shared memory."""
    left = [(folder.name, _size(folder)) for folder in abandoned()]
    if left:
        names, total = ", ".join(name for name, _ in left), sum(size for _, size in left)
        text = f"killed runs left {total / _MIB:.0f} MiB: {names}"
        yield note("leftovers", text, "nothing: the next run removes them")
    else:
        yield ok("leftovers", f"no killed run left anything in {SHARED_MEMORY}")


def ring_room(subject: Subject, folder: Path) -> Finding:
    """Whether ``folder``, which lies in memory, can take the ring of frames."""
    recipe, rig = subject.recipe, subject.rig
    shape = _USUAL_FRAME if rig is None else rig.frame_shape
    itemsize = 1 if rig is None or rig.camera.pixel_type == "uint8" else 2
    slots = recipe.processes.ring_slots
    needed = ring_bytes(slots, shape, itemsize, recipe.inspection.context_px)
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    height, width = shape
    text = (
        f"{free / _MIB:.0f} MiB are free, a ring of {slots} frames of {width}x{height} px "
        f"takes {needed / _MIB:.0f} MiB"
    )
    if free >= needed:
        return ok(str(folder), text)
    size = -(-needed * 2 // 2**30)
    advice = (
        f"enlarge it: mount -o remount,size={size}G {folder} (Docker: --shm-size={size}g); "
        "or lower processes.ring_slots in the recipe"
    )
    return problem(str(folder), text, advice)


def _size(folder: Path) -> int:
    """Bytes of the memory that a folder's files take."""
    return sum(entry.stat().st_blocks * 512 for entry in folder.rglob("*") if entry.is_file())
