"""Why an HDF5 file cannot be opened now: somebody writes it, or ended without closing it."""

import errno
import fcntl
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from darkscan.drivers.recording.superblock import FileState, Superblock, read_superblock
from darkscan.pipeline.core.errors import InputError

_PROCESSES = Path("/proc")

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Errors of files that cannot be locked where they lie, as on some network disks."""


def why_not_open(path: Path, block: Superblock) -> str | None:
    """Why a file whose first bytes say ``block`` is not to be opened; None if it is.

    A file may be short, empty or marked because somebody is just writing it: that is said
    first. One that nobody writes and that is cut short is opened as far as it goes. Raises
    OSError if the file cannot be read.
    """
    if block.state in {FileState.CLOSED, FileState.SWMR}:
        return None
    if block.state is FileState.FOREIGN and block.size:
        return "is not a recording: not an HDF5 file"
    writer = writer_of(path)
    if writer is not None:
        return held_by(writer)
    if block.state is FileState.TRUNCATED:
        return None
    return _problem_left(path, block, "darkscan info")


def require_closed(path: Path, look: str) -> None:
    """Raises InputError if an HDF5 file is marked as open for writing, or cannot be read.

    Files other than recordings are complete as soon as they have their name, so that another
    program must have opened them since. ``look``: the command that shows what such a file holds.
    """
    try:
        block = read_superblock(path)
        if block.state not in {FileState.MARKED, FileState.SWMR}:
            return
        writer = writer_of(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    problem = _problem_left(path, block, look) if writer is None else held_by(writer)
    raise InputError(problem, file=path)


def _problem_left(path: Path, block: Superblock, look: str) -> str:
    """The problem with a file that nobody is writing."""
    if block.state is FileState.FOREIGN:
        return "is not a recording: empty"
    if block.empty:
        return "was left by its writer before the first frame: it holds nothing"
    return (
        "was opened for writing by a program that ended without closing it, and is still marked "
        "as open. What was there before is most likely whole: keep a copy, take the mark away "
        f"with HDF5's own tool, h5clear -s {shlex.quote(str(path))}, and look at it with {look}"
    )


def why_not_opened(path: Path, error: OSError) -> str:
    """The meaning of HDF5's error on opening a sound file for reading."""
    if error.errno in {errno.EAGAIN, errno.EWOULDBLOCK}:
        return held_by(writer_of(path) or "another program")
    if error.errno in NO_LOCKS:
        return (
            f"lies where files cannot be locked ({os.strerror(error.errno)}): copy it to a local "
            "disk, or set HDF5_USE_FILE_LOCKING=FALSE while nobody writes it"
        )
    return f"is damaged: {error}"


def held_by(writer: str) -> str:
    """Says who holds a file, and what to do."""
    return f"is open for writing in {writer}: close it there, or wait, and try again"


def writer_of(path: Path) -> str | None:
    """Who has a file open for writing just now; None if nobody is known to.

    Only the processes of the same user can be named; of others, and of those on other
    computers, no more than a lock is seen. Raises OSError if the file cannot be read.
    """
    names = sorted(set(_writers(path)))
    if names:
        return " and ".join(names)
    return "another program" if _is_locked(path) else None


def _writers(path: Path) -> Iterator[str]:
    sought = path.stat()
    for process in _PROCESSES.glob("[0-9]*"):
        try:
            for descriptor in (process / "fd").iterdir():
                if _is_writing(descriptor, sought):
                    name = (process / "comm").read_text(errors="replace").strip()
                    yield f"{name} (process {process.name})"
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's


def _is_writing(descriptor: Path, sought: os.stat_result) -> bool:
    """Whether an open file of a process is the one sought, and open or locked for writing."""
    try:
        if not os.path.samestat(descriptor.stat(), sought):
            return False
        lines = (descriptor.parent.parent / "fdinfo" / descriptor.name).read_text().splitlines()
    except FileNotFoundError:
        return False  # closed meanwhile
    flags = next(line.split()[1] for line in lines if line.startswith("flags:"))
    locked = any(line.startswith("lock:") and "FLOCK" in line and "WRITE" in line for line in lines)
    return locked or int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


def _is_locked(path: Path) -> bool:
    """Whether somebody has the lock that HDF5 takes for writing."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # locks are not to be had there
    finally:
        os.close(descriptor)
    return False
