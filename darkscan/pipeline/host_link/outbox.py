"""What waits on the rig until the host has it: an SQLite file for all scans of a user.

Several processes put into it at once. Durable parcels are on the disk (write-ahead log,
synchronous=FULL) before ``put`` returns. Tiles are not waited for: a power cut may take the
latest ones, a killed process takes none. Their contents are files beside the SQLite file, so
that a full disk gets their room back for durable parcels.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.folders import state_folder
from darkscan.pipeline.host_link._database import Database
from darkscan.pipeline.host_link._waiting_tiles import WaitingTiles
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

_ROOM_WHEN_FULL = 16 * 2**20
_FORGET_AFTER_S = 30 * 24 * 3600.0


class OutboxCounts(NamedTuple):
    """What an outbox holds for its destination, of one scan or of all."""

    parcels: int
    """Durable ones that wait."""
    tiles: int
    """That wait."""
    bytes: int
    """Of all that is held, refused parcels too."""
    tiles_dropped: int
    """As there was no room, or as the host refused them."""
    refused: int
    """Durable parcels that the host refused; they are kept, and not sent."""


class BegunScan(NamedTuple):
    """A scan whose beginning was put, and whose end was not."""

    scan: str
    put_at: float
    """When its latest durable parcel was put, Unix time."""


class _Waiting(NamedTuple):
    id: bytes
    bytes: int
    is_tile: bool


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
        self._db = Database(path)
        try:
            self._tiles = WaitingTiles(self._db, path.with_name(f"{path.name}-tiles"))
            self._tidy_up()
        except StorageError:
            self._db.close()
            raise

    def put(
        self, scan: str, content: Durable, *, states: Mapping[str, bytes] | None = None
    ) -> bytes:
        """Keeps a durable content until the host has it; returns its parcel's id.

        It is on the disk when this returns, and so is ``states`` (as of ``save_states``): both
        or neither. Raises StorageError if there is no room even when tiles are dropped, and
        WireError if it is too large for a parcel.
        """
        data = encode_content(content)
        try:
            return self._put(scan, content, data, states or {})
        except StorageError:
            if not self._tiles.make_room(2 * len(data) + _ROOM_WHEN_FULL):
                raise
            return self._put(scan, content, data, states or {})

    def put_tile(self, scan: str, tile: Tile) -> bool:
        """Keeps a tile; False if it was dropped, and counted, as there is no room."""
        return self.put_tiles(scan, [tile]) == 1

    def put_tiles(
        self, scan: str, tiles: Iterable[Tile], *, states: Mapping[str, bytes] | None = None
    ) -> int:
        """Keeps tiles, and ``states``, in one commit; returns how many of the tiles are kept.

        A tile takes the place of an earlier one that still waits. What there is no room for is
        dropped and counted. Raises StorageError if ``states`` could not be kept.
        """
        written = self._tiles.write(scan, tiles)
        try:
            with self._writing(durable=False):
                number = self._scan_number(scan)
                replaced = self._tiles.enter(number, self.destination, written)
                self._save(number, states or {})
                dropped = self._tiles.drop(self._excess())
        except StorageError:
            self._tiles.give_up(scan, written)
            if states:
                raise
            return 0
        self._tiles.remove_contents([*replaced, *dropped])
        return len({one.id for one in written} - set(dropped))

    def waiting(
        self, *, limit: int, limit_bytes: int, without: Collection[bytes] = ()
    ) -> list[Parcel]:
        """What is to be sent next: durable parcels in their order, then tiles.

        Of tiles the latest scan's come first, coarse levels before fine ones. At most ``limit``
        parcels of ``limit_bytes`` in all are given, without those whose ids are in ``without``:
        they are under way. A parcel larger than all comes alone. Raises StorageError.
        """
        chosen: list[_Waiting] = []
        left = limit_bytes
        with self._db.reading():
            for waiting in self._queue():
                if waiting.id in without:
                    continue
                if len(chosen) == limit or (waiting.bytes > left and (chosen or without)):
                    break
                chosen.append(waiting)
                left -= waiting.bytes
            parcels = [self._parcel(waiting) for waiting in chosen]
        damaged = [one.id for one, parcel in zip(chosen, parcels, strict=True) if parcel is None]
        if damaged:
            self._tiles.drop_these(damaged)
        return [parcel for parcel in parcels if parcel is not None]

    def settle(self, receipts: Sequence[Receipt]) -> None:
        """Forgets what the host has, and sets aside what it refused. Raises StorageError.

        A receipt for what is not there changes nothing: a later tile may have taken its place.
        """
        tiles = []
        with self._db.writing(durable=False):
            for receipt in receipts:
                refused = receipt.outcome == "refused"
                if self._tiles.forget(receipt.id, count=refused):
                    tiles.append(receipt.id)
                elif refused:
                    self._db.execute(
                        "UPDATE parcels SET reason = ? WHERE id = ?", (receipt.reason, receipt.id)
                    )
                else:
                    self._db.execute("DELETE FROM parcels WHERE id = ?", (receipt.id,))
        self._tiles.remove_contents(tiles)

    def retry_refused(self) -> int:
        """Has refused parcels wait again, for a host that may know better now; how many."""
        with self._db.writing(durable=False):
            return self._db.execute(
                "UPDATE parcels SET reason = NULL WHERE destination = ? AND reason IS NOT NULL",
                (self.destination,),
            ).rowcount

    def counts(self, scan: str | None = None) -> OutboxCounts:
        """What is held for this destination, of one scan or of all. Raises StorageError."""
        with self._db.reading():
            row = self._db.execute(
                "SELECT coalesce(sum(parcels), 0), coalesce(sum(tiles), 0),"
                " coalesce(sum(bytes), 0), coalesce(sum(tiles_dropped), 0),"
                " coalesce(sum(refused), 0) FROM scans"
                " WHERE destination = ? AND scan = coalesce(?, scan)",
                (self.destination, scan),
            ).fetchone()
        counts = OutboxCounts(*row)
        dropped = counts.tiles_dropped + self._tiles.uncounted(scan)
        return counts._replace(tiles_dropped=dropped)

    def other_destinations(self) -> list[str]:
        """Addresses of other hosts for which something waits in the file."""
        with self._db.reading():
            rows = self._db.execute(
                "SELECT DISTINCT destination FROM scans"
                " WHERE destination <> ? AND parcels + tiles > 0 ORDER BY destination",
                (self.destination,),
            ).fetchall()
        return [row[0] for row in rows]

    def begun_not_ended(self) -> list[BegunScan]:
        """The scans whose beginning was put here for this destination, and whose end was not."""
        with self._db.reading():
            rows = self._db.execute(
                "SELECT scan, put_at FROM scans WHERE destination = ? AND begun AND NOT ended"
                " ORDER BY number",
                (self.destination,),
            ).fetchall()
        return [BegunScan(*row) for row in rows]

    def save_state(self, scan: str, key: str, data: bytes) -> None:
        """Keeps bytes of the caller's own, in place of earlier ones of this key."""
        self.save_states(scan, {key: data})

    def save_states(self, scan: str, states: Mapping[str, bytes]) -> None:
        """Keeps several in one commit. Raises StorageError."""
        with self._db.writing(durable=False):
            self._save(self._scan_number(scan), states)

    def load_state(self, scan: str) -> dict[str, bytes]:
        """What ``save_state`` kept of a scan, by key. Raises StorageError."""
        with self._db.reading():
            return dict(
                self._db.execute(
                    "SELECT key, data FROM states JOIN scans ON number = states.scan"
                    " WHERE destination = ? AND scans.scan = ?",
                    (self.destination, scan),
                ).fetchall()
            )

    def clear_state(self, scan: str) -> None:
        """Forgets what ``save_state`` kept of a scan. Raises StorageError."""
        with self._db.writing(durable=False):
            self._db.execute(
                "DELETE FROM states WHERE scan = (SELECT number FROM scans"
                " WHERE destination = ? AND scan = ?)",
                (self.destination, scan),
            )

    def close(self) -> None:
        """Closes the file."""
        if self._tiles.uncounted():
            with suppress(StorageError), self._writing(durable=False):
                pass
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, scan: str, content: Durable, data: bytes, states: Mapping[str, bytes]) -> bytes:
        parcel_id = new_id()
        began, ended = isinstance(content, ScanBegan), isinstance(content, ScanEnded)
        with self._writing(durable=True):
            number = self._scan_number(scan)
            self._db.execute(
                "INSERT INTO parcels (scan, destination, id, kind, bytes, content)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (number, self.destination, parcel_id, type(content).__name__, len(data), data),
            )
            self._db.execute(
                # A scan that ended unfinished may be gone on with: then it begins again.
                "UPDATE scans SET put_at = ?, begun = begun OR ?, ended = (ended AND NOT ?) OR ?"
                " WHERE number = ?",
                (time.time(), began, began, ended, number),
            )
            self._save(number, states)
            dropped = self._tiles.drop(self._excess())
        self._tiles.remove_contents(dropped)
        return parcel_id

    def _queue(self) -> Iterator[_Waiting]:
        """All that waits, in the order of sending; reads no contents."""
        parcels = self._db.execute(
            "SELECT id, bytes, 0 FROM parcels WHERE destination = ? AND reason IS NULL"
            " ORDER BY number",
            (self.destination,),
        )
        yield from map(_Waiting._make, parcels)
        tiles = self._db.execute(
            "SELECT id, bytes, 1 FROM tiles WHERE destination = ?"
            " ORDER BY scan DESC, level DESC, number",
            (self.destination,),
        )
        yield from map(_Waiting._make, tiles)

    def _parcel(self, waiting: _Waiting) -> Parcel | None:
        """The parcel with its content; None if that is damaged."""
        table, column = ("tiles", "checksum") if waiting.is_tile else ("parcels", "content")
        found, scan = self._db.execute(
            f"SELECT {column}, scans.scan FROM {table}"  # noqa: S608 - our own words
            f" JOIN scans ON scans.number = {table}.scan WHERE id = ?",
            (waiting.id,),
        ).fetchone()
        content = self._tiles.content(waiting.id, found) if waiting.is_tile else found
        if content is None:
            return None
        return Parcel(id=waiting.id, scan=scan, content=content)

    def _excess(self) -> int:
        """Bytes beyond the limit; negative: still free."""
        held = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM scans").fetchone()[0]
        return int(held) - self._limit

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[None]:
        """One commit, with the number of tiles that were dropped when it could not be written."""
        with self._db.writing(durable=durable):
            yield
            for scan, tiles in self._tiles.dropped_unsaid.items():
                self._tiles.count_dropped(self._scan_number(scan), tiles)
        self._tiles.dropped_unsaid.clear()

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

    def _save(self, scan: int, states: Mapping[str, bytes]) -> None:
        for key, data in states.items():
            self._db.execute(
                "INSERT OR REPLACE INTO states (scan, key, data) VALUES (?, ?, ?)",
                (scan, key, data),
            )

    def _tidy_up(self) -> None:
        """Forgets old scans' counts, and files that killed processes left."""
        with self._db.writing(durable=False):
            self._db.execute(
                "DELETE FROM scans WHERE ended AND parcels + tiles + refused = 0 AND put_at < ?"
                " AND number NOT IN (SELECT scan FROM states)",
                (time.time() - _FORGET_AFTER_S,),
            )
        self._tiles.sweep()
