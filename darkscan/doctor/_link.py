"""The link between rig and host: keys, what waits to be sent, and whether the host answers."""

import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from darkscan.doctor._disks import check_disk
from darkscan.doctor._findings import Finding, Subject, counted, note, ok, problem
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.core.addresses import check_address
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.host_link.outbox import Outbox, outbox_file
from darkscan.pipeline.host_link.sender import Sender
from darkscan.pipeline.host_link.target import HostTarget, target_of

_PATIENCE_S = 12.0
_TICK_S = 0.2
_MB = 10**6


def check_keys(subject: Subject) -> Iterator[Finding]:
    """This computer's own key, and whom it allows."""
    ring = KeyRing()
    linked = subject.host is not None or subject.store is not None
    missing = problem if linked and not subject.insecure else note
    try:
        public = ring.own().public
    except InputError as error:
        advice = "" if "`" in error.problem or "chmod" in error.problem else "darkscan keys new"
        yield missing("keys", str(error), advice)
    else:
        mode = stat.S_IMODE(ring.own_file.stat().st_mode)
        yield ok("keys", f"{ring.own_file} (mode {mode:04o}): public key {public}")
    allowed = ring.allowed()  # what it raises is the finding
    names = ", ".join(sorted(allowed.values()))
    if allowed:
        yield ok("keys", f"{len(allowed)} allowed: {names}")
    elif linked and not subject.insecure:
        whom = "rig" if subject.host is None else "host"
        advice = f"darkscan keys allow KEY NAME; `darkscan keys list` on the {whom} shows its KEY"
        yield missing("keys", f"no {whom} is allowed, so none is listened to", advice)


def check_outbox(subject: Subject) -> Iterator[Finding]:
    """What still waits to be sent to hosts, and the disk that it lies on."""
    file = outbox_file()
    if not file.exists():
        yield ok("outbox", "nothing waits for any host")
    else:
        yield from _waiting(file, subject.host or "")
    if subject.host is not None:
        yield check_disk("outbox", file.parent)


def _waiting(file: Path, host: str) -> Iterator[Finding]:
    with Outbox(file, host) as outbox:
        others = outbox.other_destinations()
    quiet = True
    for address in [host, *others] if host else others:
        with Outbox(file, address) as outbox:
            counts = outbox.counts()
        if counts.parcels or counts.tiles:
            quiet = False
            text = (
                f"{counted(counts.parcels, 'parcel')} and {counted(counts.tiles, 'tile')} "
                f"({counts.bytes / _MB:.1f} MB) wait for {address}"
            )
            yield note("outbox", text, f"darkscan send --host {address}")
        if counts.refused:
            quiet = False
            text = f"{address} refused {counted(counts.refused, 'parcel')}, kept here and not sent"
            yield note("outbox", text, "bring both computers to the same version of darkscan")
    if quiet:
        yield ok("outbox", "nothing waits for any host")


def check_host(subject: Subject) -> Iterator[Finding]:
    """Whether the host answers, and lets this computer in; nothing is sent to it."""
    if subject.host is None:
        return
    check_address(subject.host, field="--host")
    if subject.insecure:
        target = HostTarget(address=subject.host, outbox=outbox_file())
    else:
        target = target_of(subject.host, subject.host_key or None)
    with tempfile.TemporaryDirectory(prefix="darkscan-doctor-") as folder:
        empty = Outbox(Path(folder) / "outbox.sqlite", subject.host)
        with empty, Sender(empty, target, "doctor") as sender:
            yield knock(sender, subject.host)


def knock(sender: Sender, address: str, patience_s: float = _PATIENCE_S) -> Finding:
    """Waits for the host's greeting."""
    begun = time.monotonic()
    while time.monotonic() < begun + patience_s:
        sender.work()
        if sender.state == "connected":
            seconds = time.monotonic() - begun
            return ok("host", f"{address} answers as {sender.host} after {seconds:.1f} s")
        if sender.state in {"refused", "rejected"}:
            break
        sender.wait(_TICK_S)
    advice = "" if sender.state == "rejected" else "look at address, network and `darkscan host`"
    return problem("host", sender.problem or f"{address} does not answer", advice)
