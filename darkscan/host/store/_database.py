"""SQLite as the store uses it: connections for many threads, transactions, migrations.

Every database is in write-ahead mode with ``synchronous=FULL``: a transaction that was
committed survives a loss of power, and readers never wait for the writer.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from darkscan.pipeline.core.errors import InputError, StorageError

APPLICATION_ID = 0x64736B73  # "dsks" in the file's header: a store of darkscan

_BUSY_MS = 60_000
_WAL_PAGES = 1000
"""Pages in the log after which a commit moves them to the database."""
_WAL_BYTES = 64 * 2**20
"""What is kept of a longer log once it has been moved."""


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection to a database file. Raises sqlite3.Error, and for a file that is absent.

    It may pass from thread to thread. Transactions are begun and ended in so many words.
    """
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=200,
    )
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        if create:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Commits at a clean exit; else everything is as it was before."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    """The error of a database that could not be written, or read."""
    return StorageError(path, str(error))


class Database:
    """A database file whose connections are lent to one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Opens the file, which must exist."""
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection; all that is read within is of one moment.

        Raises StorageError if the file cannot be read.
        """
        with self._lent() as connection, transaction(connection, "BEGIN"):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection for a transaction, one at a time; committed at a clean exit.

        Raises StorageError if it cannot be written; then all is as it was before.
        """
        with self._lent() as connection, transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    def close(self) -> None:
        """Closes all connections; the last one moves the log into the file."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise StorageError(self.path, "the store is closed")
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = connect(self.path)
            yield connection
        except sqlite3.Error as error:
            raise storage_error(self.path, error) from error
        finally:
            if connection is not None:
                self._take_back(connection)

    def _take_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and not connection.in_transaction:
                self._idle.append(connection)
                return
        connection.close()  # within a transaction: it could not even be undone


def migrations() -> list[str]:
    """The scripts that bring a database from each version to the next, from version 0 on."""
    folder = files("darkscan.host.store") / "migrations"
    scripts = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [file.read_text("utf-8") for _, file in scripts]


def migrate(path: Path, scripts: Sequence[str]) -> None:
    """Makes the main database if there is none, and brings it to the newest version.

    Each step is a transaction. Raises InputError if the file is no store's, or of a version
    later than the newest, and StorageError if it cannot be written.
    """
    try:
        if path.exists():
            with closing(sqlite3.connect(path)) as connection:
                _check_is_ours(connection, path, len(scripts))
        with closing(connect(path, create=True)) as connection:
            _bring_up(connection, scripts)
    except sqlite3.Error as error:
        if "not a database" in str(error):
            raise InputError("is no store of darkscan", file=path) from error
        raise storage_error(path, error) from error


def _check_is_ours(connection: sqlite3.Connection, path: Path, newest: int) -> None:
    """Changes nothing: the file may be anybody's."""
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if _pragma(connection, "application_id") != APPLICATION_ID and not empty:
        raise InputError("is no store of darkscan", file=path)
    version = _pragma(connection, "user_version")
    if version > newest:
        raise InputError(
            f"is of version {version}, later than this program's {newest}: "
            "it needs a newer darkscan",
            file=path,
        )


def _bring_up(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    version = _pragma(connection, "user_version")
    for number, script in enumerate(scripts[version:], start=version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA application_id={APPLICATION_ID};\n"
                f"PRAGMA user_version={number};\nCOMMIT;"
            )
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
