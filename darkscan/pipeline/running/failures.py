"""A stage's failure on its way to the supervisor: a small file in the run folder.

A stage that fails leaves the file before it ends, and the supervisor reads it once the
process is gone. File and field of an error survive the process border that way, so the
command that started the run can name them as if the error were its own.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Self

from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError, StorageError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.settings import Settings, check
from darkscan.pipeline.transport.messages import describe


class StageFailure(Settings):
    """Why a stage's process ended."""

    message: str
    """The whole error in one line, for people."""

    file: str | None = None
    """The file that an InputError or a StorageError names."""

    field: str | None = None
    """The field that an InputError names."""

    problem: str | None = None
    """An InputError's message without file and field."""

    storage: str | None = None
    """A StorageError's reason: why its file could not be written."""

    exit_code: ExitCode = ExitCode.FAILED
    """The exit code of the command that started the run, if the failure ends the run."""

    ends_run: bool
    """Whether a new process would fail as well, so that none is started."""

    @classmethod
    def of(cls, error: Exception, *, ends_run: bool) -> Self:
        """Describes an error; errors that are not darkscan's own are named with their class."""
        match error:
            case InputError(problem=problem, file=file, field=field):
                about = {"problem": problem, "file": file, "field": field}
            case StorageError(file=file, reason=reason):
                about = {"storage": reason, "file": file}
            case _:
                about = {}
        ours = isinstance(error, DarkscanError)
        return cls(
            message=str(error) if ours else describe(error),
            exit_code=error.exit_code if isinstance(error, DarkscanError) else ExitCode.FAILED,
            ends_run=ends_run,
            **about,
        )

    def error(self) -> DarkscanError:
        """The error again: an InputError or StorageError as it was, else a DarkscanError."""
        if self.problem is not None:
            return InputError(self.problem, file=self.file, field=self.field)
        if self.storage is not None and self.file is not None:
            return StorageError(self.file, self.storage)
        error = DarkscanError(self.message)
        error.exit_code = self.exit_code
        return error

    def write(self, run_dir: Path, stage: str, index: int) -> None:
        """Leaves the failure of a stage's worker ``index`` where ``read`` finds it.

        Where shared memory is full nothing is left: the process's last words have to do.
        """
        with suppress(StorageError):
            write_atomically(_path(run_dir, stage, index), self.model_dump_json().encode())

    @classmethod
    def read(cls, run_dir: Path, stage: str, index: int) -> Self | None:
        """Takes up what the stage's last process left; None if it died without a word."""
        path = _path(run_dir, stage, index)
        try:
            content = path.read_bytes()
            path.unlink()  # the next process of this stage has failures of its own
            return check(json.loads(content), cls, file=path)
        except (OSError, ValueError, InputError):
            return None


def _path(run_dir: Path, stage: str, index: int) -> Path:
    return run_dir / f"{stage}-{index}.failure.json"
