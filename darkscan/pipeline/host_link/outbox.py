"""What waits on the rig until the host has it: one SQLite file for all scans of a user.

Several processes put into it at once. Durable parcels are on the disk (write-ahead log,
synchronous=FULL) before ``put`` returns; tiles are not waited for: a power cut may take the
latest ones, a killed process takes none. All lie in one file, so that the pages of tiles
that are dropped serve the durable parcels that come after them.
"""

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.host_link._schema import APPLICATION, SCHEMA, VERSION
from darkscan.pipeline.host_link.folders import state_folder
from darkscan.pipeline.host_link.messages import (
    Durable,
    Parcel,
    Receipt,
    ScanBegan,
    ScanEnded,
    Tile,
    encode_content,
    new_id,
)

LIMIT_BYTES = 4 * 2**30

_BUSY_S = 30.0
_PAUSE_S = 0.02
_LARGEST_LOG = 64 * 2**20
_DROPPED_AT_ONCE = 64
_ROOM_WHEN_FULL = 16 * 2**20
_FORGET_AFTER_S = 30 * 24 * 3600.0
_SPARE_PAGES = 4096  # that the file may keep for later
_SMALL_PAGES = 16_384

_CONTENT_OF = {
    "parcels": "SELECT content, scans.scan FROM parcels JOIN scans"
    " ON scans.number = parcels.scan WHERE id = ?",
    "tiles": "SELECT content, scans.scan FROM tiles JOIN scans"
    " ON scans.number = tiles.scan WHERE id = ?",
}


class OutboxCounts(NamedTuple):
    """What an outbox holds for its destination, of one scan or of all."""

    parcels: int
    """Durable ones that wait."""
    tiles: int
    """That wait."""
    bytes: int
    """Of all that is held, refused parcels too."""
    tiles_dropped: int
    """As the outbox was full, or as the host refused them."""
    refused: int
    """Durable parcels that the host refused; they are kept, and not sent."""


class BegunScan(NamedTuple):
    """A scan whose beginning was put, and whose end was not."""

    scan: str
    put_at: float
    """When its latest durable parcel was put, Unix time."""


def outbox_file() -> Path:
    """Where this user's outbox lies."""
    return state_folder() / "outbox.sqlite"


