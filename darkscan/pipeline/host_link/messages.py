"""What a rig tells the host computer, and what the host answers.

Contents of three classes travel. Durable ones (``DURABLE``) wait in the rig's outbox until
the host has committed them. Bulk ones (``Tile``) wait there too, but a full outbox drops
them first; a later revision of a tile replaces an earlier one. Of the latest ones
(``Progress``) only the newest counts: they are never queued, nor answered.

Durable and bulk contents travel in a ``Parcel``, which the host answers with a ``Receipt``;
receiving a parcel twice is as receiving it once.
"""

import re
import secrets
from typing import Annotated, Literal, Self, get_args

import numpy as np
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from darkscan.pipeline.core.defect_map import Box
from darkscan.pipeline.core.frame_results import (
    DEFECT_KINDS,
    STAGES,
    Array,
    LedgerSums,
    Record,
)
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement
from darkscan.pipeline.core.units import ElementMm, OneLine, PitchUm, Positive
from darkscan.pipeline.core.wire import WireFormat

HOST_WIRE_VERSION = 1
LARGEST_CONTENT = 64 * 2**20
LARGEST_TILE = 4 * 2**20
_ENVELOPE_BYTES = 4096
_ID_BYTES = 16

TILE_PX = 512
"""The side of a tile of the picture, pixels; those at its right and lower borders are cut."""

MOST_LEVELS = 24

ScanId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Names a scan for ever and everywhere: 32 hexadecimal digits."""

ParcelId = Annotated[bytes, Field(min_length=_ID_BYTES, max_length=_ID_BYTES)]
Words = Annotated[OneLine, Field(max_length=300)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

ScanOutcome = Literal["complete", "incomplete", "failed", "aborted", "died"]
"""How a scan ended: with a whole map, with one that lists what was not inspected, with an
error, by the operator's will without a map, or with its processes, unsaid."""

OUTCOMES = ("mapped", "quarantined", "lost")
"""The ends of a frame, in the order of ``FramesSettled.outcomes``."""


def _in_utc(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text):
        raise ValueError(f"must read 2026-01-31T12:00:00Z, is {text!a:.60}")
    return text


Utc = Annotated[str, AfterValidator(_in_utc)]
"""A moment by the sender's clock, in ISO 8601, UTC."""


def new_id() -> bytes:
    """A parcel's name."""
    return secrets.token_bytes(_ID_BYTES)


