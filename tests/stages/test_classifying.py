"""The loop of a worker: frames ahead, shared calls, and whose fault a failure is."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.inference import FrameFormat, FrameWindows, OnnxRuntimeBackend, Pending, Seen
from darkscan.inference.frame_windows import frames_a_call, stacked, unstacked
from darkscan.inference.worker_backend import WorkerBackend
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunFolder
from darkscan.pipeline.transport.links import Desk, Inbox
from darkscan.pipeline.transport.messages import FrameRef, FrameScores, Prepared
from darkscan.pipeline.transport.ring import FrameRing, Role
from darkscan.stages.classification.classifier import Classified, Classifier, Job
from darkscan.stages.classification.stage import RingSupply
from tests.builders import frame_meta

SIDE, MARGIN = 384, 64
FRAMES = FrameFormat((SIDE, SIDE), "uint8", 255)
MODEL = ModelInfo(
    name="fake", hash="sha256:0", window=256, stride=128, threshold=0.5, grow_threshold=0.5
)


def prepared(frame: int, *, attempt: int = 0) -> Prepared:
    origins = window_origins((SIDE, SIDE), 256, 128)
    return Prepared(
        ref=FrameRef(session=1, frame=frame, slot=0, generation=1, attempt=attempt),
        meta=frame_meta(frame),
        gains=np.ones(len(origins), np.float32),
        offsets=np.zeros(len(origins), np.float32),
        stamps=(),
    )


class FakeSupply:
    """Frames whose pixels are their number; notes all that is done with them."""

    def __init__(self, frames: Iterable[Prepared], *, gone: Iterable[int] = ()) -> None:
        self.coming = deque(frames)
        self.gone = set(gone)
        self.asked: list[int] = []
        self.held: set[int] = set()
        self.delivered: dict[int, Classified] = {}
        self.failed: dict[int, str] = {}
        self.order: list[int] = []

    def ask(self, frames: int) -> None:
        self.asked.append(frames)

    def next(self) -> Prepared | None:
        return self.coming.popleft() if self.coming else None

    def take(self, prepared: Prepared) -> Pixels | None:
        frame = prepared.ref.frame
        if frame in self.gone:
            return None
        self.held.add(frame)
        return np.full((SIDE, SIDE), frame, np.uint8)

    def let_go(self, prepared: Prepared) -> None:
        self.held.discard(prepared.ref.frame)

    def deliver(self, job: Job, classified: Classified) -> None:
        self.delivered[job.prepared.ref.frame] = classified
        self.order.append(job.prepared.ref.frame)

    def fail(self, job: Job, error: Exception) -> None:
        self.failed[job.prepared.ref.frame] = str(error)

    def beat(self) -> None:
        pass


class FakeBackend:
    """Scores a window by its first pixel; breaks on frames of certain numbers."""

    name = "fake"

    def __init__(self, *, ahead: int = 1, poison: Iterable[int] = (), late: bool = False) -> None:
        self.ahead = ahead
        self.poison = set(poison)
        self.late = late
        self.under_way = 0
        self.most_under_way = 0
        self.calls: list[list[int]] = []

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,  # noqa: ARG002 - as in Backend
        *,
        between_batches: Callable[[], Any] = lambda: None,  # noqa: ARG002
    ) -> Pending:
        firsts = windows.frame[windows.origins[:, 0], windows.origins[:, 1]]
        self.calls.append(sorted(set(firsts.tolist())))
        bad = self.poison & set(firsts.tolist())
        if bad and not self.late:
            raise RuntimeError(f"poisoned by {bad}")
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)

        def pending() -> Seen:
            self.under_way -= 1
            if bad:
                raise RuntimeError(f"poisoned by {bad}")
            return Seen((firsts / 1000).astype(np.float32), None)

        return pending

    def close(self) -> None:
        pass


def classifier(
    supply: FakeSupply, backend: FakeBackend, *, frames: int = 1, wait_s: float = 0.0
) -> Classifier:
    worker = WorkerBackend(backend, frames)
    return Classifier(supply, worker, MODEL, FRAMES, batch_wait_s=wait_s)


def work(worker: Classifier) -> None:
    while worker.step():
        pass


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_as_many_calls_are_under_way_as_the_backend_likes_and_come_back_in_order(
    ahead: int,
) -> None:
    supply, backend = FakeSupply(map(prepared, range(8))), FakeBackend(ahead=ahead)
    work(classifier(supply, backend))
    assert backend.most_under_way == ahead
    assert supply.order == list(range(8))
    assert not supply.held


def test_there_is_room_for_the_frames_under_way_and_those_of_the_next_call() -> None:
    supply = FakeSupply([])
    worker = classifier(supply, FakeBackend(ahead=2), frames=3)
    assert not worker.step()
    assert supply.asked == [9]


def test_before_a_frame_is_worked_on_the_next_is_asked_for() -> None:
    supply = FakeSupply([prepared(0)])
    assert classifier(supply, FakeBackend()).step()
    assert supply.asked == [1]


def test_a_frame_that_others_see_to_is_passed_over() -> None:
    supply, backend = FakeSupply(map(prepared, range(4)), gone={1}), FakeBackend(ahead=2)
    work(classifier(supply, backend))
    assert supply.order == [0, 2, 3]
    assert not supply.failed


@pytest.mark.parametrize("late", [False, True], ids=["at its start", "when asked back"])
@pytest.mark.parametrize("frames", [1, 3], ids=["a frame a call", "three frames a call"])
def test_a_failing_frame_fails_alone(frames: int, *, late: bool) -> None:
    supply = FakeSupply(map(prepared, range(7)))
    backend = FakeBackend(ahead=2, poison={4}, late=late)
    work(classifier(supply, backend, frames=frames))
    assert sorted(supply.order) == [0, 1, 2, 3, 5, 6]
    assert supply.failed == {4: "poisoned by {4}"}
    assert not supply.held


def test_a_backend_on_which_everything_fails_is_given_up() -> None:
    supply = FakeSupply(map(prepared, range(9)))
    worker = classifier(supply, FakeBackend(poison=range(9)))
    with pytest.raises(RuntimeError, match="poisoned"):
        work(worker)
    assert len(supply.failed) == 3
    assert not supply.held


@pytest.mark.parametrize("frames", [1, 2], ids=["a frame a call", "two frames a call"])
def test_nothing_is_held_any_more_by_who_gives_up(frames: int) -> None:
    supply = FakeSupply(map(prepared, range(9)))
    worker = classifier(supply, FakeBackend(ahead=3, poison=range(9), late=True), frames=frames)
    with pytest.raises(RuntimeError, match="poisoned"):
        work(worker)
    assert not supply.held


def test_a_frame_that_a_worker_cannot_see_any_more_is_not_left_held() -> None:
    with RunFolder() as folder:
        ring = FrameRing.create(folder.path / RING_NAME, 2, (SIDE, SIDE), np.uint8)
        ring.begin_session()
        _, ref = ring.lease(0, FrameId(0))
        supply = RingSupply(folder.path, AtTheDesk(), lambda: None)
        hold = FrameRing.hold

        def hold_late(self: FrameRing, ref: FrameRef, role: Role) -> bool:
            held = hold(self, ref, role)
            ring.resend(0)
            return held

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FrameRing, "hold", hold_late)
            assert supply.take(prepared(0).model_copy(update={"ref": ref})) is None
        assert not ring.is_held(0)
        supply.close()
        ring.close()


def test_a_frame_that_was_sent_before_is_worked_on_alone() -> None:
    frames = [prepared(n, attempt=int(n == 3)) for n in range(7)]
    supply, backend = FakeSupply(frames), FakeBackend(ahead=3)
    held_with_it: set[int] = set()

    class Watching(FakeBackend):
        def start(
            self,
            windows: FrameWindows,
            full_scale: int,
            *,
            between_batches: Callable[[], Any] = lambda: None,
        ) -> Pending:
            if windows.frame[0, 0] == 3:
                held_with_it.update(supply.held)
            return super().start(windows, full_scale, between_batches=between_batches)

    backend = Watching(ahead=3)
    work(classifier(supply, backend, frames=2))
    assert held_with_it == {3}
    assert [3] in backend.calls
    assert supply.order == list(range(7))


def test_small_frames_share_calls() -> None:
    supply, backend = FakeSupply(map(prepared, range(7))), FakeBackend()
    work(classifier(supply, backend, frames=3))
    assert backend.calls == [[0, 1, 2], [3, 4, 5], [6]]
    for frame, classified in supply.delivered.items():
        assert (classified.scores == np.float32(frame / 1000)).all()
        assert len(classified.scores) == 4


def test_a_call_waits_for_its_frames_only_so_long() -> None:
    supply, backend = FakeSupply([prepared(0)]), FakeBackend()
    worker = classifier(supply, backend, frames=3, wait_s=0.2)
    worker.step()
    came = time.monotonic()
    while not backend.calls:
        patience = worker.patience_s
        assert patience is not None
        assert patience <= 0.2
        time.sleep(patience)
        worker.step()
    assert time.monotonic() - came > 0.15
    assert backend.calls == [[0]]


def test_what_was_given_to_others_is_forgotten() -> None:
    supply, backend = (
        FakeSupply(map(prepared, range(4))),
        FakeBackend(ahead=3, poison={1}, late=True),
    )
    worker = classifier(supply, backend)
    worker.step()
    for _ in range(2):
        worker.step()
    worker.drop_all()
    assert not supply.held
    assert not supply.delivered
    assert backend.under_way == 0
    assert not worker.step()


class AtTheDesk:
    """What a worker needs of its Station."""

    index = 0

    def listen_to(self, wire: object) -> None:
        pass


def test_a_device_that_fetches_frames_is_shown_the_ring() -> None:
    class Device(FakeBackend):
        def pin(self, memory: npt.NDArray[np.uint8]) -> bool:
            shown.append(memory)
            return True

    shown: list[npt.NDArray[np.uint8]] = []
    with RunFolder() as folder:
        ring = FrameRing.create(folder.path / RING_NAME, 2, (SIDE, SIDE), np.uint8, margin=0)
        ring.begin_session()
        pixels, _ = ring.lease(1, FrameId(0))
        pixels[:] = 211
        supply = RingSupply(folder.path, AtTheDesk(), lambda: None)
        supply.show_to(Device())
        (memory,) = shown
        assert np.count_nonzero(memory == 211) >= SIDE * SIDE
        pixels[:] = 47  # it is the ring, not a copy of it
        assert np.count_nonzero(memory == 47) >= SIDE * SIDE
        supply.close()


def test_the_backend_looks_at_the_ring_itself() -> None:
    """Acquisition's is the only copy of a frame: no other lies between it and the model."""
    with RunFolder() as folder:
        ring = FrameRing.create(folder.path / RING_NAME, 2, (SIDE, SIDE), np.uint8, margin=MARGIN)
        ring.begin_session()
        pixels, ref = ring.lease(0, FrameId(0))
        pixels[:] = 7
        supply = RingSupply(folder.path, AtTheDesk(), lambda: None)
        given: list[FrameWindows] = []

        class Keeping(FakeBackend):
            def start(
                self,
                windows: FrameWindows,
                full_scale: int,
                *,
                between_batches: Callable[[], Any] = lambda: None,
            ) -> Pending:
                given.append(windows)
                return super().start(windows, full_scale, between_batches=between_batches)

        frames = FrameFormat((SIDE, SIDE), "uint8", 255, MARGIN)
        worker = Classifier(supply, WorkerBackend(Keeping()), MODEL, frames)
        merging, desk = Inbox(folder.path, "merging"), Desk(folder.path)
        sent = prepared(0).model_copy(update={"ref": ref})
        while not given:
            desk.listen()
            desk.hand_out(sent)
            worker.step()
        (windows,) = given
        assert not windows.frame.flags.writeable
        assert windows.frame.flags.c_contiguous
        pixels[0, 0] = 9  # what is written to the slot is seen by the backend
        assert windows.frame[MARGIN, MARGIN] == 9
        assert windows.origins.tolist() == (MODEL.origins((SIDE, SIDE)) + MARGIN).tolist()
        worker.step()
        assert merging.socket.poll(300_000)
        result = merging.next()
        assert isinstance(result, FrameScores)
        assert result.ref == ref
        assert result.scores.shape == sent.gains.shape
        supply.close()
        for link in (merging.socket, desk.socket):
            link.close()
        ring.close()


