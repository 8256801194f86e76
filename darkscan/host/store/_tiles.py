"""The tiles of each scan's picture: one SQLite file a scan."""

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import simplejpeg

from darkscan.host.store._database import connect, storage_error, transaction
from darkscan.host.store._refusals import NO_PICTURE, Refused
from darkscan.host.store.types import StoredTile
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link.messages import TILE_PX, Pyramid, Tile

_SUFFIX = ".sqlite"
_OPEN_AT_ONCE = 16
_SCHEMA = """
CREATE TABLE tiles (
    level INTEGER NOT NULL, x INTEGER NOT NULL, y INTEGER NOT NULL,
    revision INTEGER NOT NULL, final INTEGER NOT NULL, jpeg BLOB NOT NULL,
    UNIQUE (level, x, y)
) STRICT
"""
_KEEP = """
INSERT INTO tiles VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (level, x, y) DO UPDATE
SET revision = excluded.revision, final = excluded.final, jpeg = excluded.jpeg
WHERE excluded.revision > revision
"""


def check_tile(tile: Tile, picture: Pyramid | None) -> None:
    """Raises Refused unless a tile belongs to a picture, and is a grey JPEG of its size."""
    if picture is None:
        raise Refused(NO_PICTURE)
    side = TILE_PX << tile.level
    columns, rows = -(-picture.width_px // side), -(-picture.height_px // side)
    if tile.level >= picture.levels or tile.x >= columns or tile.y >= rows:
        raise Refused(f"the picture has no tile {tile.level}/{tile.x}/{tile.y}")
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(tile.jpeg)
    except ValueError as error:
        raise Refused("jpeg: is no JPEG") from error
    if colours != "Gray" or not (0 < height <= TILE_PX and 0 < width <= TILE_PX):
        raise Refused(f"jpeg: must be grey, of {TILE_PX} x {TILE_PX} pixels at most")


class TileFiles:
    """The files of tiles in a folder; one thread writes at a time, and any number read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading = _Connections(connect)
        self._writing = _Connections(_connect_to_write)
        self.lock = threading.RLock()
        """Held by who writes, from looking whether a scan may have tiles until they are here."""

    def keep(self, scan_id: str, tiles: Sequence[Tile]) -> list[bool]:
        """Writes tiles; True for those that are new, False where a revision as late is here.

        Raises StorageError; then none of them is kept.
        """
        path = self._path(scan_id)
        with self._writing.of(path) as connection, transaction(connection, "BEGIN IMMEDIATE"):
            return [
                bool(
                    connection.execute(
                        _KEEP, (one.level, one.x, one.y, one.revision, one.final, one.jpeg)
                    ).rowcount
                )
                for one in tiles
            ]

    def read(self, scan_id: str, level: int, x: int, y: int) -> StoredTile | None:
        """One tile; None if there is none. Raises StorageError if the file cannot be read."""
        path = self._path(scan_id)
        if not path.exists():
            return None
        with self._reading.of(path) as connection:
            row = connection.execute(
                "SELECT revision, final, jpeg FROM tiles WHERE level = ? AND x = ? AND y = ?",
                (level, x, y),
            ).fetchone()
        return None if row is None else StoredTile(row[0], bool(row[1]), row[2])

    def count(self, scan_id: str) -> int:
        """How many tiles a scan has here."""
        path = self._path(scan_id)
        if not path.exists():
            return 0
        with self._reading.of(path) as connection:
            return int(connection.execute("SELECT count(*) FROM tiles").fetchone()[0])

    def size(self, scan_id: str) -> int:
        """Bytes of a scan's file on the disk; 0: there is none."""
        return sum(_size(path) for path in _with_log(self._path(scan_id)))

    def total(self) -> int:
        """Bytes of all files."""
        with suppress(FileNotFoundError):
            return sum(_size(Path(entry.path)) for entry in os.scandir(self._folder))
        return 0

    def remove(self, scan_id: str) -> int:
        """Removes a scan's file; gives its bytes. Raises StorageError."""
        path = self._path(scan_id)
        with self._writing.none_of(path), self._reading.none_of(path):
            size = self.size(scan_id)
            try:
                for part in _with_log(path):
                    part.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(path, error) from error
        return size

    def close(self) -> None:
        """Closes all files."""
        self._reading.close()
        self._writing.close()

    def _path(self, scan_id: str) -> Path:
        assert len(scan_id) == 32 and scan_id.isalnum()  # noqa: PLR2004, PT018 - a ScanId
        return self._folder / f"{scan_id}{_SUFFIX}"


class _Connections:
    """Open connections to the files that were used last, each for one thread at a time."""

    def __init__(self, opener: Callable[[Path], sqlite3.Connection]) -> None:
        self._opener = opener
        self._open: OrderedDict[Path, sqlite3.Connection] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def of(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Lends the connection to a file. Raises StorageError for an error of SQLite within."""
        with self._lock:
            if self._closed:
                raise StorageError(path, "the store is closed")
            try:
                connection = self._open.pop(path, None) or self._opener(path)
                self._open[path] = connection
                while len(self._open) > _OPEN_AT_ONCE:
                    self._open.popitem(last=False)[1].close()
                yield connection
            except sqlite3.Error as error:
                broken = self._open.pop(path, None)
                if broken is not None:
                    broken.close()
                raise storage_error(path, error) from error

    @contextmanager
    def none_of(self, path: Path) -> Iterator[None]:
        """Within this nobody has the file open through here."""
        with self._lock:
            connection = self._open.pop(path, None)
            if connection is not None:
                connection.close()
            yield

    def close(self) -> None:
        """Closes all of them."""
        with self._lock:
            self._closed = True
            while self._open:
                self._open.popitem()[1].close()


def _connect_to_write(path: Path) -> sqlite3.Connection:
    """Makes the file if there is none: it appears whole, and survives a loss of power."""
    if not path.exists():
        part = path.with_suffix(".part")
        try:
            for left in _with_log(part):  # of a host that was killed just then
                left.unlink(missing_ok=True)
            with closing(connect(part, create=True)) as connection:
                connection.execute(_SCHEMA)
            part.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StorageError(path, error) from error
    return connect(path)


def _with_log(path: Path) -> list[Path]:
    """A database's file, and those that SQLite may have beside it."""
    return [path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm", "-journal"))]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