def _expect(name: str, array: Array, dtype: type[np.generic], *shape: int | None) -> None:
    """Raises ValueError unless an array has this dtype, this shape (None: any) and is finite."""
    fits = array.ndim == len(shape) and all(
        side in {None, got} for side, got in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise ValueError(f"{name} must be {np.dtype(dtype)} of shape {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")


class Pyramid(Record):
    """The picture of a scan: tiles of ``TILE_PX`` at levels that each halve the one before.

    Level 0 has pixels of ``pitch_um``; its pixel corner (0, 0) is the element's top left
    corner. A pixel of a level above is the brightest of the four below it. Grey levels are
    ``255 * asinh(level / softening) / asinh(full_scale / softening)``; 0 is "not seen".
    """

    width_px: int = Field(ge=1, le=2**24, description="of level 0")
    height_px: int = Field(ge=1, le=2**24, description="of level 0")
    pitch_um: PitchUm
    levels: int = Field(ge=1, le=MOST_LEVELS, description="the last one is a single tile")
    softening: Positive = Field(description="the camera's grey levels")
    full_scale: int = Field(ge=1, le=65_535, description="the camera's largest grey level")
    finest: int = Field(
        ge=0, le=MOST_LEVELS, description="the finest level that is sent of the whole element"
    )


class ScanBegan(Record):
    """Durable: a scan begins, or began; everything that is known of it before its first frame."""

    element: OneLine = Field(min_length=1, max_length=200)
    side: OneLine = Field(min_length=1, max_length=200)
    element_size_mm: tuple[ElementMm, ElementMm] = Field(description="width and height")
    region_mm: Box = Field(description="x, y, width, height of what is to be inspected")
    pitch_um: PitchUm
    origin: Literal["run", "replay", "sent"] = Field(description="what began it")
    began: Utc
    rig: OneLine = Field(default="", max_length=200, description="as the scan names it")
    calibration: OneLine = Field(default="", max_length=400)
    recipe: OneLine = Field(max_length=200)
    recipe_hash: OneLine = Field(max_length=100)
    model: OneLine = Field(max_length=200)
    model_hash: OneLine = Field(max_length=100)
    window: int = Field(ge=1, le=4096)
    stride: int = Field(ge=1, le=4096)
    threshold: Fraction
    grow_threshold: Fraction
    recording: str = Field(
        default="", max_length=4096, description="where its recording lies on the rig; or nowhere"
    )
    frame_shape: tuple[int, int] | None = Field(default=None, description="height, width, pixels")
    pixel_to_stage: PixelToStage | None = None
    stage_to_element: StageToElement | None = Field(
        default=None, description="for the stage's coordinates of a place; a rig's scan has it"
    )
    frames: Array = Field(description="(N,) int64, numbers of the planned frames, in scan order")
    strips: Array = Field(description="(N,) int32")
    places_mm: Array = Field(
        description="(N, 2) float64, planned x and y of each frame's pixel corner (0, 0)"
    )
    picture: Pyramid | None = Field(default=None, description="None: no tiles will come")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _expect("frames", self.frames, np.int64, None)
        _expect("strips", self.strips, np.int32, len(self.frames))
        _expect("places_mm", self.places_mm, np.float64, len(self.frames), 2)
        return self


class Shapes(Record):
    """Lines and spots as they were traced frame by frame, L of them with P points in all."""

    points_mm: Array = Field(description="(P, 2) float32, x and y on the element, in turn")
    counts: Array = Field(description="(L,) int32, how many points each has")
    frames: Array = Field(description="(L,) int64, the frame each was traced in")
    kinds: Array = Field(description="(L,) uint8, its place in DEFECT_KINDS")
    widths_um: Array = Field(description="(L,) float32, apparent width; spots: 0")
    contrasts: Array = Field(description="(L,) float32, above the noise")

    @classmethod
    def none(cls) -> Self:
        """Not one."""
        return cls(
            points_mm=np.empty((0, 2), np.float32),
            counts=np.empty(0, np.int32),
            frames=np.empty(0, np.int64),
            kinds=np.empty(0, np.uint8),
            widths_um=np.empty(0, np.float32),
            contrasts=np.empty(0, np.float32),
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        lines = self.counts.size
        _expect("points_mm", self.points_mm, np.float32, None, 2)
        _expect("counts", self.counts, np.int32, lines)
        _expect("frames", self.frames, np.int64, lines)
        _expect("kinds", self.kinds, np.uint8, lines)
        _expect("widths_um", self.widths_um, np.float32, lines)
        _expect("contrasts", self.contrasts, np.float32, lines)
        if (self.counts < 1).any() or self.counts.sum() != len(self.points_mm):
            raise ValueError("counts must be 1 or more and add up to the points")
        if (self.kinds >= len(DEFECT_KINDS)).any():
            raise ValueError("kinds must be places in DEFECT_KINDS")
        return self


class FramesSettled(Record):
    """Durable: n more frames are inspected, or will not be; the map grows by them."""

    frames: Array = Field(description="(n,) int64, their numbers")
    outcomes: Array = Field(description="(n,) uint8, places in OUTCOMES")
    reasons: tuple[Words, ...] = Field(description="n, why not inspected; empty for mapped ones")
    places_mm: Array = Field(description="(n, 2) float64, measured x and y of pixel corner (0, 0)")
    positives: Array = Field(description="(n,) int32, windows over the threshold")
    scores: Array = Field(
        description="(n, W) uint8, of each frame's windows in their order, 255 is certain; "
        "rows of frames not inspected are 0"
    )
    shapes: Shapes
    stamps: Array = Field(
        description="(S, 6) int64: frame, stage's place in STAGES, worker, and when it was "
        "received, started and finished, ns on the rig's monotonic clock"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        count = self.frames.size
        _expect("frames", self.frames, np.int64, count)
        _expect("outcomes", self.outcomes, np.uint8, count)
        _expect("places_mm", self.places_mm, np.float64, count, 2)
        _expect("positives", self.positives, np.int32, count)
        _expect("scores", self.scores, np.uint8, count, None)
        _expect("stamps", self.stamps, np.int64, None, 6)
        if len(self.reasons) != count or (self.outcomes >= len(OUTCOMES)).any():
            raise ValueError("each frame has an outcome of OUTCOMES and a reason")
        if not np.isin(self.stamps[:, 1], range(len(STAGES))).all():
            raise ValueError("stamps must be of stages in STAGES")
        return self


class MapFinished(Record):
    """Durable: the defect map of the finished scan, byte for byte as it was written."""

    map_zlib: bytes = Field(description="defect-map.json, compressed by zlib")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="of defect-map.json"
    )
    run_zlib: bytes = Field(default=b"", description="run.json, compressed; empty: none")
    trace_zlib: bytes = Field(default=b"", description="trace.json, compressed; empty: none")


class ScanEnded(Record):
    """Durable: nothing more will be found by this scan; tiles may still come."""

    outcome: ScanOutcome
    reason: Words = Field(default="", description="why, unless it is complete")
    ended: Utc
    seconds: NotNegative
    frames_not_pictured: int = Field(ge=0, description="inspected, but not in the picture")


class Tile(Record):
    """Bulk: a tile of the scan's picture; a later revision replaces an earlier one."""

    level: int = Field(ge=0, lt=MOST_LEVELS)
    x: int = Field(ge=0, lt=2**20, description="column of tiles")
    y: int = Field(ge=0, lt=2**20, description="row of tiles")
    revision: int = Field(ge=1, lt=2**31)
    final: bool = Field(description="whether no later revision is expected")
    jpeg: bytes = Field(max_length=LARGEST_TILE, description="grey")


class StageHealth(Record):
    """A process of the run, as it is now."""

    stage: OneLine = Field(max_length=40)
    index: int = Field(ge=0)
    frames: int = Field(ge=0)
    windows: int = Field(ge=0)
    queue: int = Field(ge=0)
    restarts: int = Field(ge=0)
    doing: Words = ""
    waiting_ms: tuple[NotNegative, NotNegative] | None = Field(
        default=None, description="median and 99th percentile, of its latest frames"
    )
    working_ms: tuple[NotNegative, NotNegative] | None = Field(
        default=None, description="median and 99th percentile, of its latest frames"
    )


class Progress(Record):
    """Latest: how far the scan is, and how its processes are."""

    at: Utc
    sums: LedgerSums | None = None
    frames_per_s: NotNegative = 0.0
    windows_per_s: NotNegative = 0.0
    left_s: NotNegative | None = None
    doing: Words = Field(default="", description="what the scan is at, in words")
    stopping: bool = False
    held: bool = False
    ended_early: dict[Words, Words] = Field(
        default={}, max_length=20, description="stages that are no more, and why"
    )
    stages: tuple[StageHealth, ...] = Field(default=(), max_length=600)
    parcels_waiting: int = Field(default=0, ge=0, description="in the rig's outbox, for this host")
    tiles_dropped: int = Field(default=0, ge=0, description="of this scan, as it was full")


Durable = ScanBegan | FramesSettled | MapFinished | ScanEnded
Content = Durable | Tile
DURABLE: tuple[type[Durable], ...] = get_args(Durable)


class Hello(Record):
    """rig -> host: who is there."""

    rig: OneLine = Field(min_length=1, max_length=80, description="its computer's name")
    version: OneLine = Field(max_length=40, description="its darkscan's")


class Welcome(Record):
    """host -> rig: go on."""

    host: OneLine = Field(min_length=1, max_length=80)
    version: OneLine = Field(max_length=40)


class Parcel(Record):
    """rig -> host: a durable or bulk content."""

    id: ParcelId
    scan: ScanId
    content: bytes = Field(max_length=LARGEST_CONTENT, description="as ``encode_content`` gives it")


class News(Record):
    """rig -> host: a latest content."""

    scan: ScanId
    progress: Progress


class Receipt(Record):
    """host -> rig: what became of a parcel."""

    id: ParcelId
    outcome: Literal["stored", "known", "refused"] = Field(
        description="stored: on the host's disk; known: had been before; refused: never will be"
    )
    reason: Words = Field(default="", description="why it was refused")


class Receipts(Record):
    """host -> rig: what became of several parcels."""

    receipts: tuple[Receipt, ...] = Field(max_length=1000)


class Rejected(Record):
    """host -> rig: this host will not listen."""

    reason: Words


LinkMessage = Hello | Welcome | Parcel | News | Receipts | Rejected

_LINK: WireFormat[LinkMessage] = WireFormat(
    get_args(LinkMessage), version=HOST_WIRE_VERSION, largest=LARGEST_CONTENT + _ENVELOPE_BYTES
)
_CONTENTS: WireFormat[Content] = WireFormat(
    get_args(Content), version=HOST_WIRE_VERSION, largest=LARGEST_CONTENT
)
LARGEST_LINK_MESSAGE = _LINK.largest

encode_link, decode_link = _LINK.encode, _LINK.decode
"""A message of the link as bytes, and back; both raise WireError."""

encode_content, decode_content = _CONTENTS.encode, _CONTENTS.decode
"""A parcel's content as bytes, and back; both raise WireError."""
