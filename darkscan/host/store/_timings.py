"""How long frames waited for each stage, and how long it worked: counted as they are settled."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.host.store.types import Histogram, Performance, StageTimings
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.frame_results import STAGES
from darkscan.pipeline.core.names import printable

_SHORTEST_MS, _DECADES, _BINS_A_DECADE = 0.01, 8, 20
_EDGES: Float64Array = _SHORTEST_MS * 10 ** (
    np.arange(_DECADES * _BINS_A_DECADE + 1) / _BINS_A_DECADE
)
_NS_PER_MS = 1e6
_US_PER_MS = 1e3
_MOST_STAGES = 40

_EDGES_MS = tuple(float(f"{edge:.6g}") for edge in _EDGES)


class StageSpans(NamedTuple):
    """What one stage did with n frames."""

    workers: frozenset[int]
    waiting_ms: Float64Array
    working_ms: Float64Array
    first_ms: float
    """When it started on the first of them, on the rig's clock."""
    last_ms: float
    """When it finished the last."""


def spans_of(stamps: npt.NDArray[np.int64]) -> dict[str, StageSpans]:
    """The spans of ``FramesSettled.stamps`` (S, 6), for each stage.

    A frame waits from the end of its previous stage, in the first one from when it was
    received, until a stage starts on it.
    """
    order = np.lexsort((stamps[:, 4], stamps[:, 0]))
    frame, place, worker = stamps[order, :3].T
    received, started, finished = stamps[order, 3:].astype(np.float64).T
    since = received.copy()
    follows = frame[1:] == frame[:-1]
    since[1:][follows] = finished[:-1][follows]
    # A frame that was sent twice may be with a later stage before its resending ends.
    waiting = (started - np.minimum(since, started)) / _NS_PER_MS
    working = np.maximum(finished - started, 0) / _NS_PER_MS
    return {
        STAGES[number]: StageSpans(
            workers=frozenset(worker[mine].tolist()),
            waiting_ms=waiting[mine],
            working_ms=working[mine],
            first_ms=float(started[mine].min()) / _NS_PER_MS,
            last_ms=float(finished[mine].max()) / _NS_PER_MS,
        )
        for number in np.unique(place).tolist()
        for mine in [place == number]
    }


def add_spans(connection: sqlite3.Connection, scan: int, spans: dict[str, StageSpans]) -> None:
    """Counts more frames of a scan."""
    for stage, span in spans.items():
        row = connection.execute(
            "SELECT tally FROM timings WHERE scan = ? AND stage = ?", (scan, stage)
        ).fetchone()
        tally = _added(json.loads(row[0]) if row else None, span)
        connection.execute(
            "INSERT OR REPLACE INTO timings VALUES (?, ?, ?)", (scan, stage, json.dumps(tally))
        )


def performance(connection: sqlite3.Connection, scan: int) -> Performance:
    """The figures of a scan's stages, in the order of the chain; none if no frame was counted."""
    rows = connection.execute("SELECT stage, tally FROM timings WHERE scan = ?", (scan,))
    return _performance({stage: json.loads(tally) for stage, tally in rows})


def performance_of_trace(trace: bytes) -> Performance:
    """The same from a trace of a run, as ``pipeline.running.timings`` writes it.

    What is no such trace has no stages.
    """
    try:
        events = [event for event in json.loads(trace)["traceEvents"] if isinstance(event, dict)]
        spans = _spans_of_events(events)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return Performance(stages=(), bottleneck=None)
    return _performance({stage: _added(None, span) for stage, span in spans.items()})


def _spans_of_events(events: list[dict[str, Any]]) -> dict[str, StageSpans]:
    names = {e["pid"]: str(e["args"]["name"]) for e in events if e.get("name") == "process_name"}
    work: dict[str, list[tuple[int, float, float, float]]] = {}
    for event in events:
        if event.get("ph") == "X" and event.get("cat") == "work":
            waiting = float(event["args"].get("waiting_us", 0.0))
            row = (int(event["tid"]), waiting, float(event["ts"]), float(event["dur"]))
            work.setdefault(names[event["pid"]], []).append(row)
    if len(work) > _MOST_STAGES or not all(np.isfinite(rows).all() for rows in work.values()):
        return {}
    spans = {}
    for stage, rows in work.items():
        worker, waiting_us, at_us, lasted_us = np.array(rows, np.float64).T
        spans[printable(stage)] = StageSpans(
            workers=frozenset(worker.astype(int).tolist()),
            waiting_ms=waiting_us.clip(0) / _US_PER_MS,
            working_ms=lasted_us.clip(0) / _US_PER_MS,
            first_ms=float(at_us.min()) / _US_PER_MS,
            last_ms=float((at_us + lasted_us.clip(0)).max()) / _US_PER_MS,
        )
    return spans


