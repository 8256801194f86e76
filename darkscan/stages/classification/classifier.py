"""The loop of a classification worker, wherever its frames come from and its results go.

Frames are started on the model's backend, some ahead of each other and small ones in shared
calls; the windows' scores come back, and the scratches within positive windows are traced.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from darkscan.centrelines import Windows, trace_frame
from darkscan.inference import FrameFormat, FrameWindows, Pending, Seen, frame_scores
from darkscan.inference.frame_windows import stacked, unstacked
from darkscan.inference.worker_backend import WorkerBackend
from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.frame_results import ModelInfo, Traces
from darkscan.pipeline.transport.messages import Prepared

_MOST_FAILURES = 3


class Job(NamedTuple):
    """A frame to classify, and when it came (monotonic, ns)."""

    prepared: Prepared
    received_ns: int

    @property
    def again(self) -> bool:
        """Whether the frame was sent before: its worker may have died of it."""
        return self.prepared.ref.attempt > 0


class Classified(NamedTuple):
    """A frame's result: the ``scores`` (N,) of its windows, and what was traced.

    ``started_ns`` and ``finished_ns``: monotonic; frames that were computed together share the
    time between them.
    """

    scores: Float32Array
    traces: Traces
    started_ns: int
    finished_ns: int


class Supply(Protocol):
    """The source of a worker's frames, which also takes its results."""

    def ask(self, frames: int) -> None:
        """Says that there is room for so many frames, 1 or more; a repetition changes nothing."""

    def next(self) -> Prepared | None:
        """The next frame that has arrived; None if there is none now."""

    def take(self, prepared: Prepared) -> Pixels | None:
        """The frame's pixels with its margin; None if another worker has the frame by now.

        Of the shape ``FrameFormat.surrounded``, contiguous; they stay until ``let_go``.
        """

    def let_go(self, prepared: Prepared) -> None:
        """The worker is done with the frame's pixels."""

    def deliver(self, job: Job, classified: Classified) -> None:
        """Hands in a frame's result."""

    def fail(self, job: Job, error: Exception) -> None:
        """Reports that the frame caused an error."""

    def beat(self) -> None:
        """Shows that the worker is alive."""


@dataclass(frozen=True)
class Call:
    """One call of the model under way, and its frames."""

    jobs: Sequence[Job]
    windows: Sequence[FrameWindows]
    pending: Pending
    started_ns: int


