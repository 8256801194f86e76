"""The result of each frame, and the finished scan that a defect map is made from."""

from collections.abc import Iterable
from itertools import accumulate, islice, takewhile
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.units import Nanoseconds, OneLine

_ARRAY_DTYPES = frozenset({"uint8", "uint16", "int32", "int64", "float32", "float64"})


STAGES = ("acquisition", "preprocessing", "classification", "merging")
"""The stages a frame passes, in their order."""

RIG_STAGES = ("motion", "recording")
"""The stages beside them when a rig is scanned."""

LINK_STAGES = ("gateway", "uplink")
"""The stages beside them that speak with other computers: with workers, with the host."""

SHORTEST_PX = 12.0
"""A line shorter than that is a grain."""

MOST_LINES, MOST_POINTS = 4096, 65_536
"""The most centre lines, or spots, and points of them that one frame may have."""

DefectKind = Literal["scratch", "fibre", "dig", "dust"]
DEFECT_KINDS: tuple[DefectKind, ...] = ("scratch", "fibre", "dig", "dust")
"""The kinds of defects, lines first."""
KINDS = len(DEFECT_KINDS)

Outcome = Literal["mapped", "quarantined", "lost"]
"""How a frame ended."""


def _decode(value: object) -> object:
    """Turns an array's wire form back into the array; checks it first."""
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list | tuple) or len(value) != 3:  # noqa: PLR2004
        raise ValueError("must be [dtype, shape, bytes]")
    dtype, shape, data = value
    if not isinstance(dtype, str) or dtype not in _ARRAY_DTYPES or not isinstance(data, bytes):
        raise ValueError(f"arrays of {dtype!r:.60} are not sent")
    if not isinstance(shape, list | tuple) or not all(
        type(side) is int and side >= 0
        for side in shape  # a bool is no side
    ):
        raise ValueError(f"shape {shape!r:.60} is none")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _encode(array: npt.NDArray[Any]) -> list[object]:
    return [str(array.dtype), list(array.shape), array.tobytes()]


Array = Annotated[
    npt.NDArray[Any],
    BeforeValidator(_decode),
    PlainSerializer(_encode),
]
"""A small numpy array within a message: [dtype, shape, bytes] on the wire."""


class Record(BaseModel):
    """Base of everything that travels or is journaled."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Scorer(Record):
    """Whose work a frame's scores are."""

    name: OneLine = Field(
        min_length=1,
        max_length=100,
        description="here: this computer's own workers; else the worker's computer, by the name "
        "of its key in the list of allowed ones, or as it calls itself where there are no keys",
    )
    secured: bool = Field(
        description="whether it is known who scored: this computer, or one with an allowed key"
    )


HERE = Scorer(name="here", secured=True)
"""The workers on this computer."""


class Stamp(Record):
    """When a stage had a frame, on this computer's monotonic clock (ns)."""

    stage: str
    worker: int = 0
    received_ns: Nanoseconds
    started_ns: Nanoseconds
    finished_ns: Nanoseconds


def how_many_fit(counts: Iterable[int]) -> int:
    """How many lines or spots, the first ones, a frame may have; ``counts`` of their points."""
    points = accumulate(islice(counts, MOST_LINES))
    return sum(1 for _ in takewhile(lambda total: total <= MOST_POINTS, points))


class LineMeasures(NamedTuple):
    """What a line's pixels say of it."""

    width: float
    """Apparent full width at half maximum of the mean cross-section, pixels."""
    width_error: float
    """Standard uncertainty of the width, pixels."""
    widest: float
    """The largest width of a stretch of the line, pixels."""
    brightness: float
    """Light above the background summed up across, parts of full scale times pixels."""
    contrast: float
    """Mean brightness above the background, standard deviations of the noise."""
    saturated: float
    """The part of its length that reaches full scale, 0 to 1."""
    bent: float
    """1 if it is bent as only hairs are, else 0."""


class SpotMeasures(NamedTuple):
    """What a spot's pixels say of it."""

    brightness: float
    """Light above the background summed up, parts of full scale times square pixels."""
    contrast: float
    """The brightest above the background, standard deviations of the noise."""
    saturated: float
    """The part of its area that reaches full scale, 0 to 1."""


