"""What merging knows of each frame, and everything a defect map is made from."""

from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from darkscan.pipeline.recipe import Inspection
from darkscan.pipeline.scan import FrameMeta, ScanInfo
from darkscan.pipeline.units import Nanoseconds

_ARRAY_DTYPES = frozenset({"uint8", "uint16", "int32", "float32"})


def _decode(value: object) -> object:
    """Turns an array's wire form back into the array; checks it first."""
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list | tuple) or len(value) != 3:  # noqa: PLR2004
        raise ValueError("must be [dtype, shape, bytes]")
    dtype, shape, data = value
    if dtype not in _ARRAY_DTYPES or not isinstance(data, bytes):
        raise ValueError(f"arrays of {dtype!r} are not sent")
    if not isinstance(shape, list | tuple) or not all(
        isinstance(side, int) and side >= 0 for side in shape
    ):
        raise ValueError(f"shape {shape!r} is none")
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


STAGES = ("acquisition", "preprocessing", "classification", "merging")
"""The stages a frame passes, in their order."""


class Stamp(Record):
    """When a stage had a frame, on this computer's monotonic clock (ns)."""

    stage: str
    worker: int = 0
    received_ns: Nanoseconds
    started_ns: Nanoseconds
    finished_ns: Nanoseconds


class FrameResult(Record):
    """An inspected frame: the score of each of its windows."""

    meta: FrameMeta
    origins: Array = Field(description="(N, 2) int32, first pixel (y, x) of each window")
    scores: Array = Field(description="(N,) float32, probability of scratch")
    thumbnail: Array = Field(description="(h, w) of the camera's dtype, area-averaged frame")
    stamps: tuple[Stamp, ...] = ()


class NotInspected(Record):
    """A frame that is not in the map, and why."""

    meta: FrameMeta
    kind: Literal["quarantined", "lost"]
    reason: str = Field(min_length=1)


Outcome = Literal["mapped", "quarantined", "lost"]
"""How a frame ended."""


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
    """The model that gave the scores."""

    name: str
    hash: str
    window: int
    stride: int
    threshold: float = Field(description="windows of this score or more are scratches")
    grow_threshold: float = Field(
        description="windows of this score or more continue a scratch that they overlap"
    )


class Inspected(Record):
    """A finished scan: all that a defect map is made from.

    Frames are in the order of their ids; nothing here depends on when or by whom
    they were inspected, except the stamps, which no map contains.
    """

    scan: ScanInfo
    recipe_name: str
    recipe_hash: str
    inspection: Inspection
    model: ModelInfo
    results: tuple[FrameResult, ...]
    not_inspected: tuple[NotInspected, ...]
    sums: LedgerSums
