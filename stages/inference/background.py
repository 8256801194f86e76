"""A processor's backend at work in the background, while the frame before is concluded."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from darkscan.stages.inference.backend import Backend, FrameWindows, Pending, Seen

_LOOK_S = 0.5
_LONGEST_S = 600.0  # a frame of the windowed model takes a minute on the slowest of machines


class Background:
    """Runs the calls of another backend one after the other in a thread of their own.

    Libraries of networks hold no lock of Python's while they compute. So one frame passes the
    network while the scratches of the one before are traced, and no core has to wait.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self.name = backend.name
        self.ahead = 2

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start. ``between_batches`` is called now and then by who waits."""
        future = self._thread.submit(self._see, windows, full_scale)
        return lambda: _waited_for(future, between_batches)

    def close(self) -> None:
        """See Backend.close; waits for what is under way."""
        self._thread.shutdown(cancel_futures=True)
        self._backend.close()

    def _see(self, windows: FrameWindows, full_scale: int) -> Seen:
        return self._backend.start(windows, full_scale)()


def _waited_for(future: Future[Seen], meanwhile: Callable[[], Any]) -> Seen:
    """The outcome; ``meanwhile`` is called while it takes, but not for ever.

    A call that takes so long hangs, and who watches over this process must come to know.
    """
    patience = time.monotonic() + _LONGEST_S
    while not wait([future], timeout=_LOOK_S).done:
        if time.monotonic() < patience:
            meanwhile()
    return future.result()