def _added(tally: dict[str, Any] | None, span: StageSpans) -> dict[str, Any]:
    """A tally, as it is kept in JSON, with more frames in it."""
    old = tally or {
        "workers": [],
        "frames": 0,
        "first_ms": span.first_ms,
        "last_ms": span.last_ms,
        "busy_ms": 0.0,
        **{name: {"counts": {}, "max": 0.0} for name in ("waiting", "working")},
    }
    return {
        "workers": sorted({*old["workers"], *span.workers}),
        "frames": old["frames"] + len(span.working_ms),
        "first_ms": min(old["first_ms"], span.first_ms),
        "last_ms": max(old["last_ms"], span.last_ms),
        "busy_ms": old["busy_ms"] + float(span.working_ms.sum()),
        "waiting": _counted(old["waiting"], span.waiting_ms),
        "working": _counted(old["working"], span.working_ms),
    }


def _counted(old: dict[str, Any], spans_ms: Float64Array) -> dict[str, Any]:
    """Counts by the number of their bin, as JSON has it: as text."""
    counts = dict(old["counts"])
    bins = np.searchsorted(_EDGES, spans_ms, side="right") - 1
    for number, count in zip(
        *np.unique(bins.clip(0, len(_EDGES) - 2), return_counts=True), strict=True
    ):
        counts[str(number)] = counts.get(str(number), 0) + int(count)
    return {"counts": counts, "max": max(old["max"], float(spans_ms.max(initial=0.0)))}


def _performance(tallies: dict[str, dict[str, Any]]) -> Performance:
    if not tallies:
        return Performance(stages=(), bottleneck=None)
    wall_ms = max(t["last_ms"] for t in tallies.values()) - min(
        t["first_ms"] for t in tallies.values()
    )
    stages = tuple(_stage(stage, tallies[stage], wall_ms) for stage in _ordered(tallies))
    busiest = max(stages, key=lambda stage: stage.utilization)
    return Performance(stages=stages, bottleneck=busiest.stage)


def _stage(stage: str, tally: dict[str, Any], wall_ms: float) -> StageTimings:
    workers = len(tally["workers"])
    return StageTimings(
        stage=stage,
        workers=workers,
        frames=tally["frames"],
        utilization=tally["busy_ms"] / (wall_ms * workers) if wall_ms > 0 else 0.0,
        waiting=_histogram(tally["waiting"]),
        working=_histogram(tally["working"]),
    )


def _histogram(tally: dict[str, Any]) -> Histogram:
    counts = np.zeros(len(_EDGES) - 1, np.int64)
    for number, count in tally["counts"].items():
        counts[int(number)] = count
    return Histogram(
        edges_ms=_EDGES_MS,
        counts=tuple(counts.tolist()),
        p50=_quantile(counts, 0.5, tally["max"]),
        p99=_quantile(counts, 0.99, tally["max"]),
        max=tally["max"],
    )


def _quantile(counts: npt.NDArray[np.int64], part: float, longest: float) -> float:
    """The span that this part of all is not above, along a straight line within its bin."""
    total = int(counts.sum())
    if not total:
        return 0.0
    upto = np.concatenate([[0], counts.cumsum()])
    bin_ = int(np.searchsorted(upto, part * total, side="left")) - 1
    bin_ = min(max(bin_, 0), len(counts) - 1)
    within = (part * total - upto[bin_]) / max(counts[bin_], 1)
    value = _EDGES[bin_] + within * (_EDGES[bin_ + 1] - _EDGES[bin_])
    return min(float(value), longest)


def _ordered(stages: Iterable[str]) -> list[str]:
    """Stages in the order of the chain, unknown ones by name behind them."""
    rank = {stage: number for number, stage in enumerate(STAGES)}
    return sorted(stages, key=lambda stage: (rank.get(stage, len(STAGES)), stage))
