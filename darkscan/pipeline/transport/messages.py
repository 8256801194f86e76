"""Every message that crosses a process border, and its form on the wire.

``pipeline.core.wire`` writes and checks them. Pixels are in none: a FrameRef says where in the
shared-memory ring they lie.
"""

from typing import Literal, get_args

from pydantic import Field

from darkscan.pipeline.core.frame_results import (
    HERE,
    Array,
    FrameResult,
    LedgerSums,
    ModelInfo,
    NotInspected,
    Outcome,
    Record,
    Scorer,
    Stamp,
    Traces,
)
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.units import FiniteMm, FrameId, Nanoseconds, OneLine
from darkscan.pipeline.core.wire import WireFormat

WIRE_VERSION = 6
MAX_MESSAGE_BYTES = 64 * 2**20
MOST_FRAMES = 1024
"""That a worker asks for at once."""

_LONGEST_REASON = 300
_NUMBERS = 2**48


Axis = Literal["x", "y"]
Place = tuple[FiniteMm, FiniteMm, FiniteMm]
"""Positions of the x, y and z axes, mm."""


class FrameRef(Record):
    """Where a frame's pixels lie in the ring, and which sending of it this is."""

    session: int = Field(ge=0, lt=_NUMBERS, description="which acquisition process wrote it")
    frame: FrameId = Field(ge=0, lt=_NUMBERS)
    slot: int = Field(ge=0, lt=_NUMBERS)
    generation: int = Field(ge=0, lt=_NUMBERS, description="how often the slot had been leased")
    attempt: int = Field(ge=0, lt=_NUMBERS, description="how often the frame was sent before")


class Captured(Record):
    """acquisition -> preprocessing, recording, uplink: a frame is in the ring."""

    ref: FrameRef
    meta: FrameMeta
    stamps: tuple[Stamp, ...]
    only_here: bool = Field(
        default=False, description="only workers on this computer may be given it"
    )


class Thumbnail(Record):
    """preprocessing -> merging: a frame made small, for the picture of the element."""

    ref: FrameRef
    pixels: Array = Field(description="(h, w) of the camera's dtype, area-averaged frame")


class Prepared(Record):
    """preprocessing -> classification: the brightness adjustment of a frame's N windows.

    The windows lie alike in all frames of a run, see ``ModelInfo.origins``.
    """

    ref: FrameRef
    meta: FrameMeta
    gains: Array = Field(description="(N,) float32, W_mult of eq. 1")
    offsets: Array = Field(description="(N,) float32, W_add of eq. 2")
    stamps: tuple[Stamp, ...]
    only_here: bool = Field(
        default=False, description="only workers on this computer may be given it"
    )


class FrameScores(Record):
    """classification -> merging: a frame is classified."""

    ref: FrameRef
    meta: FrameMeta
    scores: Array = Field(description="(N,) float32, probability of scratch of each window")
    traces: Traces
    stamps: tuple[Stamp, ...]
    scorer: Scorer = HERE


class Claimed(Record):
    """gateway -> merging: what a worker elsewhere says of a frame that is scored here as well.

    It is held against what is found here, and not used.
    """

    answer: FrameScores


class Distrusted(Record):
    """merging -> gateway, acquisition: a worker elsewhere answers falsely.

    The gateway gives it no more frames; acquisition has those named inspected again.
    """

    scorer: Scorer
    frames: tuple[FrameId, ...]


class Withdrawn(Record):
    """A journal's record: the results of these frames, written before, do not count."""

    frames: tuple[FrameId, ...]
    reason: str


class Ready(Record):
    """classification -> preprocessing: give me frames. Saying it twice is harmless."""

    worker: int = Field(ge=0)
    frames: int = Field(
        default=1,
        ge=0,
        le=MOST_FRAMES,
        description="there is room for; 0 takes back what was asked",
    )


