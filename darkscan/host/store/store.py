"""The store: a folder that keeps what rigs send, for one host at a time."""

import shutil
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from darkscan.host.store import _frames, _maps, _retention, _reviews, _scans, _timings
from darkscan.host.store._database import Database, migrate, migrations
from darkscan.host.store._folder import DATABASE_NAME, TILES_NAME, FolderLock, prepare_folder
from darkscan.host.store._presence import Presence
from darkscan.host.store._receiving import Receiver
from darkscan.host.store._tiles import TileFiles
from darkscan.host.store.columns import DefectColumns, FrameColumns, ShapeColumns
from darkscan.host.store.types import (
    NewReview,
    NotKept,
    Performance,
    Removed,
    RetentionRules,
    Review,
    RigName,
    ScanDetails,
    ScanPage,
    ScanQuery,
    StoredTile,
    StoreEvent,
)
from darkscan.pipeline.core.arrays import UInt8Array
from darkscan.pipeline.core.defect_map import Defect
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link.messages import News, Parcel, Receipt, ScanBegan

_LARGEST_INT = 2**63 - 1
_ALL = ScanQuery()


class Sizes(NamedTuple):
    """Bytes on the disk."""

    database: int
    tiles: int
    free: int
    """What the file system has left."""


class Store:
    """What the host keeps. All methods may be called from any thread, at the same time.

    Methods that write raise StorageError if the disk will not take it; what they were to
    write is then not kept at all. Methods that take a scan's id raise NotKept if there is
    no such scan.
    """

    def __init__(self, folder: Path) -> None:
        """See ``open``."""
        with ExitStack() as undo:
            prepare_folder(folder)
            lock = FolderLock(folder)
            undo.callback(lock.release)
            migrate(folder / DATABASE_NAME, migrations())
            self.folder = folder
            self._database = Database(folder / DATABASE_NAME)
            undo.callback(self._database.close)
            self._tiles = TileFiles(folder / TILES_NAME)
            undo.callback(self._tiles.close)
            self._presence = Presence()
            self._receiver = Receiver(self._database, self._tiles, self._presence, self._announce)
            self._callbacks: dict[object, Callable[[StoreEvent], None]] = {}
            self._callbacks_lock = threading.Lock()
            self._log = structlog.get_logger()
            self._closing = undo.pop_all()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The store in a folder; made if there is no such folder, or if it is empty.

        Raises InputError if it is no store, one of a later version, or in use by another
        process, and StorageError if it cannot be written.
        """
        return cls(folder)

    def close(self) -> None:
        """Closes all files, and lets the folder go."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # What rigs send

    def receive(self, rig: RigName, parcels: Sequence[Parcel]) -> list[Receipt]:
        """Keeps parcels; when this returns, what was kept survives a loss of power.

        Gives a receipt for each, in their order. Durable parcels are kept all in one
        transaction, then tiles. Receiving one again does no harm. What cannot be kept, ever,
        is refused with the reason. Raises StorageError if the disk will not take them: then
        nothing may be answered, and the rig will send them again.
        """
        return self._receiver.receive(rig, parcels)

    def hear(self, rig: RigName, news: News) -> None:
        """Takes note of a running scan's progress, in memory; of other scans it is ignored."""
        with self._database.reading() as connection:
            scan = _scans.find_scan(connection, news.scan)
        if scan is None or scan.rig != rig or scan.outcome is not None:
            return
        heard = self._presence.hear(news.scan, news.progress)
        self._announce([StoreEvent("progress", news.scan, heard.model_dump(mode="json"))])

    def subscribe(self, callback: Callable[[StoreEvent], None]) -> Callable[[], None]:
        """Has ``callback`` called with each event after it is on the disk; gives its end.

        It is called from the thread that received or reviewed, and must be quick.
        """
        name = object()
        with self._callbacks_lock:
            self._callbacks[name] = callback

        def end() -> None:
            with self._callbacks_lock:
                self._callbacks.pop(name, None)

        return end

    def _announce(self, events: Sequence[StoreEvent]) -> None:
        with self._callbacks_lock:
            callbacks = list(self._callbacks.values())
        for event in events:
            for callback in callbacks:
                try:
                    callback(event)
                except Exception:  # noqa: BLE001 - what is kept must be answered, whoever hears
                    self._log.exception("an event was not heard", kind=event.kind)

    # What is kept

    def scans(self, query: ScanQuery = _ALL) -> ScanPage:
        """Scans, the newest first."""
        with self._database.reading() as connection:
            return _scans.list_scans(connection, query, self._presence.heard())

    def scan(self, scan_id: str) -> ScanDetails:
        """All about a scan except its frames, defects, areas and tiles."""
        with self._of(scan_id) as (connection, scan):
            tiles = self._tiles.count(scan_id)
            found = _scans.details(connection, scan, self._presence.heard(), tiles)
        progress = self._presence.progress(scan_id)
        return found if progress is None else found.model_copy(update={"progress": progress})

    def began(self, scan_id: str) -> ScanBegan:
        """How a scan began, as its rig said it: its plan, its recording, its geometry."""
        with self._of(scan_id) as (connection, scan):
            return _scans.beginning(connection, scan)

    def frames(self, scan_id: str, after: int = 0) -> FrameColumns:
        """The frames that changed after a revision; of revision 0, all."""
        with self._of(scan_id) as (connection, scan):
            return _frames.read_frames(connection, scan, _within(after))

    def shapes(self, scan_id: str, after: int = 0) -> ShapeColumns:
        """The lines and spots that were traced after a revision; of revision 0, all."""
        with self._of(scan_id) as (connection, scan):
            return _frames.read_shapes(connection, scan, _within(after))

    def scores(self, scan_id: str, frame: int) -> UInt8Array:
        """(W,) The scores of a frame's windows in their order, 255 is certain.

        Raises NotKept if the frame was not inspected.
        """
        with self._of(scan_id) as (connection, scan):
            return _frames.read_scores(connection, scan, _within(frame))

    def defects(self, scan_id: str) -> DefectColumns:
        """The defects of the map as columns. Raises NotKept if there is no map."""
        return DefectColumns(self._part(scan_id, "columns"))

    def defect(self, scan_id: str, defect_id: str) -> Defect:
        """A defect as the map has it. Raises NotKept if there is none of this id."""
        with self._of(scan_id) as (connection, scan):
            return _maps.one_defect(connection, scan, defect_id)

    def areas(self, scan_id: str) -> bytes:
        """The map's areas: a JSON list of ``defect_map.Area``. Raises NotKept without a map."""
        return zlib.decompress(self._part(scan_id, "areas"))

    def map_bytes(self, scan_id: str) -> bytes:
        """defect-map.json, byte for byte. Raises NotKept if there is none."""
        return zlib.decompress(self._part(scan_id, "map"))

    def run_bytes(self, scan_id: str) -> bytes:
        """run.json, byte for byte. Raises NotKept if there is none."""
        return zlib.decompress(self._part(scan_id, "run"))

    def trace_bytes(self, scan_id: str) -> bytes:
        """trace.json, byte for byte. Raises NotKept if there is none."""
        return zlib.decompress(self._part(scan_id, "trace"))

    def tile(self, scan_id: str, level: int, x: int, y: int) -> StoredTile | None:
        """A tile of a scan's picture; None if it has not come, or no longer is there."""
        with self._database.reading() as connection:
            _scans.scan_key(connection, scan_id)
        return self._tiles.read(scan_id, _within(level), _within(x), _within(y))

    def stage_timings(self, scan_id: str) -> Performance:
        """How long frames waited for each stage, and how long it worked on them.

        From what came while the scan ran; else from the trace that came with the map.
        """
        with self._of(scan_id) as (connection, scan):
            found = _timings.performance(connection, scan)
        if not found.stages:
            try:
                return _timings.performance_of_trace(self.trace_bytes(scan_id))
            except NotKept:
                pass
        return found

    # What people say

    def review(self, scan_id: str, review: NewReview) -> Review:
        """Appends to the log of reviews. Raises NotKept if the map has no such defect."""
        with self._of(scan_id) as (connection, scan):
            _maps.one_defect(connection, scan, review.defect)
        with self._database.writing() as connection:
            kept = _reviews.append_review(connection, scan_id, review)
        self._announce([StoreEvent("review", scan_id, kept.model_dump(mode="json"))])
        return kept

    def reviews(self, scan_id: str, after: int = 0) -> list[Review]:
        """The reviews of a scan's defects with numbers above ``after``, in their order."""
        with self._of(scan_id) as (connection, _):
            return _reviews.list_reviews(connection, scan_id, _within(after))

    def check_reviews(self) -> int | None:
        """The number of the first review that is not as it was written; None: all are."""
        with self._database.reading() as connection:
            return _reviews.check_reviews(connection)

    # What need not be kept

    def tidy(self, rules: RetentionRules) -> list[Removed]:
        """Removes what the rules let go; never of a running scan, never reviews."""
        removed = _retention.tidy(self._database, self._tiles, rules)
        for one in removed:
            self._log.info("removed by rule", **one._asdict())
        return removed

    def sizes(self) -> Sizes:
        """How much room the store takes, and how much is left."""
        try:
            database = sum(path.stat().st_size for path in self.folder.glob(f"{DATABASE_NAME}*"))
            return Sizes(database, self._tiles.total(), shutil.disk_usage(self.folder).free)
        except OSError as error:
            raise StorageError(self.folder, error) from error

    @contextmanager
    def _of(self, scan_id: str) -> Iterator[tuple[Connection, int]]:
        """A connection for reading, and the scan's key."""
        with self._database.reading() as connection:
            yield connection, _scans.scan_key(connection, scan_id)

    def _part(self, scan_id: str, part: str) -> bytes:
        with self._of(scan_id) as (connection, scan):
            return _maps.map_part(connection, scan, part)


def _within(number: int) -> int:
    """A number as SQLite takes it."""
    return min(max(number, -1), _LARGEST_INT)
