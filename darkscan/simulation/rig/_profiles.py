"""How an axis moves: exact positions at exact times, whenever one asks.

Times are CLOCK_REALTIME in ns, places in mm, speeds in mm/s, accelerations in mm/s2.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal, Self

_NS = 1_000_000_000
_REST = 1e-9

Direction = Literal[-1, 1]


@dataclass(frozen=True)
class Piece:
    """A stretch of even acceleration; it lasts until the next one begins."""

    start_ns: int
    position: float
    velocity: float
    acceleration: float

    def at(self, time_ns: int) -> tuple[float, float]:
        """Position and velocity."""
        t = (time_ns - self.start_ns) / _NS
        return (
            self.position + (self.velocity + 0.5 * self.acceleration * t) * t,
            self.velocity + self.acceleration * t,
        )

    def passes(self, place: float) -> float | None:
        """Seconds from the start until at ``place``, which lies on the way; None: at rest."""
        away = self.position - place
        if abs(self.acceleration) < _REST:
            return -away / self.velocity if abs(self.velocity) > _REST else None
        # Of the two moments the one before the velocity changes its sign, in the form that
        # does not subtract what is nearly equal.
        root = math.sqrt(max(self.velocity**2 - 2.0 * self.acceleration * away, 0.0))
        forward = math.copysign(root, self.velocity or self.acceleration)
        speeds = self.velocity + forward
        return -2.0 * away / speeds if abs(speeds) > _REST else None


@dataclass(frozen=True)
class Profile:
    """Pieces in the order of time; the last one is rest."""

    pieces: tuple[Piece, ...]

    @classmethod
    def rest(cls, position: float) -> Self:
        """Has always stood there."""
        return cls((Piece(0, position, 0.0, 0.0),))

    @property
    def start_ns(self) -> int:
        """When the first movement begins."""
        return self.pieces[0].start_ns

    @property
    def end_ns(self) -> int:
        """When the axis comes to rest."""
        return self.pieces[-1].start_ns

    @property
    def end(self) -> float:
        """Where the axis comes to rest."""
        return self.pieces[-1].position

    def at(self, time_ns: int) -> tuple[float, float]:
        """Position and velocity at a time; before the first piece: its position, at rest."""
        index = bisect_right(self.pieces, time_ns, key=lambda piece: piece.start_ns) - 1
        return self.pieces[index].at(time_ns) if index >= 0 else (self.pieces[0].position, 0.0)

    def position(self, time_ns: int) -> float:
        """Where the axis is at a time."""
        return self.at(time_ns)[0]

    def moving(self, time_ns: int) -> bool:
        """Whether the axis moves at a time."""
        return self.start_ns <= time_ns < self.end_ns

    def crossing(self, place: float, direction: Direction, after_ns: int = 0) -> int | None:
        """When the axis first comes to ``place`` in this direction, after a time; None: never."""
        for piece, following in zip(self.pieces, self.pieces[1:], strict=False):
            if following.start_ns <= after_ns:
                continue
            position, velocity = piece.at(max(piece.start_ns, after_ns))
            _, final_velocity = piece.at(following.start_ns)
            forward = (velocity + final_velocity) * direction > 0.0
            ahead = (place - position) * direction > 0.0
            reached = (following.position - place) * direction >= 0.0
            if forward and ahead and reached and (seconds := piece.passes(place)) is not None:
                return min(piece.start_ns + round(seconds * _NS), following.start_ns)
        return None

    def stopped(self, time_ns: int, deceleration: float) -> Self:
        """The same until ``time_ns``, from then on slowing down to rest."""
        if not self.moving(time_ns):
            return self
        position, velocity = self.at(time_ns)
        before = tuple(piece for piece in self.pieces if piece.start_ns < time_ns)
        seconds = abs(velocity) / deceleration
        slowing = Piece(time_ns, position, velocity, -math.copysign(deceleration, velocity))
        end = position + 0.5 * velocity * seconds
        rest = Piece(time_ns + round(seconds * _NS), end, 0.0, 0.0)
        return type(self)((*before, slowing, rest))

    def then_to(
        self, target: float, time_ns: int, *, velocity: float, acceleration: float, base: float = 0
    ) -> Self:
        """Followed, from ``time_ns`` or from rest on, by a move to ``target``.

        The axis starts and ends at the speed ``base``, as stepper motors do.
        """
        start_ns, start = max(time_ns, self.end_ns), self.end
        before = self.pieces[:-1] if self.end_ns >= time_ns else ()
        distance = abs(target - start)
        if distance < _REST:
            return self
        base = min(base, velocity)
        peak = min(velocity, math.sqrt(base**2 + acceleration * distance))
        ramp_s = (peak - base) / acceleration
        ramp = 0.5 * (peak + base) * ramp_s
        even_s = max(distance - 2.0 * ramp, 0.0) / peak
        sign = math.copysign(1.0, target - start)
        even_ns = start_ns + round(ramp_s * _NS)
        slow_ns = even_ns + round(even_s * _NS)
        end_ns = slow_ns + round(ramp_s * _NS)
        return type(self)(
            (
                *before,
                Piece(start_ns, start, sign * base, sign * acceleration),
                Piece(even_ns, start + sign * ramp, sign * peak, 0.0),
                Piece(slow_ns, target - sign * ramp, sign * peak, -sign * acceleration),
                Piece(end_ns, target, 0.0, 0.0),
            )
        )