class Join(Record):
    """a worker elsewhere -> gateway: take me in. Saying it twice is harmless."""

    name: OneLine = Field(min_length=1, max_length=80, description="for people")
    process: OneLine = Field(min_length=1, max_length=80, description="names this very process")
    version: OneLine = Field(max_length=40, description="its darkscan's")


class Joined(Record):
    """gateway -> a worker elsewhere: what there is to do."""

    scan: ScanInfo
    model: ModelInfo
    model_bytes: int = Field(ge=1, lt=_NUMBERS, description="of the model's file")
    backend: OneLine = Field(max_length=40, description="what runs the model in the run")
    precision: Literal["exact", "half"]
    margin_px: int = Field(ge=0, le=4096, description="of its neighbours around each frame")
    batch: int = Field(ge=1, le=1024)
    batch_wait_ms: float = Field(ge=0, le=10_000, allow_inf_nan=False)


class WantModel(Record):
    """a worker elsewhere -> gateway: I do not have the model; once for each time it joins."""


class ModelFile(Record):
    """gateway -> a worker elsewhere: the model's file; its bytes are the second part."""


class Refused(Record):
    """gateway -> a worker elsewhere: you cannot take part."""

    reason: OneLine = Field(max_length=_LONGEST_REASON)


class JoinFirst(Record):
    """gateway -> a worker elsewhere: who are you? What you had was given to others."""


class Capacity(Record):
    """a worker elsewhere -> gateway: all set; keep so many frames in my hands."""

    frames: int = Field(ge=1, le=MOST_FRAMES)


class StillHere(Record):
    """gateway <-> a worker elsewhere, twice a second."""


class Leaving(Record):
    """a worker elsewhere -> gateway: give my frames, if any, to others."""


class RunEnded(Record):
    """gateway -> a worker elsewhere: there is nothing more to do."""


class Scored(Record):
    """a worker elsewhere -> gateway: a frame is classified."""

    ref: FrameRef
    scores: Array = Field(description="(N,) float32, of the windows it was sent with")
    traces: Traces
    worked_ns: Nanoseconds = Field(ge=0)


class NotScored(Record):
    """a worker elsewhere -> gateway: this frame made an error."""

    ref: FrameRef
    error: str = Field(max_length=2 * _LONGEST_REASON)


class EndOfScan(Record):
    """acquisition -> merging: every frame is accounted for; make the map."""

    sums: LedgerSums
    warnings: tuple[str, ...] = ()
    """What the map has to say of where its frames came from, beside what the run's task says."""


class Acknowledged(Record):
    """merging -> acquisition: the frame is in the journal; forget it."""

    frame: FrameId = Field(ge=0)
    outcome: Outcome


class Failed(Record):
    """a stage -> acquisition: this frame made an error."""

    frame: FrameId = Field(ge=0)
    stage: str
    error: str


class StageDied(Record):
    """supervisor -> acquisition: a process is gone, and with it what it held."""

    stage: str
    index: int = Field(ge=0)
    pid: int = Field(ge=0)


class StopScan(Record):
    """supervisor -> acquisition, gateway: take no more frames; account for the rest as lost."""

    reason: str
    give_up: bool = Field(description="whether the frames under way are set aside as well")


class Recorded(Record):
    """recording -> acquisition: the frame is in the file; its slot is not needed for that."""

    frame: FrameId = Field(ge=0)


class RecordingEnded(Record):
    """recording -> acquisition: nothing more can be recorded; inspect on."""

    reason: str


class Pause(Record):
    """supervisor -> acquisition: hold before the next step or strip, or go on."""

    hold: bool


class Compare(Record):
    """Where the compare output triggers the camera along a sweep."""

    first_mm: FiniteMm
    step_mm: FiniteMm = Field(description="signed, along the sweep")
    count: int = Field(ge=1)


class Move(Record):
    """acquisition -> motion: go there and settle."""

    order: int = Field(ge=0, description="answers name it; a new order replaces the last")
    target_mm: Place


