"""How a run is, in the host's words: progress, speed, and each stage's queue and latency."""

from collections import defaultdict, deque
from datetime import UTC, datetime

import numpy as np

from darkscan.pipeline.core.frame_results import FrameResult, Stamp
from darkscan.pipeline.host_link.messages import Progress, StageHealth
from darkscan.pipeline.host_link.outbox import OutboxCounts
from darkscan.pipeline.running.rates import Rates
from darkscan.pipeline.transport.journal import Settled
from darkscan.pipeline.transport.messages import RunState, Status
from darkscan.stages.uplink._settled import waits
from darkscan.stages.uplink.words import utc, words

_LATEST = 200
_MOST_ENDED = 20
_NS_PER_MS = 1e6

_Worker = tuple[str, int]


class Health:
    """Sums up a run; latencies are those of each process's latest 200 frames."""

    def __init__(self, frames_planned: int) -> None:
        self._planned = frames_planned
        self._rates = Rates()
        self._waiting: dict[_Worker, deque[int]] = defaultdict(lambda: deque(maxlen=_LATEST))
        self._working: dict[_Worker, deque[int]] = defaultdict(lambda: deque(maxlen=_LATEST))

    def note(self, record: Settled) -> None:
        """Takes note of how long a frame took."""
        if not isinstance(record, FrameResult):
            return
        for stamp, waited_ns in waits(record.stamps):
            worker = _worker(stamp)
            self._waiting[worker].append(waited_ns)
            self._working[worker].append(stamp.finished_ns - stamp.started_ns)

    def progress(self, state: RunState, counts: OutboxCounts) -> Progress:
        """How the run is; ``counts`` of what waits for the host."""
        sums = next((s.sums for s in state.statuses if s.sums is not None), None)
        settled = 0 if sums is None else sums.captured - sums.in_flight
        windows = sum(status.windows for status in state.statuses)
        frames_per_s, windows_per_s = self._rates.update(settled, windows)
        left = max(0, self._planned - settled)
        doing = next((s.doing for s in state.statuses if s.doing and s.stage != "uplink"), "")
        ended = list(state.ended.items())[:_MOST_ENDED]
        return Progress(
            at=utc(datetime.now(UTC)),
            sums=sums,
            frames_per_s=frames_per_s,
            windows_per_s=windows_per_s,
            left_s=left / frames_per_s if frames_per_s else None,
            doing=words(doing),
            stopping=state.stopping,
            held=state.held,
            ended_early={words(stage): words(reason) for stage, reason in ended},
            stages=tuple(self._of_stage(status, state.restarts) for status in state.statuses),
            parcels_waiting=counts.parcels,
            tiles_dropped=counts.tiles_dropped,
        )

    def _of_stage(self, status: Status, restarts: dict[str, int]) -> StageHealth:
        worker = (status.stage, status.index)
        return StageHealth(
            stage=status.stage,
            index=status.index,
            frames=status.frames,
            windows=status.windows,
            queue=status.queue,
            restarts=restarts.get(status.stage, 0),
            doing=words(status.doing),
            waiting_ms=_spread_ms(self._waiting.get(worker)),
            working_ms=_spread_ms(self._working.get(worker)),
        )


def _worker(stamp: Stamp) -> _Worker:
    return stamp.stage, stamp.worker


def _spread_ms(durations_ns: deque[int] | None) -> tuple[float, float] | None:
    """Median and 99th percentile."""
    if not durations_ns:
        return None
    p50, p99 = np.maximum(np.percentile(durations_ns, [50, 99]), 0) / _NS_PER_MS
    return float(p50), float(p99)
