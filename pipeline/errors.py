"""The errors a user can meet, each of them one line and one exit code."""

from enum import IntEnum
from pathlib import Path

from darkscan.pipeline.names import printable


class ExitCode(IntEnum):
    """What a command says to the shell."""

    OK = 0
    FAILED = 1  # a fault of ours or of the machine
    BAD_INPUT = 2  # a file, a value or a place that cannot be used
    INCOMPLETE = 3  # the map was written, but not everything was inspected
    ABORTED = 130  # interrupted twice: nothing was finished


class DarkscanError(Exception):
    """A failure with a message fit for the user: one line, no traceback."""

    exit_code: ExitCode = ExitCode.FAILED


class InputError(DarkscanError):
    """Something given to darkscan cannot be used.

    The message reads ``FILE: FIELD: what is wrong``; both are optional.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(
        self, problem: str, *, file: Path | str | None = None, field: str | None = None
    ) -> None:
        self.problem = problem
        self.file = None if file is None else str(file)
        self.field = field
        where = [part for part in (self.file, self.field) if part]
        super().__init__(printable(" ".join(": ".join([*where, problem]).split("\n"))))


class StorageError(DarkscanError):
    """A file could not be written: disk full, no permission, wrong place."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, file: Path | str, error: OSError | str) -> None:
        reason = error if isinstance(error, str) else (error.strerror or str(error))
        super().__init__(printable(f"{file}: cannot be written: {reason}"))
