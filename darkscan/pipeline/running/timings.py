"""The timings of a run: its trace for Perfetto, and the figures of each stage.

The trace is JSON of the Trace Event Format: a process for each stage, a thread for
each worker, a complete event ("X") for each frame worked on, and an asynchronous span
("b", "e") for each frame that waited. Times are microseconds from the first stamp.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.frame_results import STAGES, FrameResult, Record, Stamp
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.settings import check

TRACE_NAME = "trace.json"

_NS_PER_US = 1000
_US_PER_MS = 1000


class Spread(Record):
    """How long something took over all frames."""

    p50_ms: float
    p99_ms: float
    max_ms: float


class StageProfile(Record):
    """One stage of a run."""

    stage: str
    workers: int = Field(description="how many worked side by side")
    frames: int = Field(description="frames worked on")
    waiting: Spread = Field(
        description="of each frame: between the previous stage's end and this one's start"
    )
    working: Spread = Field(description="of each frame: between this stage's start and end")
    utilization: float = Field(description="share of the run, times workers, spent on working")


def write_trace(path: Path, results: Sequence[FrameResult]) -> None:
    """Writes the stamps of all inspected frames as a trace. Raises StorageError.

    A frame waits from the end of its previous stage, in the first stage from when it
    was received, until a stage starts on it. Frames not inspected have no stamps.
    """
    stamps = [stamp for result in results for stamp in result.stamps]
    begin_ns = min((min(s.received_ns, s.started_ns) for s in stamps), default=0)
    pids = {stage: pid for pid, stage in enumerate(_stages(stamps), start=1)}
    lines = [*_names(stamps, pids)]
    for result in results:
        lines.extend(_frame_events(result, pids, begin_ns))
    # One event a line: a line of many megabytes is more than most viewers of text bear.
    events = ",\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
    text = '{"displayTimeUnit":"ms","traceEvents":[\n' + events + "\n]}\n"
    write_atomically(path, text.encode())


def profile(path: Path) -> list[StageProfile]:
    """The figures of each stage, in the order of the chain, from a trace that we wrote.

    Raises InputError if the file cannot be read, is no trace of ours, or holds no frame.
    """
    trace = _read(path)
    stage_of = {e.pid: e.args.get("name") for e in trace.traceEvents if e.name == "process_name"}
    work = defaultdict(list)
    for event in trace.traceEvents:
        if event.ph == "X" and event.cat == "work":
            work[str(stage_of.get(event.pid, event.pid))].append(event)
    if not work:
        raise InputError("holds no frame: nothing was inspected", file=path)
    everything = [event for events in work.values() for event in events]
    wall_us = max(e.ts + e.dur for e in everything) - min(e.ts for e in everything)
    return [_stage_profile(stage, work[stage], wall_us) for stage in _ordered(work)]


def bottleneck(profiles: Iterable[StageProfile]) -> StageProfile:
    """The stage that is busy most: a faster run needs it faster, or more of its workers."""
    return max(profiles, key=lambda stage: stage.utilization)


class _Event(BaseModel):
    """The fields of a trace event that are read."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    ph: str
    pid: int
    tid: int = 0
    name: str = ""
    cat: str = ""
    ts: float = 0.0
    dur: float = Field(default=0.0, ge=0)
    args: dict[str, str | int | float] = {}


class _Trace(BaseModel):
    model_config = ConfigDict(extra="ignore")

    traceEvents: list[_Event]  # noqa: N815 - the format's name


def _read(path: Path) -> _Trace:
    try:
        content = json.loads(read_file(path))
    except ValueError as error:
        raise InputError(f"is not a trace: {error}", file=path) from error
    return check(content, _Trace, file=path)


def _stage_profile(stage: str, events: list[_Event], wall_us: float) -> StageProfile:
    workers = len({event.tid for event in events})
    working_us = [event.dur for event in events]
    busy = sum(working_us) / (wall_us * workers) if wall_us else 0.0
    return StageProfile(
        stage=stage,
        workers=workers,
        frames=len({event.args.get("frame") for event in events}),
        waiting=_spread([float(event.args.get("waiting_us", 0.0)) for event in events]),
        working=_spread(working_us),
        utilization=busy,
    )


def _spread(durations_us: list[float]) -> Spread:
    p50, p99, longest = np.percentile(durations_us, [50, 99, 100]) / _US_PER_MS
    return Spread(p50_ms=float(p50), p99_ms=float(p99), max_ms=float(longest))


def _frame_events(
    result: FrameResult, pids: dict[str, int], begin_ns: int
) -> Iterable[dict[str, object]]:
    """A waiting span and a working event for each stage that had the frame."""
    frame = result.meta.frame
    ready_ns: int | None = None
    for stamp in sorted(result.stamps, key=lambda stamp: stamp.started_ns):
        pid, since_ns = pids[stamp.stage], stamp.received_ns if ready_ns is None else ready_ns
        # A frame that was sent twice may be with a later stage before its resending ends.
        since_ns = min(since_ns, stamp.started_ns)
        started = _us(stamp.started_ns - begin_ns)
        span = {
            "cat": "waiting",
            "name": f"waiting for {stamp.stage}",
            "id": f"{frame}:{pid}",
            "pid": pid,
            "tid": stamp.worker + 1,
            "args": {"frame": frame},
        }
        yield _span("b", span, _us(since_ns - begin_ns))
        yield _span("e", span, started)
        yield {
            "ph": "X",
            "cat": "work",
            "name": f"frame {frame}",
            "pid": pid,
            "tid": stamp.worker + 1,
            "ts": started,
            "dur": _us(stamp.finished_ns - stamp.started_ns),
            "args": {"frame": frame, "waiting_us": _us(stamp.started_ns - since_ns)},
        }
        ready_ns = stamp.finished_ns


def _span(phase: Literal["b", "e"], span: dict[str, object], at_us: float) -> dict[str, object]:
    return {"ph": phase, **span, "ts": at_us}


def _names(stamps: Sequence[Stamp], pids: dict[str, int]) -> Iterable[dict[str, object]]:
    """Metadata: what viewers write beside the tracks, and in which order."""
    for stage, pid in pids.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": stage}}
        yield {"ph": "M", "name": "process_sort_index", "pid": pid, "args": {"sort_index": pid}}
    for stage, worker in sorted({(stamp.stage, stamp.worker) for stamp in stamps}):
        yield {
            "ph": "M",
            "name": "thread_name",
            "pid": pids[stage],
            "tid": worker + 1,
            "args": {"name": f"{stage} {worker}"},
        }


def _stages(stamps: Iterable[Stamp]) -> list[str]:
    return _ordered({stamp.stage for stamp in stamps})


def _ordered(stages: Iterable[str]) -> list[str]:
    """Stages in the order of the chain, unknown ones by name behind them."""
    rank = {stage: index for index, stage in enumerate(STAGES)}
    return sorted(stages, key=lambda stage: (rank.get(stage, len(STAGES)), stage))


def _us(nanoseconds: int) -> float:
    return nanoseconds / _NS_PER_US
