"""The clock, and how many files a process may open."""

import ctypes
import os
import resource
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from darkscan.doctor._findings import Finding, Subject, note, ok, problem

_TIMEX_BYTES = 256  # struct timex has 208 on 64-bit Linux
_UNSYNCHRONISED = 0x40  # STA_UNSYNC
_ERROR = 5  # TIME_ERROR: what the call returns of a clock that nothing keeps right
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")

FEWEST_FILES, ENOUGH_FILES = 256, 1024
"""Files open at once: with fewer a run fails; a host with many rigs and pages wants more."""


class Clock(NamedTuple):
    """What the kernel says of its clock."""

    synchronised: bool
    error_ms: float
    """By how much it may be off; the kernel lets it grow as long as nothing corrects it."""


def check_clock(_: Subject) -> Iterator[Finding]:
    """Whether something keeps the clock right: scans and reviews of several computers carry it."""
    try:
        yield judged(kernel_clock())
    except OSError as error:
        if _TIMESYNCD.exists():
            yield ok("clock", "synchronised, as systemd-timesyncd says")
        else:
            text = f"unknown whether it is synchronised: the kernel does not say ({error.strerror})"
            yield note("clock", text, "look at it: timedatectl, or chronyc tracking")


def judged(clock: Clock) -> Finding:
    """What to say of a clock."""
    if clock.synchronised:
        return ok("clock", f"synchronised, to {clock.error_ms:.1f} ms")
    text = "not synchronised: times of scans, reviews and logs will not agree between computers"
    return note("clock", text, "start a time service, chrony or systemd-timesyncd")


def kernel_clock() -> Clock:
    """Asks the kernel, which changes nothing. Raises OSError where it may not be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = libc.adjtimex(timex)
    if state < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # struct timex: modes (int), then offset, freq, maxerror, esterror (long), status (int).
    _, _, _, largest_us, _, status = struct.unpack_from("@illlli", timex)
    return Clock(state != _ERROR and not status & _UNSYNCHRONISED, largest_us / 1000)


def check_file_limit(_: Subject) -> Iterator[Finding]:
    """How many files a process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield judged_limit(soft, hard)


def judged_limit(soft: int, hard: int) -> Finding:
    """What to say of a limit; -1 is none."""
    if soft == resource.RLIM_INFINITY:
        return ok("file limit", "a process may open as many as it likes")
    text = f"a process may open {soft} files"
    if soft >= ENOUGH_FILES:
        return ok("file limit", text)
    may = hard == resource.RLIM_INFINITY or hard >= ENOUGH_FILES
    shell = f"ulimit -n {ENOUGH_FILES}" if may else "raise nofile in /etc/security/limits.conf"
    kind = problem if soft < FEWEST_FILES else note
    return kind("file limit", text, f"{shell}; a systemd unit: LimitNOFILE={ENOUGH_FILES}")
