"""What a classification worker does, wherever its frames come from and its answers go."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from darkscan.centrelines import find_centrelines
from darkscan.inference import Backend, FrameWindows, Pending, Seen, scores_in_context
from darkscan.inference.opening import stacked, unstacked
from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.frame_results import Centrelines, ModelInfo
from darkscan.pipeline.transport.messages import Prepared

_MOST_FAILURES = 3


class Job(NamedTuple):
    """A frame to classify, and when it came (monotonic, ns)."""

    prepared: Prepared
    received_ns: int

    @property
    def again(self) -> bool:
        """Whether it was sent before: it may be what its worker died of."""
        return self.prepared.ref.attempt > 0


class Classified(NamedTuple):
    """What was found in a frame: ``scores`` (N,) of its windows, and its scratches.

    ``started_ns`` and ``finished_ns``: monotonic; of frames that were computed together each
    has its own share.
    """

    scores: Float32Array
    centrelines: Centrelines
    started_ns: int
    finished_ns: int


class Supply(Protocol):
    """Where a worker gets its frames and hands in what it found."""

    def ask(self, frames: int) -> None:
        """Says that there is room for so many frames, 1 or more; twice is as once."""

    def next(self) -> Prepared | None:
        """The next frame that is there now."""

    def take(self, prepared: Prepared) -> Pixels | None:
        """The frame's pixels with what lies around it; None if others see to it by now.

        (height + 2 margin, width + 2 margin), contiguous; they stay until ``let_go``.
        """

    def let_go(self, prepared: Prepared) -> None:
        """The worker is done with the frame's pixels."""

    def deliver(self, job: Job, classified: Classified) -> None:
        """Hands in what was found in a frame."""

    def fail(self, job: Job, error: Exception) -> None:
        """The frame made an error."""

    def beat(self) -> None:
        """The worker is alive."""


@dataclass(frozen=True)
class Call:
    """One call of the model: its frames, and what is under way for them."""

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
        backend: Backend,
        *,
        model: ModelInfo,
        full_scale: int,
        margin: int = 0,
        frames_a_call: int = 1,
        batch_wait_s: float = 0.0,
        ahead: int = 1,
    ) -> None:
        """Takes up the work; nothing is asked for before ``step``.

        ``margin``: pixels around each frame; ``batch_wait_s``: how long a call may wait for
        frames to share it with; ``ahead``: calls under way at a time, see ``Backend.ahead``.
        """
        self._supply = supply
        self._backend = backend
        self._model = model
        self._full_scale = full_scale
        self._margin = margin
        self._frames_a_call = frames_a_call
        self._batch_wait_s = batch_wait_s
        self._ahead = ahead
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
        """Frames to have in hands: those under way and those of the next call."""
        return (self._ahead + 1) * self._frames_a_call

    def step(self) -> bool:
        """Does what is to be done next; False if there is nothing, see ``patience_s``."""
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
        """How long to wait for more frames before those that are here are begun; None: ever."""
        if not self._waiting:
            return None
        came = self._waiting[0].received_ns
        return max(0.0, self._batch_wait_s - (time.monotonic_ns() - came) / 1e9)

    def drop_all(self) -> None:
        """Forgets all frames: they were given to others."""
        self._waiting.clear()
        while self._under_way:
            call = self._under_way.popleft()
            with suppress(Exception):  # nobody wants to know any more
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
        """The frames of the next call, the first of them whatever it is."""
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
        origins = prepared.origins + np.int32(self._margin) if self._margin else prepared.origins
        return FrameWindows(pixels, origins, prepared.gains, prepared.offsets)

    def _pending(self, windows: Sequence[FrameWindows]) -> Pending:
        return self._backend.start(
            stacked(windows, self._frames_a_call),
            self._full_scale,
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
        """A call failed: with several frames each is tried alone, to see whose fault it is.

        Raises the error if it is not the frames': then a new process may do better.
        """
        if len(call.jobs) == 1:
            (job,) = call.jobs
            self._supply.fail(job, error)
            self._supply.let_go(job.prepared)
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self.drop_all()  # they are not what this process dies of
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
            self._let_go(call.jobs)  # those that were not tried any more, too

    def _conclude(self, job: Job, windows: FrameWindows, seen: Seen, started_ns: int) -> None:
        prepared, model = job.prepared, self._model
        scores = scores_in_context(seen, prepared.origins, model.window)
        positive = scores >= model.grow_threshold
        frame = _inner(windows.frame, self._margin)
        lines = None if seen.lines is None else seen.lines[positive]
        centrelines = find_centrelines(frame, prepared.origins[positive], model.window, lines)
        # While the frame before was not done, this one was waiting.
        started = max(started_ns, self._finished_ns)
        self._finished_ns = time.monotonic_ns()
        self._supply.deliver(job, Classified(scores, centrelines, started, self._finished_ns))
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


def _inner(surrounded: Pixels, margin: int) -> Pixels:
    """The frame proper, without what lies around it."""
    height, width = surrounded.shape
    return surrounded[margin : height - margin, margin : width - margin]
