"""Frame numbers as cameras count them, undone to 0, 1, 2... since acquisition began."""

from typing import NamedTuple


class Numbered(NamedTuple):
    """A frame's place in the row of all that the camera took."""

    number: int
    """0-based since acquisition began, those that never came counted."""

    missed: int
    """Numbers skipped just before this one."""


class Numbering:
    """Undoes the wrap of a camera's frame numbers and sees the gaps.

    ``first`` is the number of a camera's very first frame, ``wraps_at`` the largest before
    the camera goes on at 1, or 0 if it never does.

    Most cameras count from ``first`` again whenever acquisition starts, and then the frames
    lost before the first that came are known, too. Some count on. A camera is taken for one of
    these when its first number is beyond the last of the acquisition before, until it once
    was not.
    """

    def __init__(self, first: int, wraps_at: int) -> None:
        self._first, self._wraps_at = first, wraps_at
        self._last_id: int | None = None
        self._restarts = False
        self.begin()

    def begin(self) -> None:
        """Acquisition starts (again)."""
        self._next_id: int | None = None
        self._next = 0

    def add(self, frame_id: int) -> Numbered:
        """The place of the frame that came next, by the camera's own number.

        Where numbers without a wrap go back nobody knows what is missing: nothing is said to.
        """
        expected = self._first_id(frame_id) if self._next_id is None else self._next_id
        missed = frame_id - expected
        if missed < 0:
            missed = missed % self._wraps_at if self._wraps_at else 0
        number = self._next + missed
        self._last_id = frame_id
        self._next = number + 1
        self._next_id = 1 if frame_id == self._wraps_at else frame_id + 1
        return Numbered(number, missed)

    def _first_id(self, came: int) -> int:
        """What the first number of this acquisition was or would have been."""
        self._restarts = self._restarts or (self._last_id is not None and came <= self._last_id)
        counts_on = self._last_id is not None and not self._restarts
        return came if counts_on else self._first
