"""Takes in what rigs send: reads it, keeps it, and says what became of each parcel."""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, assert_never

import structlog

from darkscan.host.store import _clock
from darkscan.host.store._contents import Readable, read_content
from darkscan.host.store._database import Database
from darkscan.host.store._frames import (
    frame_counts,
    plan_frames,
    settle_frames,
)
from darkscan.host.store._maps import PreparedMap, keep_map, map_sha256
from darkscan.host.store._presence import Presence
from darkscan.host.store._refusals import (
    ANOTHERS_SCAN,
    BEGAN_OTHERWISE,
    ENDED_OTHERWISE,
    HAS_A_MAP,
    OUR_FAULT,
    TILES_REMOVED,
    Refused,
)
from darkscan.host.store._scans import (
    UNFINISHED,
    ScanRow,
    begin_scan,
    beginning,
    end_scan,
    find_scan,
    go_on,
    scan_row,
    summary,
)
from darkscan.host.store._tiles import TileFiles, check_tile
from darkscan.host.store.types import EventKind, RigName, StoreEvent
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.host_link.messages import (
    FramesSettled,
    Parcel,
    Pyramid,
    Receipt,
    ScanBegan,
    ScanEnded,
    Tile,
)

_LONGEST_REASON = 300
_PICTURES_REMEMBERED = 64
_SAME = (
    *("element", "side", "element_size_mm", "region_mm", "pitch_um"),
    *("recipe_hash", "model_hash", "threshold", "grow_threshold", "window", "stride"),
)
"""What two beginnings of one scan must agree in. The rest is as the first of them said: a
folder that is sent later tells less of the plan, and has another origin."""


class _Read(NamedTuple):
    """A parcel whose content can be kept."""

    place: int
    """Among the parcels that came together."""
    parcel: Parcel
    content: Readable


