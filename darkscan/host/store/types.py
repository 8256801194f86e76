"""What the store gives and takes: scans as the page shows them, reviews, tiles, events.

A record's fields are those of the JSON that the host's web page and programs get.
"""

from typing import Annotated, Any, Literal, NamedTuple, NewType

from pydantic import AfterValidator, Field

from darkscan.pipeline.core.defect_map import Box, NotInspectedKind, Rings, Totals
from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.core.frame_results import DefectKind, Record
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.units import OneLine
from darkscan.pipeline.host_link.messages import Progress, Pyramid, ScanId, Utc

RigName = NewType("RigName", str)
"""The name that the host knows a rig by: of its key in the allow-list, or its own."""

SILENT_S = 15.0
"""A running scan that was not heard of for so long is silent."""

ScanState = Literal["running", "silent", "complete", "incomplete", "failed", "aborted", "died"]
Verdict = Literal["confirmed", "rejected", "open"]

LONGEST_COMMENT = 2000


class NotKept(DarkscanError):  # noqa: N818 - says what is so, as the page does
    """The store does not have what was asked for: no such scan, no map yet, no such defect."""

    exit_code = ExitCode.BAD_INPUT


class ScanQuery(NamedTuple):
    """Which scans to list: the newest first."""

    limit: int = 100
    before: str = ""
    """Where the page of the list before ended (``ScanPage.next``); empty: at the newest."""
    element: str = ""
    """A part of the element's name; empty: all."""
    rig: RigName | None = None
    state: ScanState | None = None
    side: str = ""
    """Empty: all."""


class FrameCounts(Record):
    """How many frames a scan has, and what became of them."""

    planned: int
    mapped: int
    quarantined: int
    lost: int


class DefectCounts(Record):
    """How many defects of each kind a map has."""

    scratch: int
    fibre: int
    dig: int
    dust: int


class ScanSummary(Record):
    """A scan in the list of scans."""

    id: ScanId
    element: str
    side: str
    rig: str = Field(description="the name that the host knows the rig by")
    origin: Literal["run", "replay", "sent"]
    began: Utc
    ended: Utc | None
    state: ScanState
    reason: str = Field(description="why it ended so, unless it is complete")
    frames: FrameCounts
    defects: DefectCounts | None = Field(description="null: the map has not arrived")
    length_mm: float | None = Field(description="of all scratches of the map")
    inspected_fraction: float | None = Field(description="of the region")
    reviewed: int = Field(description="defects that are confirmed or rejected")


class ScanPage(NamedTuple):
    """Some scans of the list, and where the list goes on."""

    scans: list[ScanSummary]
    next: str | None
    """What to give as ``ScanQuery.before``; None: there are no more."""


class Picture(Pyramid):
    """The picture of a scan, and how many of its tiles are here."""

    tiles: int = Field(ge=0)


class NotInspectedPart(Record):
    """A part of the element that was not inspected."""

    kind: NotInspectedKind
    reason: str
    rings: Rings = Field(description="[x_mm, y_mm], the outer ring first, then holes")
    area_mm2: float


class CoverageFigures(Record):
    """How much was inspected: the map's ``coverage`` without its lists."""

    complete: bool
    element_area_mm2: float
    region_area_mm2: float
    inspected_area_mm2: float
    inspected_fraction: float
    inspected_element_fraction: float
    cell_mm: float


class HeardProgress(Progress):
    """What a rig last said of a running scan, and how long ago."""

    heard_s_ago: float = Field(ge=0)


class Removals(Record):
    """What a rule of retention removed of a scan, and when."""

    tiles: Utc | None
    map: Utc | None


class ScanDetails(ScanSummary):
    """All that is known of a scan except its frames, defects, areas and tiles."""

    size_mm: tuple[float, float]
    region_mm: Box
    pitch_um: float
    recipe: str
    recipe_hash: str
    model: str
    model_hash: str
    threshold: float
    calibration: str
    frame_shape: tuple[int, int] | None
    pixel_to_stage: PixelToStage | None = Field(description="how a frame lies on the element")
    picture: Picture | None
    not_inspected: tuple[NotInspectedPart, ...] = Field(description="empty until the map is here")
    totals: Totals | None
    coverage: CoverageFigures | None
    progress: HeardProgress | None = Field(description="null: not running, or not heard of yet")
    reads_recording: bool = Field(
        default=False, description="whether this host can read the scan's recording"
    )
    frames_not_pictured: int = Field(description="inspected, but not in the picture")
    tiles_dropped: int = Field(description="by the rig, as its outbox was full")
    removed: Removals


class StoredTile(NamedTuple):
    """A tile of a scan's picture."""

    revision: int
    final: bool
    """Whether the rig expects no later revision."""
    jpeg: bytes


class Histogram(Record):
    """How long something took over many frames: counts between edges that grow by a factor."""

    edges_ms: tuple[float, ...] = Field(description="one more than counts, ascending")
    counts: tuple[int, ...]
    p50: float = Field(description="median, ms, to within a bin; 0 without frames")
    p99: float = Field(description="99th percentile, ms, to within a bin; 0 without frames")
    max: float = Field(description="the longest, ms")


class StageTimings(Record):
    """One stage of a scan."""

    stage: str
    workers: int = Field(description="how many worked side by side")
    frames: int = Field(description="frames worked on; a frame sent twice counts twice")
    utilization: float = Field(description="share of the scan, times workers, spent on working")
    waiting: Histogram = Field(
        description="between the previous stage's end, or a frame's arrival, and this one's start"
    )
    working: Histogram = Field(description="between this stage's start and end")


class Performance(Record):
    """How fast each stage of a scan was, in the order of the chain."""

    stages: tuple[StageTimings, ...]
    bottleneck: str | None = Field(description="the stage that was busy most; null: no frames yet")


def _a_comment(text: str) -> str:
    if not all(letter.isprintable() or letter == "\n" for letter in text):
        raise ValueError("must be printable text")
    return text


class NewReview(Record):
    """What a person says of a defect."""

    defect: str = Field(pattern=r"^D\d{4,10}$")
    verdict: Verdict
    kind: DefectKind | None = Field(
        default=None, description="what it is instead of what the map says; null: as the map says"
    )
    comment: Annotated[str, AfterValidator(_a_comment)] = Field(
        default="", max_length=LONGEST_COMMENT
    )
    name: OneLine = Field(min_length=1, max_length=80, description="who says so")


class Review(NewReview):
    """An entry of the log of reviews, which is never changed."""

    number: int = Field(description="rises over all reviews of the store")
    at: Utc = Field(description="when, by the host's clock")
    hash: str = Field(description="sha256 over this entry and the hash of the one before")


EventKind = Literal["scan", "frames", "progress", "tiles", "map", "ended", "review"]


class StoreEvent(NamedTuple):
    """Something new in the store. ``data`` is small and JSON."""

    kind: EventKind
    scan: ScanId
    data: dict[str, Any]
    """scan, map, ended: the ScanSummary; frames: {"revision", "frames": FrameCounts};
    progress: HeardProgress; tiles: {"tiles": [[level, x, y, revision], ...]};
    review: Review."""


class RetentionRules(NamedTuple):
    """What may be removed. 0: nothing, for ever."""

    keep_tiles_days: float = 0
    keep_maps_days: float = 0
    tiles_limit_bytes: int = 0
    """Of all scans together; those that ended first go first."""


class Removed(NamedTuple):
    """What a rule removed."""

    scan: ScanId
    element: str
    what: Literal["tiles", "map"]
    size_bytes: int
    reason: str