class Sweep(Record):
    """acquisition -> motion: move along one axis at constant speed, from where the axes stand."""

    order: int = Field(ge=0)
    axis: Axis
    end_mm: FiniteMm
    velocity_mm_s: float = Field(gt=0, allow_inf_nan=False)
    compare: Compare | None = None


class Halt(Record):
    """acquisition, supervisor -> motion: stop all axes now; MotionReady follows when they stand."""

    reason: str


class MotionReady(Record):
    """motion -> acquisition: the axes answer, are homed and stand still.

    Sent at the start, after a Halt, and when a motion unit that was gone is back.
    """

    position_mm: Place
    low_mm: Place = Field(description="soft limits")
    high_mm: Place


class Arrived(Record):
    """motion -> acquisition: the order is carried out, the axes stand still."""

    order: int = Field(ge=0)
    position_mm: Place
    uncertainty_um: float = Field(ge=0, allow_inf_nan=False)


class MotionStopped(Record):
    """motion -> acquisition: the axes were stopped, or their motion unit is gone."""

    reason: str
    gone: bool = Field(description="no answer; MotionReady follows when it is back")


class Track(Record):
    """motion -> acquisition: where the axes were, by the records' own time stamps."""

    times_ns: Array = Field(description="(N,) int64, Unix time")
    positions_mm: Array = Field(description="(N, 3) float64")


class Latched(Record):
    """motion -> acquisition: positions that the compare output latched since the sweep began."""

    order: int = Field(ge=0)
    first: int = Field(ge=0, description="the first one's number within the sweep")
    positions_mm: Array = Field(description="(N, 3) float64")


class Status(Record):
    """a stage -> supervisor: alive, and what was done so far."""

    stage: str
    index: int = Field(ge=0)
    pid: int = Field(ge=0)
    frames: int = Field(ge=0, description="frames finished by this process")
    windows: int = Field(default=0, ge=0, description="windows finished by this process")
    queue: int = Field(default=0, ge=0, description="frames waiting in this process")
    sums: LedgerSums | None = Field(default=None, description="acquisition's account")
    positives: int | None = Field(default=None, description="windows over threshold (merging)")
    doing: str = Field(default="", description="what the scan is at, for the operator")
    loading: str = Field(default="", description="what the process loads before it begins")


class RunState(Record):
    """supervisor -> uplink: how the run's processes are, for the host."""

    statuses: tuple[Status, ...] = Field(description="what each process said last")
    restarts: dict[str, int] = Field(description="of each stage")
    stopping: bool
    held: bool
    ended: dict[str, str] = Field(description="stages that are no more, and why")


Message = (
    Captured
    | Thumbnail
    | Prepared
    | FrameScores
    | Claimed
    | Distrusted
    | Withdrawn
    | Ready
    | Join
    | Joined
    | WantModel
    | ModelFile
    | Refused
    | JoinFirst
    | Capacity
    | StillHere
    | Leaving
    | RunEnded
    | Scored
    | NotScored
    | FrameResult
    | NotInspected
    | EndOfScan
    | Acknowledged
    | Failed
    | StageDied
    | StopScan
    | Recorded
    | RecordingEnded
    | Pause
    | Move
    | Sweep
    | Halt
    | MotionReady
    | Arrived
    | MotionStopped
    | Track
    | Latched
    | Status
    | RunState
)

_WIRE: WireFormat[Message] = WireFormat(
    get_args(Message), version=WIRE_VERSION, largest=MAX_MESSAGE_BYTES
)


def encode(message: Message) -> bytes:
    """The message's bytes on the wire. Raises WireError if nobody would accept them."""
    return _WIRE.encode(message)


def decode(data: bytes) -> Message:
    """The message in some bytes. Raises WireError for anything that is none of ours."""
    return _WIRE.decode(data)


def describe(error: Exception) -> str:
    """An error in one line that fits into a message and a map."""
    return printable(f"{type(error).__name__}: {error}".splitlines()[0][:_LONGEST_REASON])
