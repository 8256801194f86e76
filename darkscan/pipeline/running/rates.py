"""How fast a run is."""

import time
from collections import deque

_OVER_S = 30.0


class Rates:
    """Frames and windows per second over the last half minute."""

    def __init__(self) -> None:
        self._history: deque[tuple[float, int, int]] = deque()  # moment, frames, windows

    def update(self, frames: int, windows: int) -> tuple[float, float]:
        """Takes note of how many are done by now; the rates, 0 while they are not known."""
        now = time.monotonic()
        history = self._history
        history.append((now, frames, windows))
        while now - history[0][0] > _OVER_S:
            history.popleft()
        then, frames_then, windows_then = history[0]
        span = now - then
        if span <= 0:
            return 0.0, 0.0
        return max(0, frames - frames_then) / span, max(0, windows - windows_then) / span