class Outbox:
    """The parcels for one host. Each thread and process opens its own."""

    def __init__(self, path: Path, destination: str, *, limit_bytes: int = LIMIT_BYTES) -> None:
        """Opens the file, or makes it. ``destination``: the host's address.

        limit_bytes: of all parcels in the file, for whatever host; beyond it tiles are dropped,
        those of the finest level first, and of these the oldest scan's. Raises InputError if
        the file is no outbox or of a later darkscan, StorageError if it cannot be written.
        """
        self.path = path
        self.destination = destination
        self._limit = limit_bytes
        self._db = _open(path)
        self._forget_old_scans()

    def put(
        self, scan: str, content: Durable, *, states: Mapping[str, bytes] | None = None
    ) -> bytes:
        """Keeps a durable content until the host has it; returns its parcel's id.

        It is on the disk when this returns, and so is ``states`` (as of ``save_states``): both
        or neither. Raises StorageError if there is no room, even without tiles, and WireError
        if it is too large for a parcel.
        """
        data, parcel_id = encode_content(content), new_id()
        row = (self.destination, parcel_id, type(content).__name__, len(data), data)

        def insert() -> None:
            with self._writing(durable=True):
                number = self._scan_number(scan)
                self._db.execute(
                    "INSERT INTO parcels (scan, destination, id, kind, bytes, content)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (number, *row),
                )
                self._db.execute(
                    "UPDATE scans SET put_at = ?, begun = begun OR ?, ended = ended OR ?"
                    " WHERE number = ?",
                    (
                        time.time(),
                        isinstance(content, ScanBegan),
                        isinstance(content, ScanEnded),
                        number,
                    ),
                )
                self._save(number, states or {})
                self._keep_limit()

        try:
            insert()
        except StorageError:  # the disk may be full: tiles make room
            self._drop_for_room(len(data))
            insert()
        return parcel_id

    def put_tile(self, scan: str, tile: Tile) -> bool:
        """Keeps a tile; False if it was dropped, and counted, as the outbox is full."""
        return self.put_tiles(scan, [tile]) == 1

    def put_tiles(
        self, scan: str, tiles: Iterable[Tile], *, states: Mapping[str, bytes] | None = None
    ) -> int:
        """Keeps tiles, and ``states``, in one commit; returns how many of the tiles are kept.

        A tile takes the place of an earlier one that still waits. Raises StorageError.
        """
        contents = [(tile, encode_content(tile)) for tile in tiles]
        kept = 0
        with self._writing(durable=False):
            number = self._scan_number(scan)
            ids = [self._put_tile(number, tile, data) for tile, data in contents]
            self._save(number, states or {})
            self._keep_limit()
            for tile_id in ids:
                found = self._db.execute("SELECT 1 FROM tiles WHERE id = ?", (tile_id,))
                kept += found.fetchone() is not None
        return kept

    def waiting(
        self, *, limit: int, limit_bytes: int, without: Collection[bytes] = ()
    ) -> list[Parcel]:
        """What is to be sent next: durable parcels in their order, then tiles.

        Of tiles the latest scan's come first, coarse levels before fine ones. At most ``limit``
        parcels of ``limit_bytes`` in all are given, without those whose ids are in ``without``:
        they are under way. A parcel larger than all comes alone. Raises StorageError.
        """
        chosen: list[tuple[str, bytes]] = []
        left = limit_bytes
        parcels = []
        with self._reading():
            for table, parcel_id, size in self._queue():
                if parcel_id in without:
                    continue
                if len(chosen) == limit or (size > left and (chosen or without)):
                    break
                chosen.append((table, parcel_id))
                left -= size
            for table, parcel_id in chosen:
                content, scan = self._db.execute(_CONTENT_OF[table], (parcel_id,)).fetchone()
                parcels.append(Parcel(id=parcel_id, scan=scan, content=content))
        return parcels

    def settle(self, receipts: Sequence[Receipt]) -> None:
        """Forgets what the host has, and sets aside what it refused. Raises StorageError.

        A receipt for what is not there changes nothing: a later tile may have taken its place.
        """
        with self._writing(durable=False):
            for receipt in receipts:
                refused = receipt.outcome == "refused"
                found = self._db.execute(
                    "SELECT number, scan FROM tiles WHERE id = ?", (receipt.id,)
                ).fetchone()
                if found is not None:
                    self._db.execute("DELETE FROM tiles WHERE number = ?", found[:1])
                    self._count_dropped(found[1], int(refused))
                elif refused:
                    self._db.execute(
                        "UPDATE parcels SET reason = ? WHERE id = ?", (receipt.reason, receipt.id)
                    )
                else:
                    self._db.execute("DELETE FROM parcels WHERE id = ?", (receipt.id,))

    def retry_refused(self) -> int:
        """Has refused parcels wait again, for a host that may know better now; how many."""
        with self._writing(durable=False):
            return self._db.execute(
                "UPDATE parcels SET reason = NULL WHERE destination = ? AND reason IS NOT NULL",
                (self.destination,),
            ).rowcount

    def counts(self, scan: str | None = None) -> OutboxCounts:
        """What is held for this destination, of one scan or of all. Raises StorageError."""
        with self._reading():
            row = self._db.execute(
                "SELECT coalesce(sum(parcels), 0), coalesce(sum(tiles), 0),"
                " coalesce(sum(bytes), 0), coalesce(sum(tiles_dropped), 0),"
                " coalesce(sum(refused), 0) FROM scans"
                " WHERE destination = ? AND scan = coalesce(?, scan)",
                (self.destination, scan),
            ).fetchone()
        return OutboxCounts(*row)

    def other_destinations(self) -> list[str]:
        """Addresses of other hosts for which something waits in the file."""
        with self._reading():
            rows = self._db.execute(
                "SELECT DISTINCT destination FROM scans"
                " WHERE destination <> ? AND parcels + tiles > 0 ORDER BY destination",
                (self.destination,),
            ).fetchall()
        return [row[0] for row in rows]

    def begun_not_ended(self) -> list[BegunScan]:
        """The scans whose beginning was put here for this destination, and whose end was not."""
        with self._reading():
            rows = self._db.execute(
                "SELECT scan, put_at FROM scans WHERE destination = ? AND begun AND NOT ended"
                " ORDER BY number",
                (self.destination,),
            ).fetchall()
        return [BegunScan(*row) for row in rows]

    def save_state(self, scan: str, key: str, data: bytes) -> None:
        """Keeps bytes of the sender's own, in place of earlier ones of this key."""
        self.save_states(scan, {key: data})

    def save_states(self, scan: str, states: Mapping[str, bytes]) -> None:
        """Keeps several in one commit. Raises StorageError."""
        with self._writing(durable=False):
            self._save(self._scan_number(scan), states)

    def load_state(self, scan: str) -> dict[str, bytes]:
        """What ``save_state`` kept of a scan, by key. Raises StorageError."""
        with self._reading():
            return dict(
                self._db.execute(
                    "SELECT key, data FROM states JOIN scans ON number = states.scan"
                    " WHERE destination = ? AND scans.scan = ?",
                    (self.destination, scan),
                ).fetchall()
            )

    def clear_state(self, scan: str) -> None:
        """Forgets what ``save_state`` kept of a scan. Raises StorageError."""
        with self._writing(durable=False):
            self._db.execute(
                "DELETE FROM states WHERE scan = (SELECT number FROM scans"
                " WHERE destination = ? AND scan = ?)",
                (self.destination, scan),
            )

    def close(self) -> None:
        """Closes the file; gives room that nothing needs any more back to the disk."""
        with suppress(sqlite3.Error):  # another process uses the file: then another time
            spare = self._db.execute("PRAGMA freelist_count").fetchone()[0]
            pages = self._db.execute("PRAGMA page_count").fetchone()[0]
            if spare > _SPARE_PAGES and pages - spare < _SMALL_PAGES:
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("VACUUM")
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _queue(self) -> Iterator[tuple[str, bytes, int]]:
        """Table, id and bytes of all that waits, in the order of sending; reads no contents."""
        for table, order in (("parcels", "number"), ("tiles", "scan DESC, level DESC, number")):
            condition = " AND reason IS NULL" if table == "parcels" else ""
            rows = self._db.execute(
                f"SELECT id, bytes FROM {table}"  # noqa: S608 - our own words
                f" WHERE destination = ?{condition} ORDER BY {order}",
                (self.destination,),
            )
            for parcel_id, size in rows:
                yield table, parcel_id, size

    def _scan_number(self, scan: str) -> int:
        """The row of a scan, made if there is none."""
        names = (self.destination, scan)
        self._db.execute(
            "INSERT OR IGNORE INTO scans (destination, scan, put_at) VALUES (?, ?, ?)",
            (*names, time.time()),
        )
        found = self._db.execute(
            "SELECT number FROM scans WHERE destination = ? AND scan = ?", names
        )
        return int(found.fetchone()[0])

    def _put_tile(self, scan: int, tile: Tile, data: bytes) -> bytes:
        tile_id = new_id()
        place = (scan, self.destination, tile_id, tile.level, tile.x, tile.y, len(data), data)
        self._db.execute(
            "INSERT INTO tiles (scan, destination, id, level, x, y, bytes, content)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scan, level, x, y) DO UPDATE SET"
            " id = excluded.id, bytes = excluded.bytes, content = excluded.content",
            place,
        )
        return tile_id

    def _save(self, scan: int, states: Mapping[str, bytes]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO states (scan, key, data) VALUES (?, ?, ?)",
            [(scan, key, data) for key, data in states.items()],
        )

    def _keep_limit(self) -> None:
        """Drops tiles, finest level and oldest scan first, until the limit is kept."""
        held = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM scans").fetchone()[0]
        self._drop(held - self._limit)

    def _drop(self, excess: int) -> None:
        """Drops tiles of so many bytes, or all that there are."""
        while excess > 0:
            rows = self._db.execute(
                "SELECT number, scan, bytes FROM tiles ORDER BY level, scan, number LIMIT ?",
                (_DROPPED_AT_ONCE,),
            ).fetchall()
            if not rows:
                return
            for number, scan, size in rows:
                self._db.execute("DELETE FROM tiles WHERE number = ?", (number,))
                self._count_dropped(scan, 1)
                excess -= size
                if excess <= 0:
                    return

    def _count_dropped(self, scan: int, tiles: int) -> None:
        self._db.execute(
            "UPDATE scans SET tiles_dropped = tiles_dropped + ? WHERE number = ?", (tiles, scan)
        )

    def _drop_for_room(self, needed: int) -> None:
        """Makes room within the file for a durable parcel that did not fit on the disk."""
        with suppress(StorageError, sqlite3.Error):
            # The log begins anew, in the room that it has already.
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")
        with suppress(StorageError), self._writing(durable=False):
            self._drop(2 * needed + _ROOM_WHEN_FULL)

    def _forget_old_scans(self) -> None:
        """Forgets the counts of scans of which nothing has waited for long."""
        with self._writing(durable=False):
            self._db.execute(
                "DELETE FROM scans WHERE ended AND parcels + tiles + refused = 0 AND put_at < ?"
                " AND number NOT IN (SELECT scan FROM states)",
                (time.time() - _FORGET_AFTER_S,),
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """All that is read within is of one moment. Raises StorageError."""
        try:
            self._db.execute("BEGIN")
            yield
        except sqlite3.Error as error:
            raise StorageError(self.path, str(error)) from error
        finally:
            with suppress(sqlite3.Error):
                self._db.execute("COMMIT")

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[None]:
        """One commit; ``durable``: it is on the disk at the end. Raises StorageError."""
        try:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(self.path, str(error)) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _open(path: Path) -> sqlite3.Connection:
    """The file, with its tables. Raises InputError or StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(path, error) from error
    try:
        database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise StorageError(path, str(error)) from error
    try:
        _prepare(database, path)
    except sqlite3.DatabaseError as error:
        database.close()
        if isinstance(error, sqlite3.OperationalError):
            raise StorageError(path, str(error)) from error
        raise InputError(f"is no outbox: {error}", file=path) from error
    except InputError:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Makes the tables where there are none; several processes may be about it at once."""
    database.execute("BEGIN")
    version, application = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("user_version", "application_id")
    )
    empty = database.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    database.execute("COMMIT")
    if not empty and application != APPLICATION:
        raise InputError("is another program's SQLite file, not an outbox", file=path)
    if version > VERSION:
        problem = f"is of a later darkscan (version {version}, this one knows {VERSION})"
        raise InputError(problem, file=path)
    _log_ahead(database)
    if empty:
        database.executescript(SCHEMA)
    database.execute(f"PRAGMA journal_size_limit = {_LARGEST_LOG}")


def _log_ahead(database: sqlite3.Connection) -> None:
    """Switches to a write-ahead log; SQLite itself does not wait while another one does so."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