def noisy_frame(seed: int, side: int) -> FrameWindows:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 40, (side, side), np.uint8)
    frame[side // 3 + seed, 30:-30] += 120
    origins = window_origins((side, side), 256, 128)
    return FrameWindows.adjusted(frame, origins, 256)


@pytest.mark.parametrize("taken", [1, 2, 3], ids=["alone", "two of three", "all three"])
def test_scores_are_the_same_to_the_bit_whoever_shares_the_call(taken: int) -> None:
    with as_file(files("darkscan") / "models" / "windowed.onnx") as model:
        backend = OnnxRuntimeBackend(model, threads=1, batch=12)
    frames = [noisy_frame(seed, SIDE) for seed in range(taken)]
    together = unstacked(backend.start(stacked(frames, 3), 255)(), frames)
    for windows, seen in zip(frames, together, strict=True):
        alone = backend.start(windows, 255)()
        np.testing.assert_array_equal(seen.scores, alone.scores, strict=True)
        assert seen.lines is not None
        assert alone.lines is not None
        np.testing.assert_array_equal(seen.lines, alone.lines, strict=True)


@pytest.mark.parametrize(
    ("form", "windows", "expected"),
    [
        pytest.param("windowed", 9, 3, id="few windows fill a batch with others"),
        pytest.param("windowed", 225, 1, id="a large frame fills it alone"),
        pytest.param("windowed", 20, 1, id="two would not fit"),
        pytest.param("dense", 9, 1, id="a dense model sees past the border"),
    ],
)
def test_how_many_frames_share_a_call(form: str, windows: int, expected: int) -> None:
    assert frames_a_call(form, windows, 32) == expected


def test_frames_of_different_kinds_are_not_stacked() -> None:
    small, large = noisy_frame(0, SIDE), noisy_frame(1, SIDE + 128)
    with pytest.raises(ValueError, match="do not fit 3 places"):
        stacked([small, large], 3)
    with pytest.raises(ValueError, match="do not fit 2 places"):
        stacked([small, small, small], 2)
