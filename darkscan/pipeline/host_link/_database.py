"""The outbox's SQLite file: opened, checked, and used in whole transactions."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.host_link._schema import APPLICATION, SCHEMA, VERSION

_BUSY_S = 30.0
_PAUSE_S = 0.02
_LARGEST_LOG = 64 * 2**20
_SPARE_PAGES = 4096  # that the file may keep for later
_QUICKLY_COPIED_PAGES = 16_384


class Database:
    """One connection to the file, for one thread; other processes have theirs."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it.

        Raises InputError if it is no outbox, or of a later darkscan, StorageError if it cannot
        be read or written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            reason = error if isinstance(error, OSError) else str(error)
            raise StorageError(path, reason) from error
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise StorageError(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise InputError(f"is no outbox: {error}", file=path) from error
        except InputError:
            self._connection.close()
            raise

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Runs a statement, within ``reading`` or ``writing``."""
        return self._connection.execute(statement, values)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read within is of one moment. Raises StorageError."""
        try:
            self.execute("BEGIN")
            yield
        except sqlite3.Error as error:
            raise StorageError(self.path, str(error)) from error
        finally:
            self._roll_back()

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[None]:
        """One commit, or nothing; ``durable``: it is on the disk at the end. Raises StorageError.

        A commit that is not durable survives the process, and may not survive a power cut.
        """
        try:
            self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.execute("BEGIN IMMEDIATE")
            yield
            self.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(self.path, str(error)) from error
        finally:
            self._roll_back()

    def close(self) -> None:
        """Closes the file; gives room that nothing needs any more back to the disk."""
        with suppress(sqlite3.Error):  # another process is at it: then another time
            spare = self.execute("PRAGMA freelist_count").fetchone()[0]
            pages = self.execute("PRAGMA page_count").fetchone()[0]
            if spare > _SPARE_PAGES and pages - spare < _QUICKLY_COPIED_PAGES:
                self.execute("PRAGMA busy_timeout = 0")
                self.execute("VACUUM")
        self._connection.close()

    def _roll_back(self) -> None:
        """Ends a transaction that is still open, without a change."""
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # SQLite may have ended it by itself
                self.execute("ROLLBACK")

    def _prepare(self) -> None:
        """Makes the tables where there are none; several processes may be about it at once."""
        self.execute("BEGIN")
        version, application = (
            self.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("user_version", "application_id")
        )
        empty = self.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        self.execute("COMMIT")
        if not empty and application != APPLICATION:
            raise InputError("is another program's SQLite file, not an outbox", file=self.path)
        if version > VERSION:
            problem = f"is of a later darkscan (version {version}, this one knows {VERSION})"
            raise InputError(problem, file=self.path)
        self._log_ahead()
        if empty:
            self._connection.executescript(SCHEMA)
        self.execute(f"PRAGMA journal_size_limit = {_LARGEST_LOG}")

    def _log_ahead(self) -> None:
        """Switches to a write-ahead log; SQLite itself does not wait while another does so."""
        deadline = time.monotonic() + _BUSY_S
        while True:
            try:
                self.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)
            else:
                return