class Receiver:
    """Keeps parcels in the database and the files of tiles."""

    def __init__(
        self,
        database: Database,
        tiles: TileFiles,
        presence: Presence,
        announce: Callable[[Sequence[StoreEvent]], None],
    ) -> None:
        self._database = database
        self._tiles = tiles
        self._presence = presence
        self._announce = announce
        self._pictures: OrderedDict[str, Pyramid | None] = OrderedDict()
        self._log = structlog.get_logger()

    def receive(self, rig: RigName, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Keeps parcels; see ``Store.receive``."""
        answers: dict[int, Receipt] = {}
        readable: list[_Read] = []
        known = self._known(parcels)
        for place, parcel in enumerate(parcels):
            if parcel.id in known:
                answers[place] = Receipt(id=parcel.id, outcome="known")
                continue
            try:
                readable.append(_Read(place, parcel, read_content(parcel.content)))
            except Refused as refusal:
                answers[place] = self._refuse(rig, parcel, str(refusal))
            except Exception:  # noqa: BLE001 - whatever a rig sends, the host goes on
                self._log.exception("a parcel could not be read", rig=rig, scan=parcel.scan)
                answers[place] = self._refuse(rig, parcel, OUR_FAULT)
        durable = [one for one in readable if not isinstance(one.content, Tile)]
        if durable:
            answers |= self._keep_durable(rig, durable)
        tiles = [one for one in readable if isinstance(one.content, Tile)]
        answers |= self._keep_tiles(rig, tiles)
        return [answers[place] for place in range(len(parcels))]

    def _known(self, parcels: Sequence[Parcel]) -> set[bytes]:
        """The ids of those that were kept before."""
        with self._database.reading() as connection:
            return {parcel.id for parcel in parcels if _is_known(connection, parcel)}

    def _refuse(self, rig: RigName, parcel: Parcel, reason: str) -> Receipt:
        reason = printable(reason.replace("\n", " "))[:_LONGEST_REASON]
        self._log.warning("parcel refused", rig=rig, scan=parcel.scan, reason=reason)
        return Receipt(id=parcel.id, outcome="refused", reason=reason)

    # Durable parcels

    def _keep_durable(self, rig: RigName, readable: Sequence[_Read]) -> dict[int, Receipt]:
        """Keeps them in one transaction; tells of what is new once it is on the disk."""
        answers: dict[int, Receipt] = {}
        events: dict[tuple[str, str], StoreEvent] = {}
        with self._database.writing() as connection:
            for one in readable:
                parcel = one.parcel
                try:
                    is_new = self._keep_one(connection, rig, one)
                except Refused as refusal:
                    answers[one.place] = self._refuse(rig, parcel, str(refusal))
                    continue
                outcome = "stored" if is_new else "known"
                answers[one.place] = Receipt(id=parcel.id, outcome=outcome)
                if is_new:
                    kind = _EVENTS[type(one.content)]
                    events[parcel.scan, kind] = StoreEvent(kind, parcel.scan, {})
            heard = self._presence.heard()
            told = [_told(connection, event, heard) for event in events.values()]
            scans = [find_scan(connection, name) for name in {one.parcel.scan for one in readable}]
        for scan in scans:
            if scan is not None and scan.rig == rig:
                self._presence.heard_of(scan.id, running=scan.outcome is None)
        self._announce(told)
        return answers

    def _keep_one(self, connection: sqlite3.Connection, rig: RigName, one: _Read) -> bool:
        """Writes one content; False if it was here already. Raises Refused; then it is not."""
        connection.execute("SAVEPOINT parcel")
        try:
            is_new = self._write_once(connection, rig, one)
        except (Refused, sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
            connection.execute("ROLLBACK TO parcel")
            connection.execute("RELEASE parcel")
            if isinstance(error, Refused):
                raise
            # Not the disk's fault: the same content would never be kept.
            self._log.exception("a parcel could not be kept", rig=rig, scan=one.parcel.scan)
            raise Refused(OUR_FAULT) from error
        connection.execute("RELEASE parcel")
        return is_new

    def _write_once(self, connection: sqlite3.Connection, rig: RigName, one: _Read) -> bool:
        if _is_known(connection, one.parcel):
            return False
        scan, is_new = self._write(connection, rig, one)
        connection.execute("INSERT INTO parcels VALUES (?, ?)", (one.parcel.id, scan))
        connection.execute("UPDATE scans SET heard = ? WHERE key = ?", (_clock.now(), scan))
        return is_new

    def _write(self, connection: sqlite3.Connection, rig: RigName, one: _Read) -> tuple[int, bool]:
        """Gives the scan's key and whether anything was new."""
        content = one.content
        if isinstance(content, ScanBegan):
            return _begin(connection, rig, one.parcel, content)
        scan = scan_row(connection, one.parcel.scan, rig)
        match content:
            case FramesSettled():
                count = not scan.has_map
                return scan.key, settle_frames(connection, scan.key, content, count=count) > 0
            case PreparedMap():
                return scan.key, _map(connection, scan, content)
            case ScanEnded():
                return scan.key, self._end(connection, scan, content)
            case Tile():
                raise AssertionError("tiles are kept elsewhere")
            case _:
                assert_never(content)

    def _end(self, connection: sqlite3.Connection, scan: ScanRow, content: ScanEnded) -> bool:
        if scan.outcome == content.outcome or (scan.outcome and content.outcome == "died"):
            return False
        if scan.outcome is not None and scan.outcome not in UNFINISHED:
            raise Refused(ENDED_OTHERWISE)
        last = self._presence.progress(scan.id)
        end_scan(connection, scan.key, content, tiles_dropped=last.tiles_dropped if last else 0)
        return True

    # Tiles

    def _keep_tiles(self, rig: RigName, readable: Sequence[_Read]) -> dict[int, Receipt]:
        """Keeps tiles, scan by scan; tells of those that are new."""
        answers: dict[int, Receipt] = {}
        for scan_id in dict.fromkeys(one.parcel.scan for one in readable):
            mine = [one for one in readable if one.parcel.scan == scan_id]
            with self._tiles.lock:
                good = []
                for one in mine:
                    try:
                        good.append((one, self._checked(rig, one)))
                    except Refused as refusal:
                        answers[one.place] = self._refuse(rig, one.parcel, str(refusal))
                kept = self._tiles.keep(scan_id, [tile for _, tile in good]) if good else []
            new = []
            for (one, tile), is_new in zip(good, kept, strict=True):
                outcome = "stored" if is_new else "known"
                answers[one.place] = Receipt(id=one.parcel.id, outcome=outcome)
                if is_new:
                    new.append([tile.level, tile.x, tile.y, tile.revision])
            if new:
                self._announce([StoreEvent("tiles", scan_id, {"tiles": new})])
        return answers

    def _checked(self, rig: RigName, one: _Read) -> Tile:
        assert isinstance(one.content, Tile)
        with self._database.reading() as connection:
            scan = scan_row(connection, one.parcel.scan, rig)
            if scan.tiles_removed:
                raise Refused(TILES_REMOVED)
            if scan.id not in self._pictures:
                self._pictures[scan.id] = beginning(connection, scan.key).picture
                while len(self._pictures) > _PICTURES_REMEMBERED:
                    self._pictures.popitem(last=False)
        self._presence.heard_of(scan.id, running=scan.outcome is None)
        check_tile(one.content, self._pictures[scan.id])
        return one.content


_EVENTS: dict[type[Readable], EventKind] = {
    ScanBegan: "scan",
    FramesSettled: "frames",
    PreparedMap: "map",
    ScanEnded: "ended",
}


def _is_known(connection: sqlite3.Connection, parcel: Parcel) -> bool:
    found = connection.execute("SELECT 1 FROM parcels WHERE id = ?", (parcel.id,)).fetchone()
    return found is not None


def _begin(
    connection: sqlite3.Connection, rig: RigName, parcel: Parcel, content: ScanBegan
) -> tuple[int, bool]:
    scan = find_scan(connection, parcel.scan)
    if scan is None:
        key = begin_scan(connection, parcel.scan, rig, content, parcel.content)
        plan_frames(connection, key, content)
        return key, True
    if scan.rig != rig:
        raise Refused(ANOTHERS_SCAN)
    before = beginning(connection, scan.key)
    for name in _SAME:
        if getattr(before, name) != getattr(content, name):
            raise Refused(f"{BEGAN_OTHERWISE}: {name}")
    return scan.key, go_on(connection, scan.key)


def _map(connection: sqlite3.Connection, scan: ScanRow, content: PreparedMap) -> bool:
    before = map_sha256(connection, scan.key)
    if before is None:
        keep_map(connection, scan.key, content)
    elif before != content.sha256:
        raise Refused(HAS_A_MAP)
    return before is None


def _told(connection: sqlite3.Connection, event: StoreEvent, heard: dict[str, float]) -> StoreEvent:
    """An event with what there is to say of its scan."""
    scan = scan_row(connection, event.scan)
    if event.kind == "frames":
        counts = frame_counts(connection, scan.key).model_dump()
        return event._replace(data={"revision": scan.revision, "frames": counts})
    return event._replace(data=summary(connection, scan.key, heard).model_dump(mode="json"))
