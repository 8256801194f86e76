"""The folder a run's results go to: one run's, whole or nothing."""

from pathlib import Path

from darkscan.pipeline.core.defect_map import MAP_NAME
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.logs import LOG_NAME
from darkscan.pipeline.transport.journal import JOURNAL_NAME

__all__ = ["MAP_NAME", "REPORT_NAME", "ResultsFolder"]

REPORT_NAME = "run.json"
"""What a reader of the results may ask for: how the run was made."""


class ResultsFolder:
    """The folder, from the check before a run to what is left after it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def require_free(self) -> None:
        """Raises InputError if it holds anything but the log of a run that failed."""
        try:
            entries = sorted(entry.name for entry in self.path.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._refusal(f"cannot be used: {error.strerror}") from error
        others = [name for name in entries if name != LOG_NAME]
        if MAP_NAME in others:
            raise self._refusal("holds another run's results; choose a new folder")
        if JOURNAL_NAME in others:
            problem = "holds an unfinished run, or another run is writing there"
            raise self._refusal(f"{problem}; choose a new folder")
        if others:
            raise self._refusal(f"is not empty (holds {others[0]!r}); choose a new folder")

    def claim(self) -> None:
        """Makes it ours. Raises InputError if another run was faster, or StorageError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / JOURNAL_NAME).touch(exist_ok=False)
        except FileExistsError as error:
            raise self._refusal("another run writes here") from error
        except OSError as error:
            raise StorageError(self.path, error) from error

    def clear(self, keep: Path | None = None) -> None:
        """Removes all but the log: a run that failed leaves nothing that looks like results.

        ``keep``: the recording of a scan, which may lie here and is worth something by itself.
        """
        for entry in self.path.iterdir():
            if entry.name != LOG_NAME and entry != keep:
                entry.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Removes what only a run under way needs, its own and that of killed processes."""
        for entry in (self.path / JOURNAL_NAME, *self.path.glob(".*.part")):
            entry.unlink(missing_ok=True)

    def _refusal(self, problem: str) -> InputError:
        return InputError(problem, file=self.path, field="--out")