class Classifier:
    """Keeps the backend busy: the next frames are started before the first is asked back.

    A frame that was sent before is worked on alone, so that if a worker dies of it nobody
    else is suspected.
    """

    def __init__(
        self,
        supply: Supply,
        worker: WorkerBackend,
        model: ModelInfo,
        frames: FrameFormat,
        *,
        batch_wait_s: float = 0.0,
        ahead: int | None = None,
    ) -> None:
        """Takes up the work; nothing is asked for before ``step``.

        ``batch_wait_s``: how long a call may wait for frames to share it with; ``ahead``: calls
        under way at a time; left out, as many as the backend likes, see ``Backend.ahead``.
        """
        self._supply = supply
        self._backend, self._frames_a_call = worker
        self._model = model
        self._format = frames
        self._batch_wait_s = batch_wait_s
        self._ahead = self._backend.ahead if ahead is None else ahead
        self._waiting: deque[Job] = deque()
        self._under_way: deque[Call] = deque()
        self._finished_ns = 0
        self._failures = 0  # in a row
        self.frames = 0
        """Frames handed in so far."""

        self.windows = 0
        """Their windows."""

    @property
    def capacity(self) -> int:
        """The frames to hold at a time: those under way and those of the next call."""
        return (self._ahead + 1) * self._frames_a_call

    def step(self) -> bool:
        """Takes one step of the work; False if there is nothing to do, see ``patience_s``."""
        self._take_in()
        if self._may_start():
            self._start()
        elif self._under_way:
            self._finish(self._under_way.popleft())
        else:
            return False
        return True

    @property
    def patience_s(self) -> float | None:
        """How long to wait for more frames before those waiting are started; None: for ever."""
        if not self._waiting:
            return None
        came = self._waiting[0].received_ns
        return max(0.0, self._batch_wait_s - (time.monotonic_ns() - came) / 1e9)

    def drop_all(self) -> None:
        """Forgets all frames: they were given to others."""
        self._waiting.clear()
        while self._under_way:
            call = self._under_way.popleft()
            with suppress(Exception):  # its outcome is of no use any more
                call.pending()  # a device may still read the pixels
            self._let_go(call.jobs)

    def _take_in(self) -> None:
        while (prepared := self._supply.next()) is not None:
            self._waiting.append(Job(prepared, time.monotonic_ns()))
        # Asked before the work, the next frame is here when this one is done. While
        # nothing comes it is asked again: preprocessing may have been restarted.
        under_way = sum(len(call.jobs) for call in self._under_way)
        room = self.capacity - len(self._waiting) - under_way
        if room > 0:
            self._supply.ask(room)

    def _may_start(self) -> bool:
        if not self._waiting or len(self._under_way) >= self._ahead:
            return False
        if self._waiting[0].again or any(call.jobs[0].again for call in self._under_way):
            return not self._under_way
        return len(self._waiting) >= self._frames_a_call or not self.patience_s

    def _next_jobs(self) -> Iterator[Job]:
        """The frames of the next call; one that was sent before is alone in its call."""
        yield (first := self._waiting.popleft())
        for _ in range(self._frames_a_call - 1):
            if first.again or not self._waiting or self._waiting[0].again:
                return
            yield self._waiting.popleft()

    def _start(self) -> None:
        started = time.monotonic_ns()
        jobs, windows = [], []
        for job in self._next_jobs():
            pixels = self._supply.take(job.prepared)
            if pixels is not None:
                jobs.append(job)
                windows.append(self._windows_of(job.prepared, pixels))
        if not jobs:
            return
        try:
            pending = self._pending(windows)
        except Exception as error:  # noqa: BLE001 - a frame that breaks us must not stop the scan
            self._sort_out(Call(jobs, windows, _raising(error), started), error)
        else:
            self._under_way.append(Call(jobs, windows, pending, started))

    def _windows_of(self, prepared: Prepared, pixels: Pixels) -> FrameWindows:
        margin_px = self._format.margin_px
        height, width = (side - 2 * margin_px for side in pixels.shape)
        origins = self._model.origins((height, width)) + np.int32(margin_px)
        return FrameWindows(pixels, origins, prepared.gains, prepared.offsets)

    def _pending(self, windows: Sequence[FrameWindows]) -> Pending:
        return self._backend.start(
            stacked(windows, self._frames_a_call),
            self._format.full_scale,
            between_batches=self._supply.beat,
        )

    def _finish(self, call: Call) -> None:
        try:
            seen = call.pending()
        except Exception as error:  # noqa: BLE001 - as above
            self._sort_out(call, error)
            return
        each = unstacked(seen, call.windows)
        for job, windows, of_frame in zip(call.jobs, call.windows, each, strict=True):
            try:
                self._conclude(job, windows, of_frame, call.started_ns)
            except Exception as error:  # noqa: BLE001 - as above
                self._supply.fail(job, error)
            finally:
                self._supply.let_go(job.prepared)

    def _sort_out(self, call: Call, error: Exception) -> None:
        """Deals with a failed call: each of several frames is tried alone, to find the bad one.

        Raises the error after several failures in a row: then it is this process that is at
        fault, and a new one may do better.
        """
        if len(call.jobs) == 1:
            (job,) = call.jobs
            self._supply.fail(job, error)
            self._supply.let_go(job.prepared)
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self.drop_all()  # none of these frames caused the failures
                raise error
            return
        try:
            for job, windows in zip(call.jobs, call.windows, strict=True):
                try:
                    alone = Call([job], [windows], self._pending([windows]), call.started_ns)
                except Exception as own:  # noqa: BLE001 - as above
                    alone = Call([job], [windows], _raising(own), call.started_ns)
                self._finish(alone)
        finally:
            self._let_go(call.jobs)  # also the frames that were not tried any more

    def _conclude(self, job: Job, windows: FrameWindows, seen: Seen, started_ns: int) -> None:
        model, origins = self._model, windows.origins - np.int32(self._format.margin_px)
        scores = frame_scores(seen, origins, model)
        traces = trace_frame(
            self._format.inner(windows.frame),
            self._format.full_scale,
            Windows(origins, model.window, scores >= model.grow_threshold, seen.lines, seen.kinds),
        )
        # Until the frame before was finished, this one was waiting.
        started = max(started_ns, self._finished_ns)
        self._finished_ns = time.monotonic_ns()
        self._supply.deliver(job, Classified(scores, traces, started, self._finished_ns))
        self._failures = 0
        self.frames += 1
        self.windows += len(scores)

    def _let_go(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._supply.let_go(job.prepared)


def _raising(error: Exception) -> Pending:
    def fail() -> Seen:
        raise error

    return fail