class _Shapes(Record):
    """L polylines of P points in all, their measures, and what the model says of their kinds."""

    points: Array = Field(description="(P, 2) float32, x and y in the frame's pixels, in turn")
    counts: Array = Field(description="(L,) int32, how many points each has")
    measures: Array = Field(description="(L, M) float32, see the class of measures")
    kinds: Array = Field(
        description="(L, 4) float32, the probability of each of DEFECT_KINDS; NaN: the model does "
        "not tell kinds"
    )
    left_out: int = Field(default=0, ge=0, description="those beyond what a frame may have")

    _FEWEST_POINTS: ClassVar[int]
    _MEASURES: ClassVar[tuple[str, ...]]
    _SIGNED: ClassVar[str] = "contrast"

    @classmethod
    def none(cls) -> Self:
        """Not one."""
        return cls(
            points=np.empty((0, 2), np.float32),
            counts=np.empty(0, np.int32),
            measures=np.empty((0, len(cls._MEASURES)), np.float32),
            kinds=np.empty((0, KINDS), np.float32),
        )

    @property
    def parts(self) -> list[Float32Array]:
        """The points (K, 2) of each."""
        ends = np.cumsum(self.counts)[:-1]
        return list(np.split(self.points, ends)) if len(self.counts) else []

    @model_validator(mode="after")
    def _check(self) -> Self:
        count, points = self.counts.size, len(self.points) if self.points.ndim else 0
        if count > MOST_LINES or points > MOST_POINTS:
            raise ValueError(f"{count} of {points} points are more than a frame may have")
        shapes = {
            "points": (np.float32, (points, 2)),
            "counts": (np.int32, (count,)),
            "measures": (np.float32, (count, len(self._MEASURES))),
            "kinds": (np.float32, (count, KINDS)),
        }
        for name, (dtype, shape) in shapes.items():
            array = getattr(self, name)
            finite = array if name != "kinds" else array[~np.isnan(array)]
            if array.dtype != dtype or array.shape != shape or not np.isfinite(finite).all():
                raise ValueError(f"{name} must be finite {np.dtype(dtype)} of shape {shape}")
        if (self.counts < self._FEWEST_POINTS).any() or self.counts.sum() != points:
            raise ValueError(f"counts must be {self._FEWEST_POINTS} or more and add up to points")
        for name, column in zip(self._MEASURES, self.measures.T, strict=True):
            if name != self._SIGNED and (column < 0).any():
                raise ValueError(f"measures: {name} must not be negative")
            if name in {"saturated", "bent"} and (column > 1).any():
                raise ValueError(f"measures: {name} must be 1 at most")
        if ((self.kinds < 0) | (self.kinds > 1)).any():
            raise ValueError("kinds must be probabilities")
        return self


class Centrelines(_Shapes):
    """The lines within a frame: scratches and fibres, see ``LineMeasures``."""

    _FEWEST_POINTS = 2
    _MEASURES = LineMeasures._fields


class Spots(_Shapes):
    """The digs and large grains within a frame: their contours, see ``SpotMeasures``."""

    _FEWEST_POINTS = 3
    _MEASURES = SpotMeasures._fields


class Traces(Record):
    """What was traced in a frame."""

    lines: Centrelines = Field(default_factory=Centrelines.none)
    spots: Spots = Field(default_factory=Spots.none)


class FrameResult(Record):
    """An inspected frame: the score of each of its windows."""

    meta: FrameMeta
    origins: Array = Field(description="(N, 2) int32, first pixel (y, x) of each window")
    scores: Array = Field(description="(N,) float32, probability of scratch")
    thumbnail: Array = Field(description="(h, w) of the camera's dtype, area-averaged frame")
    traces: Traces = Field(default_factory=Traces)
    stamps: tuple[Stamp, ...] = ()
    scorer: Scorer = HERE


class NotInspected(Record):
    """A frame that is not in the map, and why."""

    meta: FrameMeta
    kind: Literal["quarantined", "lost"]
    reason: str = Field(min_length=1)


class LedgerSums(Record):
    """The account of all frames: captured = mapped + quarantined + lost + in_flight."""

    captured: int = Field(ge=0, description="frames the scan set out to take")
    mapped: int = Field(ge=0, description="inspected and in the map")
    quarantined: int = Field(ge=0, description="failed repeatedly, not inspected")
    lost: int = Field(ge=0, description="never had whole pixels, not inspected")
    in_flight: int = Field(ge=0, description="not yet accounted for")

    @property
    def balanced(self) -> bool:
        """Whether every captured frame is accounted for."""
        return self.captured == self.mapped + self.quarantined + self.lost + self.in_flight


class ModelInfo(Record):
    """The model that gives the scores, and how a run uses it.

    Made once from the recipe and the model file; whoever needs window, stride or thresholds
    of a run reads them here.
    """

    name: str
    hash: str
    window: int = Field(description="side of a window, pixels")
    stride: int = Field(description="step from window to window, pixels")
    threshold: float = Field(description="windows of this score or more are scratches")
    grow_threshold: float = Field(
        description="windows of this score or more continue a scratch that they overlap"
    )

    dense: bool = Field(
        default=False, description="whether it sees beyond each window, all of a frame at once"
    )
    kinds: bool = Field(
        default=False, description="whether it tells kinds of defects apart, cell by cell"
    )
    int8: bool = Field(
        default=False, description="whether it computes in eight bits, which backends round apart"
    )

    def origins(self, frame_shape: tuple[int, int]) -> npt.NDArray[np.int32]:
        """The first pixel (y, x) of each window of a frame (height, width): (N, 2) int32.

        Raises InputError if the frame is smaller than a window.
        """
        return window_origins(frame_shape, self.window, self.stride)


class Inspected(Record):
    """A finished scan: all that a defect map is made from.

    Frames are in the order of their ids; nothing here depends on when or by whom
    they were inspected, except the stamps, which no map contains.
    """

    scan: ScanInfo
    recipe_name: str
    recipe_hash: str
    model: ModelInfo
    results: tuple[FrameResult, ...]
    not_inspected: tuple[NotInspected, ...]
    sums: LedgerSums
    warnings: tuple[str, ...] = ()
