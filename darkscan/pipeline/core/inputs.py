"""Reads files that a user names; an error says in one line why one cannot be read."""

import codecs
import errno
import os
import stat
from pathlib import Path

from darkscan.pipeline.core.errors import InputError

_NOT_FILES = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32-LE: as 16


def require_file(path: Path, *, field: str | None = None, absent: str | None = None) -> None:
    """Raises InputError, and never waits, unless ``path`` is a file that opens for reading.

    Pipes and devices are refused: who opens one may wait without end. ``absent`` is what to
    say where there is nothing of that name.
    """
    try:
        mode = path.stat().st_mode
        kind = next((words for is_one, words in _NOT_FILES if is_one(mode)), None)
        if kind is not None:
            raise InputError(f"cannot be read: is {kind}, not a file", file=path, field=field)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        if absent is not None and isinstance(error, FileNotFoundError):
            problem = absent
        raise InputError(problem, file=path, field=field) from error
    except ValueError as error:  # a null byte in the name
        raise InputError("no file can have this name", file=f"{path!s:.60}", field=field) from error


def read_file(path: Path, *, field: str | None = None, absent: str | None = None) -> bytes:
    """All bytes of a file. Raises InputError as ``require_file`` does."""
    require_file(path, field=field, absent=absent)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path, field=field) from error


def read_text(path: Path) -> str:
    r"""The text of a UTF-8 file, without the byte-order mark that some editors put before it.

    Ends of lines become "\n". Raises InputError if it cannot be read or is not UTF-8.
    """
    content = read_file(path)
    if content.startswith(_WIDE):
        raise InputError("is a text file in UTF-16 or UTF-32: save it as UTF-8", file=path)
    if b"\0" in content:
        raise InputError("is not a text file: it holds zero bytes", file=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"is not a text file in UTF-8 (byte {content[error.start]:#04x} in line {line})"
        raise InputError(f"{problem}: save it as UTF-8", file=path) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
