"""The pace of a worker elsewhere: by when it must have answered, from how fast it was."""

from collections import deque

_TIMES = 4.0
_SHORTEST_S = 10.0
_REMEMBERED = 16


class Pace:
    """How long a worker takes for a frame, and how long it is waited for."""

    def __init__(self, longest_s: float) -> None:
        """``longest_s``: it is never waited for longer; before its first answer so long."""
        self._longest_s = longest_s
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)

    def answered(self, seconds: float) -> None:
        """Takes note of how long a frame took, from its lending to its answer."""
        self._seconds.append(seconds)

    @property
    def known(self) -> bool:
        """Whether it has answered at all."""
        return bool(self._seconds)

    def patience_s(self, *, hurried: bool = False) -> float:
        """How long after its lending a frame is given to somebody else.

        Four times as long as the slowest of its latest frames took, ten seconds at least.
        ``hurried``: whether the run is to end: who has not answered yet is then waited for ten
        seconds.
        """
        if not self._seconds:
            return min(_SHORTEST_S, self._longest_s) if hurried else self._longest_s
        return min(max(_SHORTEST_S, _TIMES * max(self._seconds)), self._longest_s)
