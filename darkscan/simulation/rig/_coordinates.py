"""A motor record's coordinates: its controller's steps, the dial's, and the user's."""

from dataclasses import dataclass


@dataclass
class Coordinates:
    """dial = steps * MRES; user = dial * DIR + OFF. The axis truly moves ``step_mm`` a step."""

    step_mm: float
    resolution: float
    """MRES: what the record takes a step for."""

    zero_mm: float = 0.0
    """Where the axis truly is when the controller counts 0 steps."""

    direction: int = 1
    offset: float = 0.0

    @property
    def true_per_dial(self) -> float:
        """Millimetres that the axis moves for one unit of the dial."""
        return self.step_mm / self.resolution

    def dial(self, true_mm: float) -> float:
        """The dial's position for a true one."""
        return (true_mm - self.zero_mm) / self.true_per_dial

    def user(self, true_mm: float) -> float:
        """The user's position for a true one."""
        return self.user_of(self.dial(true_mm))

    def true(self, dial: float) -> float:
        """The true position for one of the dial."""
        return dial * self.true_per_dial + self.zero_mm

    def user_of(self, dial: float) -> float:
        """The user's position for one of the dial."""
        return dial * self.direction + self.offset

    def dial_of(self, user: float) -> float:
        """The dial's position for one of the user."""
        return (user - self.offset) * self.direction

    def load(self, dial: float, true_mm: float) -> None:
        """Has the controller take the true position for ``dial`` from now on."""
        self.zero_mm = true_mm - dial * self.true_per_dial
