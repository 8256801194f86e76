"""Prints for people: whatever happens to a display, the work behind it goes on.

A terminal can be lost, a disk that output goes to can be full. What is printed then goes
nowhere; that is logged once, and ``main`` lets the exit code say that results went unprinted.
"""

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, cast

import structlog
from rich.console import Console

from darkscan.pipeline.core.names import printable

_log = structlog.get_logger(__name__)
_troubles: list[str] = []


class _QuietStream(io.TextIOBase):
    """See ``quiet``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._quiet = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's encoding, UTF-8 if it has none."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The file behind it."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Text can be written, whatever becomes of it."""
        return True

    def write(self, text: str) -> int:
        """Writes, unless it went quiet; what the encoding does not have is escaped."""
        if not self._quiet:
            encoding = self.encoding
            whole = text.encode(encoding, "backslashreplace").decode(encoding)
            self._unless_it_fails(lambda: self._stream.write(whole))
        return len(text)

    def flush(self) -> None:
        """Writes what is still buffered."""
        if not self._quiet:
            self._unless_it_fails(self._stream.flush)

    def _unless_it_fails(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self._quiet = True
            silence(self._stream)
            if not isinstance(error, BrokenPipeError):  # a reader that is gone, as with `| head`
                name = "standard output" if self._stream is sys.stdout else "the display"
                reason = getattr(error, "strerror", None) or str(error)
                _troubles.append(f"{name}: cannot be written: {reason}")
                _log.warning("display failed", display=name, reason=reason)


def quiet(stream: TextIO) -> TextIO:
    """The stream as one that goes quiet for good when it cannot be written, and never raises."""
    return cast("TextIO", _QuietStream(stream))


def silence(stream: TextIO) -> None:
    """Sends the rest of a stream nowhere, also what Python flushes at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def say(text: str) -> None:
    """Prints lines to standard output, at once.

    Control characters, and bytes of a file's name that are no text, are shown as escapes.
    """
    lines = "\n".join(map(printable, text.split("\n")))
    stream = quiet(sys.stdout)
    stream.write(lines + "\n")
    stream.flush()


def complain(problem: str) -> None:
    """Prints one line to standard error, with the program's name before it."""
    stream = quiet(sys.stderr)
    stream.write(f"darkscan: {printable(problem)}\n")
    stream.flush()


def unprinted() -> str:
    """Why results did not reach standard output, in a line; empty if they did."""
    return next((trouble for trouble in _troubles if trouble.startswith("standard output")), "")


def console(stream: TextIO | None = None) -> Console:
    """A console that shows what it is given as it is: no markup, no highlighting, no failing."""
    return Console(file=quiet(stream or sys.stderr), markup=False, highlight=False)
