"""A copy of the store, taken while the host runs."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from darkscan.host.store._database import APPLICATION_ID, connect, storage_error, transaction
from darkscan.host.store._folder import DATABASE_NAME, TILES_NAME
from darkscan.host.store._reviews import check_reviews
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import sync
from darkscan.pipeline.core.inputs import require_file

_PAGES_AT_ONCE = 1024
_COUNTED = ("scans", "maps", "reviews", "frames", "defects", "map_parts", "shapes", "parcels")


class BackupSummary(NamedTuple):
    """What a copy holds."""

    scans: int
    maps: int
    reviews: int
    pictures: int
    """How many scans have tiles in it."""
    size_bytes: int


def backup(
    store: Path,
    destination: Path,
    *,
    tiles: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> BackupSummary:
    """Copies a store to a new folder, whole or not at all, while a host may be using it.

    The copy is of one moment, and checked. To restore, have a host open it. ``progress`` is
    called with the bytes copied and the bytes there are, about. Raises InputError if
    ``store`` is no store or ``destination`` exists, StorageError if the copy cannot be
    written, or the store is damaged.
    """
    database = store / DATABASE_NAME
    require_file(database, absent="there is no store")
    pictures = sorted((store / TILES_NAME).glob("*.sqlite")) if tiles else []
    progress_ = _Progress(progress, sum(_size(path) for path in (database, *pictures)))
    with _whole(destination) as part:
        counts = _copy_main(database, part / DATABASE_NAME, progress_)
        copied = 0
        (part / TILES_NAME).mkdir()
        for picture in pictures:
            copied += _copy_tiles(picture, part / TILES_NAME / picture.name, progress_)
        size = sum(_size(path) for path in part.rglob("*.sqlite"))
    progress_.done()
    return BackupSummary(counts["scans"], counts["maps"], counts["reviews"], copied, size)


class _Progress:
    """Counts bytes over all files."""

    def __init__(self, tell: Callable[[int, int], None] | None, total: int) -> None:
        self._tell = tell
        self._total = total
        self._before = 0

    def of_file(self, copied: int, *, ended: bool = False) -> None:
        """So many bytes of the present file are copied."""
        if self._tell is not None:
            self._tell(min(self._before + copied, self._total), self._total)
        self._before += copied if ended else 0

    def done(self) -> None:
        """All are copied, and in place."""
        if self._tell is not None:
            self._tell(self._total, self._total)


@contextmanager
def _whole(destination: Path) -> Iterator[Path]:
    """Yields a folder to write to, which gets its name on a clean exit; else it is removed."""
    if destination.exists() or destination.is_symlink():
        raise InputError("exists already", file=destination)
    parent = destination.absolute().parent
    if not parent.is_dir():
        raise InputError("is no folder to write into", file=parent)
    for left in parent.glob(f".{destination.name}.*.part"):
        process = left.name.removesuffix(".part").rpartition(".")[2]
        if process.isdecimal() and not Path("/proc", process).exists():
            shutil.rmtree(left, ignore_errors=True)
    part = parent / f".{destination.name}.{os.getpid()}.part"
    try:
        part.mkdir()
        yield part
        for path in (*part.rglob("*"), part):
            sync(path)
        part.rename(destination)
        sync(parent)
    except OSError as error:
        raise StorageError(destination, error) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(part)


def _copy_main(source: Path, target: Path, progress: _Progress) -> dict[str, int]:
    """Copies the main database, checks the copy, and gives how many rows its tables have."""
    with _opened(source) as old:
        if old.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise InputError("is no store of darkscan", file=source)
        with transaction(old, "BEGIN"):  # what is read from here on is of one moment
            counts = _counts(old)
            _copy(old, target, progress)
    with _opened(target) as new:
        _check(new, target)
        if _counts(new) != counts:
            raise StorageError(target, "the copy is not what was copied")
        broken = check_reviews(new)
    if broken is not None:
        raise StorageError(source, f"review {broken} is not as it was written")
    return counts


def _copy_tiles(source: Path, target: Path, progress: _Progress) -> bool:
    """Copies a scan's tiles; False if a rule of retention removed them meanwhile."""
    try:
        with _opened(source) as old, transaction(old, "BEGIN"):
            count = old.execute("SELECT count(*) FROM tiles").fetchone()[0]
            _copy(old, target, progress)
    except StorageError:
        if source.exists():
            raise
        return False
    with _opened(target) as new:
        _check(new, target)
        if new.execute("SELECT count(*) FROM tiles").fetchone()[0] != count:
            raise StorageError(target, "the copy is not what was copied")
    return True


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        if "not a database" in str(error):
            raise InputError("is no store of darkscan", file=path) from error
        raise storage_error(path, error) from error


def _copy(old: sqlite3.Connection, target: Path, progress: _Progress) -> None:
    page = int(old.execute("PRAGMA page_size").fetchone()[0])
    pages = int(old.execute("PRAGMA page_count").fetchone()[0])

    def tell(_: int, left: int, total: int) -> None:
        progress.of_file((total - left) * page)

    try:
        with closing(sqlite3.connect(target)) as new:
            old.backup(new, pages=_PAGES_AT_ONCE, progress=tell)
    except sqlite3.Error as error:
        raise storage_error(target, error) from error
    progress.of_file(pages * page, ended=True)


def _check(new: sqlite3.Connection, path: Path) -> None:
    found = new.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StorageError(path, f"the copy is damaged: {found}")


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
        for table in _COUNTED
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
