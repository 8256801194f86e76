"""Delivers what waits in the outbox, and says what has to wait on."""

import shlex
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import structlog

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link.messages import MapFinished, ScanEnded
from darkscan.pipeline.host_link.outbox import Outbox, OutboxCounts
from darkscan.pipeline.host_link.sender import Sender
from darkscan.pipeline.host_link.target import HostTarget
from darkscan.pipeline.running.living_scans import LivingScan
from darkscan.stages.uplink.words import link_words, rig_name, utc

_log = structlog.get_logger(__name__)
_LOOK_EVERY_S = 0.25
_REFUSED_S = 5.0
_COMPRESSION = 6
_MB = 1e6

Show = Callable[[OutboxCounts, str], None]
"""Is told what still waits, and how the link is."""


class Patience(NamedTuple):
    """How long to wait for a delivery."""

    in_all_s: float
    unanswered_s: float
    """While the host is not connected."""


class Delivered(NamedTuple):
    """How a delivery ended."""

    everything: bool
    line: str
    """What the host has, or what waits and why, and how to send it later."""


def deliver(
    outbox: Outbox, target: HostTarget, patience: Patience, show: Show, *, scan: str | None = None
) -> Delivered:
    """Sends what waits, of one scan or of all, for as long as there is hope.

    Raises StorageError if the outbox cannot be read, InputError for a key that cannot be used.
    """
    counts = outbox.counts(scan)
    if not counts.parcels + counts.tiles:  # the host need not be troubled
        return standing(counts, target, "")
    with Sender(outbox, target, rig_name()) as sender:
        begun = heard = not_refused = time.monotonic()
        while True:
            sender.work()
            counts, now = outbox.counts(scan), time.monotonic()
            if sender.state == "connected":
                heard = now
            if sender.state not in {"refused", "rejected"}:
                not_refused = now
            show(counts, link_words(sender, counts.parcels))
            if not counts.parcels + counts.tiles:
                return standing(counts, target, "")
            refused = now - not_refused > _REFUSED_S
            late = now - begun > patience.in_all_s or now - heard > patience.unanswered_s
            if refused or late:
                why = sender.problem or "the host does not answer"
                slow = f"not all was taken within {patience.in_all_s:.0f} s"
                return standing(counts, target, slow if sender.state == "connected" else why)
            sender.wait(_LOOK_EVERY_S)


def standing(counts: OutboxCounts, target: HostTarget, why: str) -> Delivered:
    """What is to be said of an outbox; ``why``: what keeps that which waits."""
    lost = []
    if counts.refused:
        lost.append(f"{counts.refused} parcels were refused, see the log")
    if counts.tiles_dropped:
        lost.append(f"{counts.tiles_dropped} tiles of the picture were dropped")
    waiting = counts.parcels + counts.tiles
    if not waiting:
        words = "; ".join(lost) or "everything delivered"
        return Delivered(not counts.refused, f"host: {words}")
    what = f"{counts.parcels} parcels and {counts.tiles} tiles ({counts.bytes / _MB:.1f} MB) wait"
    insecure = " --insecure" if target.insecure else ""
    later = f"send them later: darkscan send --host {shlex.quote(target.address)}{insecure}"
    reasons = "; ".join(filter(None, (why, *lost)))
    return Delivered(everything=False, line=f"host: {what}: {reasons}; {later}")


def tell_of_the_dead(outbox: Outbox) -> None:
    """Puts the end of scans whose processes were killed; of living ones nothing.

    Raises StorageError.
    """
    for begun in outbox.begun_not_ended():
        lock = LivingScan.of_the_dead(outbox.path, begun.scan)
        if lock is None:
            continue
        with lock:
            # Another process may have said it while this one looked.
            if begun.scan not in {each.scan for each in outbox.begun_not_ended()}:
                continue
            _log.warning("a scan had died", scan=begun.scan)
            outbox.put(
                begun.scan,
                ScanEnded(
                    outcome="died",
                    reason="its processes were gone before it ended",
                    ended=utc(datetime.fromtimestamp(begun.put_at, UTC)),
                    seconds=0.0,
                    frames_not_pictured=0,
                ),
            )


def put_map(outbox: Outbox, scan: str, map_file: Path, run_file: Path, trace_file: Path) -> None:
    """Puts a finished map, byte for byte; what was left of run and trace goes with it.

    Raises InputError if the map cannot be read, StorageError, and WireError if it is too large.
    """
    content = read_file(map_file)
    finished = MapFinished(
        map_zlib=zlib.compress(content, _COMPRESSION),
        sha256=sha256(content).hexdigest(),
        run_zlib=_compressed(run_file),
        trace_zlib=_compressed(trace_file),
    )
    try:
        outbox.put(scan, finished)
    except WireError:
        _log.warning("the trace is too large for the host", file=str(trace_file))
        outbox.put(scan, finished.model_copy(update={"trace_zlib": b""}))


def _compressed(file: Path) -> bytes:
    """A file's content, compressed; empty if there is none."""
    try:
        return zlib.compress(read_file(file), _COMPRESSION)
    except InputError:
        return b""
