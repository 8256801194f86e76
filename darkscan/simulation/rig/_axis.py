"""A simulated axis as it truly is: where it stands, what stops it, what is wrong with it."""

import math
from enum import StrEnum

from darkscan.simulation.rig._profiles import Direction, Profile

_HARDER = 10.0
_SMALLEST_S = 1e-3


class Fault(StrEnum):
    """The faults that an axis shows on request."""

    NONE = "none"
    LIMIT = "limit"
    """A limit switch is hit."""
    PROBLEM = "problem"
    """Following error: the axis stops and the record says PROBLEM."""
    FROZEN = "frozen"
    """The record neither reports nor answers any more; the axis stops."""
    UNHOMED = "unhomed"
    """The axis does not know where it is."""
    ECHO = "echo"
    """The axis does not move, and the record says that it does."""
    COMM = "comm"
    """The record does not reach its controller; the axis stops."""


class Axis:
    """Moves between two limit switches, ``time_scale`` times as fast as it is told."""

    def __init__(self, position: float, travel: tuple[float, float], time_scale: float) -> None:
        self.profile = Profile.rest(position)
        self.homed = True
        self.problem = False
        self.frozen = False
        self.echoing = False
        self.unreached = False
        self._true_travel = travel
        self._travel = travel
        self._time_scale = time_scale
        self._acceleration = 1.0
        self._fault = Fault.NONE
        self._fault_at: float | None = None
        self._checked_ns = 0

    def position(self, time_ns: int) -> float:
        """Where the axis is, mm."""
        return self.profile.position(time_ns)

    @property
    def stuck(self) -> bool:
        """Whether it moves for no order."""
        return self.problem or self.frozen or self.echoing or self.unreached

    def at_high(self, time_ns: int) -> bool:
        """Whether it is on the upper limit switch."""
        return self.position(time_ns) >= self._travel[1]

    def at_low(self, time_ns: int) -> bool:
        """Whether it is on the lower limit switch."""
        return self.position(time_ns) <= self._travel[0]

    def go(
        self, now_ns: int, target: float, *, velocity: float, seconds: float, base: float
    ) -> None:
        """Moves to ``target``; ``seconds`` from the speed ``base`` to ``velocity``."""
        outwards_high = target > self.position(now_ns) and self.at_high(now_ns)
        outwards_low = target < self.position(now_ns) and self.at_low(now_ns)
        if outwards_high or outwards_low or self.stuck:
            return
        self.stop(now_ns)
        scale = self._time_scale
        self._acceleration = (
            max(velocity - base, _SMALLEST_S) / max(seconds, _SMALLEST_S) * scale**2
        )
        self.profile = self.profile.then_to(
            target,
            now_ns,
            velocity=velocity * scale,
            acceleration=self._acceleration,
            base=base * scale,
        )

    def stop(self, now_ns: int) -> None:
        """Slows down to rest."""
        self.profile = self.profile.stopped(now_ns, self._acceleration)

    def fail(self, now_ns: int, fault: Fault, at: float | None) -> None:
        """Plays a fault: at once, or as soon as the axis comes to ``at``; NONE mends all."""
        self._fault, self._fault_at = fault, at
        if fault is Fault.NONE:
            self.homed = True
            self.problem = self.frozen = self.echoing = self.unreached = False
            self._travel = self._true_travel
        elif at is None:
            self._strike(now_ns)

    def advance(self, now_ns: int) -> None:
        """Lets happen what has happened on the way until now, each at its exact time."""
        if self._fault_at is not None:
            strikes = self._crosses(self._fault_at)
            if strikes is not None and strikes <= now_ns:
                self._strike(strikes)
        low, high = self._travel
        switches: tuple[tuple[float, Direction], ...] = ((low, -1), (high, 1))
        for switch, direction in switches:
            hit = self.profile.crossing(switch, direction, self._checked_ns)
            if hit is not None and hit <= now_ns:
                self._stop_hard(hit)
        self._checked_ns = now_ns

    def _crosses(self, place: float) -> int | None:
        after = self._checked_ns
        times = [self.profile.crossing(place, 1, after), self.profile.crossing(place, -1, after)]
        return min((time for time in times if time is not None), default=None)

    def _strike(self, time_ns: int) -> None:
        position, velocity = self.profile.at(time_ns)
        self._fault_at = None
        match self._fault:
            case Fault.LIMIT:
                low, high = self._travel
                self._travel = (low, position) if velocity >= 0.0 else (position, high)
            case Fault.PROBLEM:
                self.problem = True
            case Fault.FROZEN:
                self.frozen = True
            case Fault.ECHO:
                self.echoing = True
            case Fault.COMM:
                self.unreached = True
            case Fault.UNHOMED:
                self.homed = False
                return
            case Fault.NONE:
                return
        self._stop_hard(time_ns)

    def _stop_hard(self, time_ns: int) -> None:
        self.profile = self.profile.stopped(time_ns, _HARDER * self._acceleration)


def no_place(value: float) -> float | None:
    """A place as process variables hold it: not a number means none."""
    return None if math.isnan(value) else value
