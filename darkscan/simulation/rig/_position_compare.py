"""The simulated position-compare output: it fires where it was told, and latches the axes."""

from collections.abc import Callable, Sequence

from darkscan.simulation.rig._axis import Axis
from darkscan.simulation.rig._profiles import Direction

Fire = Callable[[int, tuple[float, float, float]], None]


class PositionCompare:
    """Fires as the compared axis comes to first, first + step, ... in the step's direction."""

    def __init__(self, axes: Sequence[Axis], fire: Fire, noise: Callable[[], float]) -> None:
        """``fire`` is called with time (ns) and true positions; ``noise`` gives mm."""
        self.axis = "x"
        self.first = 0.0
        self.step = 1.0
        self.count = 0
        self.latches: list[float] = []
        """x y z x y z ..., mm, as they are reported."""
        self._axes = axes
        self._fire = fire
        self._noise = noise
        self._fired = 0
        self._after_ns: int | None = None

    def clear(self) -> None:
        """Forgets the latches."""
        self.latches.clear()

    def arm(self, now_ns: int) -> None:
        """Waits from now on for the first position."""
        self._fired, self._after_ns = 0, now_ns

    def disarm(self) -> None:
        """Fires no more."""
        self._after_ns = None

    def advance(self, now_ns: int) -> None:
        """Fires for every position passed until now, each at its exact time."""
        if self._after_ns is None:
            return
        compared = self._axes["xy".index(self.axis)].profile
        direction: Direction = 1 if self.step > 0 else -1
        while self._fired < self.count:
            place = self.first + self._fired * self.step
            time_ns = compared.crossing(place, direction, self._after_ns)
            if time_ns is None or time_ns > now_ns:
                return
            x, y, z = (axis.position(time_ns) for axis in self._axes)
            self._fire(time_ns, (x, y, z))
            self.latches += [x + self._noise(), y + self._noise(), z + self._noise()]
            self._fired, self._after_ns = self._fired + 1, time_ns
