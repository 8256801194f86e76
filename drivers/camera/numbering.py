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

    ``first`` is the number of the first frame after each start of the acquisition,
    ``wraps_at`` the largest before the camera goes on at 1, or 0 if it never does.
    """

    def __init__(self, first: int, wraps_at: int) -> None:
        self._wraps_at = wraps_at
        self._next_id = first
        self._next = 0

    def add(self, frame_id: int) -> Numbered:
        """The place of the frame that came next, by the camera's own number.

        A camera without a wrap whose numbers go back has begun anew: nothing is said to be
        missed then, for nobody knows.
        """
        missed = frame_id - self._next_id
        if missed < 0:
            missed = missed % self._wraps_at if self._wraps_at else 0
        number = self._next + missed
        self._next = number + 1
        self._next_id = frame_id + 1
        if self._wraps_at and self._next_id > self._wraps_at:
            self._next_id = 1
        return Numbered(number, missed)
