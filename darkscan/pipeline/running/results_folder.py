"""The folder a run's results go to: one run's, whole, or what it takes to go on with it."""

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Self

from darkscan.pipeline.core.defect_map import MAP_NAME
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.logs import LOG_NAME
from darkscan.pipeline.transport.journal import JOURNAL_NAME

__all__ = ["MAP_NAME", "REPORT_NAME", "RESULT_NAMES", "UNFINISHED_NAME", "ResultsFolder"]

REPORT_NAME = "run.json"
"""What a reader of the results may ask for: how the run was made."""

UNFINISHED_NAME = "resume.json"
"""What the journal beside it is bound to; there from a run's begin until its map is written."""

_MAP = MAP_NAME.removesuffix(".json")
_RESULTS = frozenset(
    {
        *(MAP_NAME, f"{_MAP}.csv", f"{_MAP}-areas.csv", f"{_MAP}.svg", f"{_MAP}.png"),
        *("trace.json", REPORT_NAME, "scan.json"),
    }
)
_UNFINISHED = (UNFINISHED_NAME, JOURNAL_NAME)
"""In the order in which they go: a journal alone is not taken for a run to go on with."""

RESULT_NAMES = _RESULTS.union(_UNFINISHED)
"""The files that a run leaves besides its log; nothing else in the folder is ours to remove."""

_BUSY = "another run is writing there"


class ResultsFolder:
    """The folder, from the check before a run to what is left after it.

    The run's process holds a lock on the journal as long as it lives: so what a killed run left
    can be told from what another is writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def is_unfinished(self) -> bool:
        """Whether it holds a run that ``--resume`` may go on with."""
        return all((self.path / name).is_file() for name in _UNFINISHED)

    def require_free(self) -> None:
        """Raises InputError if it holds anything but the log of a run that failed."""
        self._require_only_log()
        self._require_unlocked("--out")

    def require_unfinished(self) -> None:
        """Raises InputError unless it holds a run that nobody writes any more."""
        journal, description = self.path / JOURNAL_NAME, self.path / UNFINISHED_NAME
        self._require_unlocked("--resume")
        if not description.is_file():
            finished = (self.path / MAP_NAME).exists()
            problem = "holds a finished run" if finished else "holds no unfinished run"
            raise self._refusal(problem, "--resume")
        if not journal.is_file():
            raise InputError("is missing: there is nothing to go on from", file=journal)

    def claim(self) -> None:
        """Makes it ours. Raises InputError if another run was faster, or StorageError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(self.path, error) from error
        self._take_lock("--out", os.O_CREAT)
        try:
            self._require_only_log()
        except InputError:
            self.close()
            raise

    def take_up(self) -> None:
        """Makes an unfinished run ours. Raises InputError, or StorageError."""
        self.require_unfinished()
        self._take_lock("--resume")

    def describe(self, content: bytes) -> None:
        """Leaves what ``--resume`` asks for, on the disk. Raises StorageError."""
        write_atomically(self.path / UNFINISHED_NAME, content)

    def finish(self) -> None:
        """The run is over, and its results are whole: removes what only going on needed."""
        self._remove(self.path / name for name in _UNFINISHED)
        self._tidy()

    def break_off(self) -> None:
        """The run has failed: removes what looks like results, and keeps what it can go on from.

        Where no frame was settled, only the log is kept. What else lies here, a recording or
        somebody's notes, stays; so does a folder by the name of a result.
        """
        self._remove(self.path / name for name in _RESULTS)
        journal = self.path / JOURNAL_NAME
        with suppress(OSError):
            if not (self.is_unfinished and journal.stat().st_size):
                self._remove(self.path / name for name in _UNFINISHED)
        self._tidy()

    def close(self) -> None:
        """Lets go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_only_log(self) -> None:
        try:
            entries = sorted(entry.name for entry in self.path.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._refusal(f"cannot be used: {error.strerror}", "--out") from error
        if self._holds_empty_journal():  # of a run that was killed before it began
            entries.remove(JOURNAL_NAME)
        others = [name for name in entries if name != LOG_NAME]
        if not others:
            return
        if MAP_NAME in others:
            problem = "holds another run's results"
        elif set(others) & set(_UNFINISHED):
            self._require_unlocked("--out")
            problem = "holds an unfinished run, and --resume goes on with it"
        else:
            problem = f"is not empty (holds {others[0]!r})"
        raise self._refusal(f"{problem}; choose a new folder", "--out")

    def _holds_empty_journal(self) -> bool:
        journal = self.path / JOURNAL_NAME
        try:
            empty = journal.stat().st_size == 0
        except OSError:
            return False
        return empty and not (self.path / UNFINISHED_NAME).exists()

    def _require_unlocked(self, field: str) -> None:
        """Raises InputError while another run has its lock on the journal."""
        if self._lock is not None:
            return
        with suppress(FileNotFoundError, NotADirectoryError):
            self._take_lock(field)
            self.close()

    def _take_lock(self, field: str, flags: int = 0) -> None:
        path = self.path / JOURNAL_NAME
        lock = None
        try:
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o666)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino != path.stat().st_ino:
                raise BlockingIOError  # the run that wrote there is over by now
        except OSError as error:
            if lock is not None:
                os.close(lock)
            if isinstance(error, BlockingIOError):
                raise self._refusal(f"{_BUSY}; choose a new folder", field) from error
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise
            raise StorageError(path, error) from error
        self._lock = lock

    def _tidy(self) -> None:
        """Removes what was being written, by this run or by killed processes."""
        parts = (self.path.glob(f".{name}.*.part") for name in RESULT_NAMES)
        self._remove(chain.from_iterable(parts))

    @staticmethod
    def _remove(files: Iterable[Path]) -> None:
        for file in files:
            with suppress(OSError):  # the error that ended the run is the one to tell
                file.unlink()

    def _refusal(self, problem: str, field: str) -> InputError:
        return InputError(problem, file=self.path, field=field)
