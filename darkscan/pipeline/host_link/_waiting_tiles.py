"""The tiles that wait: rows of the outbox's database, and a file for each content."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link._database import Database
from darkscan.pipeline.host_link._tile_files import TileFiles
from darkscan.pipeline.host_link.messages import Tile, encode_content, new_id

_LOOKED_AT_ONCE = 64


class WrittenTile(NamedTuple):
    """A tile whose content is in its file, and which no row knows yet."""

    tile: Tile
    id: bytes
    bytes: int
    checksum: int


class WaitingTiles:
    """Tiles of all scans and hosts. What is dropped goes from the finest level on.

    Of one level the oldest scan's go first: coarse tiles are kept longest.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        """``folder``: for the contents. Raises StorageError."""
        self._db = database
        try:
            self._files = TileFiles(folder)
        except OSError as error:
            raise StorageError(folder, error) from error
        self.dropped_unsaid: Counter[str] = Counter()
        """Tiles of each scan that were dropped when their number could not be written."""

    def uncounted(self, scan: str | None = None) -> int:
        """How many of ``dropped_unsaid``, of one scan or of all."""
        return self.dropped_unsaid.total() if scan is None else self.dropped_unsaid[scan]

    def write(self, scan: str, tiles: Iterable[Tile]) -> list[WrittenTile]:
        """Writes contents; what there is no room for is dropped."""
        written = []
        for tile in tiles:
            content, tile_id = encode_content(tile), new_id()
            checksum = self._write(tile_id, content)
            if checksum is None and self.make_room(2 * len(content)):
                checksum = self._write(tile_id, content)
            if checksum is None:
                self.dropped_unsaid[scan] += 1
            else:
                written.append(WrittenTile(tile, tile_id, len(content), checksum))
        return written

    def enter(self, scan: int, destination: str, tiles: Sequence[WrittenTile]) -> list[bytes]:
        """Makes rows of tiles, within a transaction; the ids of those that they replace."""
        replaced = []
        for tile, tile_id, size, checksum in tiles:
            place = (scan, tile.level, tile.x, tile.y)
            replaced += self._db.execute(
                "SELECT id FROM tiles WHERE scan = ? AND level = ? AND x = ? AND y = ?", place
            ).fetchall()
            self._db.execute(
                "INSERT INTO tiles (scan, level, x, y, destination, id, bytes, checksum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scan, level, x, y) DO UPDATE SET"
                " id = excluded.id, bytes = excluded.bytes, checksum = excluded.checksum",
                (*place, destination, tile_id, size, checksum),
            )
        return [bytes(row[0]) for row in replaced]

    def give_up(self, scan: str, tiles: Sequence[WrittenTile]) -> None:
        """Drops tiles for which no rows could be made."""
        self.remove_contents([tile.id for tile in tiles])
        self.dropped_unsaid[scan] += len(tiles)

    def content(self, tile_id: bytes, checksum: int) -> bytes | None:
        """A content; None if it is gone or damaged, as a power cut may leave it."""
        return self._files.read(tile_id, checksum)

    def remove_contents(self, tile_ids: Iterable[bytes]) -> None:
        """Removes the files of tiles whose rows are gone, after that is committed."""
        self._files.remove(tile_ids)

    def forget(self, tile_id: bytes, *, count: bool) -> bool:
        """Deletes a row, within a transaction, and counts it as dropped; False: there is none."""
        row = self._db.execute("SELECT number, scan FROM tiles WHERE id = ?", (tile_id,)).fetchone()
        if row is None:
            return False
        self._db.execute("DELETE FROM tiles WHERE number = ?", row[:1])
        self.count_dropped(row[1], int(count))
        return True

    def drop(self, excess: int) -> list[bytes]:
        """Deletes rows of so many bytes, or all, within a transaction; returns their ids."""
        dropped: list[bytes] = []
        while excess > 0:
            rows = self._db.execute(
                "SELECT id, bytes FROM tiles ORDER BY level, scan, number LIMIT ?",
                (_LOOKED_AT_ONCE,),
            ).fetchall()
            if not rows:
                break
            for tile_id, size in rows:
                if excess > 0:
                    self.forget(tile_id, count=True)
                    dropped.append(tile_id)
                    excess -= size
        return dropped

    def drop_these(self, tile_ids: Sequence[bytes]) -> None:
        """Drops tiles, in a transaction of its own."""
        with suppress(StorageError), self._db.writing(durable=False):
            for tile_id in tile_ids:
                self.forget(tile_id, count=True)
        self._files.remove(tile_ids)

    def make_room(self, needed: int) -> bool:
        """Drops tiles of so many bytes, or all, as nothing can be written; False: there are none.

        Their files go first: that makes the room in which the rows can be deleted.
        """
        ids = []
        with suppress(StorageError), self._db.reading():
            rows = self._db.execute("SELECT id, bytes FROM tiles ORDER BY level, scan, number")
            for tile_id, size in rows:
                ids.append(bytes(tile_id))
                needed -= size
                if needed <= 0:
                    break
        self._files.remove(ids)
        self.drop_these(ids)
        return bool(ids)

    def count_dropped(self, scan: int, tiles: int) -> None:
        """Counts tiles as dropped, within a transaction."""
        self._db.execute(
            "UPDATE scans SET tiles_dropped = tiles_dropped + ? WHERE number = ?", (tiles, scan)
        )

    def sweep(self) -> None:
        """Removes contents that killed processes left. Raises StorageError."""
        with self._db.reading():
            known = {bytes(row[0]) for row in self._db.execute("SELECT id FROM tiles")}
        self._files.sweep(known)

    def _write(self, tile_id: bytes, content: bytes) -> int | None:
        """Writes a content; its checksum, or None if that cannot be."""
        try:
            return self._files.write(tile_id, content)
        except OSError:
            return None
