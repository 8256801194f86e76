"""A backend at work in the background."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from darkscan.inference import FrameWindows, Pending, Seen, worker_backend
from darkscan.inference.worker_backend import BackgroundBackend
from tests.inference.models import frame_windows

SEEN = Seen(np.array([0.5], np.float32), None)


class Held:
    """Works on a frame until it is let go; fails on the frames of ``bad``."""

    name, ahead = "held", 1

    def __init__(self, bad: int | None = None) -> None:
        self.go_on = threading.Event()
        self.calls = 0
        self.bad = bad
        self.closed = False

    def start(
        self,
        _windows: FrameWindows,
        _full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        between_batches()
        number, self.calls = self.calls, self.calls + 1
        assert self.go_on.wait(10)
        if number == self.bad:
            raise RuntimeError("this frame breaks it")
        return lambda: SEEN

    def close(self) -> None:
        self.closed = True


def test_the_next_frame_may_be_started_while_one_is_computed() -> None:
    held = Held()
    backend = BackgroundBackend(held)
    pending = [backend.start(frame_windows(), 255) for _ in range(2)]
    held.go_on.set()
    assert [each() for each in pending] == [SEEN, SEEN]
    backend.close()
    assert held.closed


def test_who_waits_shows_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_backend, "_LOOK_S", 0.01)
    held, beats = Held(), []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 3:
            held.go_on.set()

    backend = BackgroundBackend(held)
    assert backend.start(frame_windows(), 255, between_batches=beat)() == SEEN
    assert len(beats) >= 3
    backend.close()


def test_a_call_that_hangs_shows_none_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_backend, "_LOOK_S", 0.01)
    monkeypatch.setattr(worker_backend, "_LONGEST_S", 0.1)
    held, beats = Held(), []
    backend = BackgroundBackend(held)
    pending = backend.start(frame_windows(), 255, between_batches=lambda: beats.append(1))
    threading.Timer(0.5, held.go_on.set).start()
    assert pending() == SEEN
    assert 1 <= len(beats) < 30  # of fifty looks
    backend.close()


def test_an_error_is_that_of_its_own_frame() -> None:
    held = Held(bad=0)
    backend = BackgroundBackend(held)
    first, second = (backend.start(frame_windows(), 255) for _ in range(2))
    held.go_on.set()
    with pytest.raises(RuntimeError, match="breaks it"):
        first()
    assert second() == SEEN
    backend.close()


def test_a_frame_that_ends_between_two_looks_is_done() -> None:
    class Late(Future[Seen]):
        """Is not done when it is waited for, and done when it is asked."""

        def result(self, timeout: float | None = None) -> Seen:
            if timeout is not None:
                self.set_result(SEEN)
                raise TimeoutError
            return super().result()

    def finish() -> None:
        if not future.done():
            future.set_result(SEEN)

    future = Late()
    threading.Timer(0.05, finish).start()
    assert worker_backend._waited_for(future, lambda: None) == SEEN
