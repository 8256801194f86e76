"""The store: a folder that keeps what rigs send, for one host at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from darkscan.host.store.columns import DefectColumns, FrameColumns, ShapeColumns
from darkscan.host.store.types import (
    NewReview,
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
from darkscan.pipeline.host_link.messages import News, Parcel, Receipt, ScanBegan


class Store:
    """What the host keeps. All methods may be called from any thread, at the same time.

    Methods that write raise StorageError if the disk will not take it; what they were to
    write is then not kept at all. Methods that take a scan's id raise NotKept if there is
    no such scan.
    """

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The store in a folder; made if there is no such folder, or if it is empty.

        Raises InputError if it is no store, one of a later version, or in use by another
        process, and StorageError if it cannot be written.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Writes out what is in memory, and lets the folder go."""
        raise NotImplementedError

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
        raise NotImplementedError

    def hear(self, rig: RigName, news: News) -> None:
        """Takes note of a running scan's progress, in memory; unknown scans are ignored."""
        raise NotImplementedError

    def subscribe(self, callback: Callable[[StoreEvent], None]) -> Callable[[], None]:
        """Has ``callback`` called with each event after it is on the disk; gives its end.

        It is called from the thread that received or reviewed, and must be quick.
        """
        raise NotImplementedError

    # What is kept

    def scans(self, query: ScanQuery = ScanQuery()) -> ScanPage:
        """Scans, the newest first."""
        raise NotImplementedError

    def scan(self, scan_id: str) -> ScanDetails:
        """All about a scan except its frames, defects, areas and tiles."""
        raise NotImplementedError

    def began(self, scan_id: str) -> ScanBegan:
        """How a scan began, as its rig said it: its plan, its recording, its geometry."""
        raise NotImplementedError

    def frames(self, scan_id: str, after: int = 0) -> FrameColumns:
        """The frames that changed after a revision; of revision 0, all."""
        raise NotImplementedError

    def shapes(self, scan_id: str, after: int = 0) -> ShapeColumns:
        """The lines and spots that were traced after a revision; of revision 0, all."""
        raise NotImplementedError

    def scores(self, scan_id: str, frame: int) -> UInt8Array:
        """(W,) The scores of a frame's windows in their order, 255 is certain.

        Raises NotKept if the frame was not inspected.
        """
        raise NotImplementedError

    def defects(self, scan_id: str) -> DefectColumns:
        """The defects of the map as columns. Raises NotKept if there is no map."""
        raise NotImplementedError

    def defect(self, scan_id: str, defect_id: str) -> Defect:
        """A defect as the map has it. Raises NotKept if there is none of this id."""
        raise NotImplementedError

    def areas(self, scan_id: str) -> bytes:
        """The map's areas: a JSON list of ``defect_map.Area``. Raises NotKept without a map."""
        raise NotImplementedError

    def map_bytes(self, scan_id: str) -> bytes:
        """defect-map.json, byte for byte. Raises NotKept if there is none."""
        raise NotImplementedError

    def run_bytes(self, scan_id: str) -> bytes:
        """run.json, byte for byte. Raises NotKept if there is none."""
        raise NotImplementedError

    def trace_bytes(self, scan_id: str) -> bytes:
        """trace.json, byte for byte. Raises NotKept if there is none."""
        raise NotImplementedError

    def tile(self, scan_id: str, level: int, x: int, y: int) -> StoredTile | None:
        """A tile of a scan's picture; None if it has not come, or no longer is there."""
        raise NotImplementedError

    def stage_timings(self, scan_id: str) -> Performance:
        """How long frames waited for each stage, and how long it worked on them."""
        raise NotImplementedError

    # What people say

    def review(self, scan_id: str, review: NewReview) -> Review:
        """Appends to the log of reviews. Raises NotKept if the map has no such defect."""
        raise NotImplementedError

    def reviews(self, scan_id: str, after: int = 0) -> list[Review]:
        """The reviews of a scan's defects with numbers above ``after``, in their order."""
        raise NotImplementedError

    def check_reviews(self) -> int | None:
        """The number of the first review that is not as it was written; None: all are."""
        raise NotImplementedError

    # What need not be kept

    def tidy(self, rules: RetentionRules) -> list[Removed]:
        """Removes what the rules let go; never of a running scan, never reviews."""
        raise NotImplementedError

    def sizes(self) -> dict[str, int]:
        """Bytes on the disk: ``database``, ``tiles``, and ``free`` of the file system."""
        raise NotImplementedError
