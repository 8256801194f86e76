"""The folder a run's results go to: one run's, whole or nothing."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

from darkscan.pipeline.core.defect_map import MAP_NAME
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.logs import LOG_NAME
from darkscan.pipeline.transport.journal import JOURNAL_NAME

__all__ = ["MAP_NAME", "REPORT_NAME", "RESULT_NAMES", "ResultsFolder"]

REPORT_NAME = "run.json"
"""What a reader of the results may ask for: how the run was made."""

_MAP = MAP_NAME.removesuffix(".json")
RESULT_NAMES = frozenset(
    {
        *(MAP_NAME, f"{_MAP}.csv", f"{_MAP}-areas.csv", f"{_MAP}.svg", f"{_MAP}.png"),
        *("trace.json", REPORT_NAME, "scan.json"),
        JOURNAL_NAME,
    }
)
"""The files that a run leaves besides its log; nothing else in the folder is ours to remove."""


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

    def clear(self) -> None:
        """Removes what a run writes, but the log: one that failed leaves nothing like results.

        What else lies here, a recording or somebody's notes, stays; so does a folder by the
        name of a result.
        """
        self._remove(self.path / name for name in RESULT_NAMES)
        self.tidy()

    def tidy(self) -> None:
        """Removes what only a run under way needs, its own and that of killed processes."""
        parts = (self.path.glob(f".{name}.*.part") for name in RESULT_NAMES)
        self._remove([self.path / JOURNAL_NAME, *chain.from_iterable(parts)])

    @staticmethod
    def _remove(files: Iterable[Path]) -> None:
        for file in files:
            with suppress(OSError):  # the error that ended the run is the one to tell
                file.unlink()

    def _refusal(self, problem: str) -> InputError:
        return InputError(problem, file=self.path, field="--out")
