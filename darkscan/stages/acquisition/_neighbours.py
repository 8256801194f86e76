"""The frames beside each frame, and the pixels that a later one will want of an earlier one.

All boxes are in whole pixels (x to the right, y down). Frames of a scan are not turned
against each other, so what separates two of them is a shift.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

SLACK_PX = 16
"""A frame finds all pixels that it wants if it lies within so many pixels of its plan."""

_ODDS = 1.25
"""Two boxes become one if it holds at most so many times the pixels of both."""


class Box(NamedTuple):
    """Pixels from (x0, y0) to before (x1, y1)."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def area(self) -> int:
        """Pixels; 0 if there are none."""
        return max(0, self.x1 - self.x0) * max(0, self.y1 - self.y0)

    def shifted(self, x: int, y: int) -> "Box":
        """The box elsewhere."""
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def grown(self, by: int) -> "Box":
        """The box with so much more on every side."""
        return Box(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def within(self, other: "Box") -> "Box":
        """The intersection of both boxes; its area is 0 if they do not meet."""
        return Box(
            max(self.x0, other.x0),
            max(self.y0, other.y0),
            min(self.x1, other.x1),
            min(self.y1, other.y1),
        )

    def around(self, other: "Box") -> "Box":
        """The least box that holds both."""
        return Box(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """As an index of (row, column)."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


def margins(frame_shape: tuple[int, int], margin: int) -> tuple[Box, Box, Box, Box]:
    """The margin of a frame (height, width) as four boxes: above, below, left and right of it.

    Seen from the frame's first pixel; the corners are above and below.
    """
    height, width = frame_shape
    return (
        Box(-margin, -margin, width + margin, 0),
        Box(-margin, height, width + margin, height + margin),
        Box(-margin, 0, 0, height),
        Box(width, 0, width + margin, height),
    )


class Neighbours:
    """The frames of a scan by their index in scan order, each with those that reach its margin.

    ``frames``: every frame of the scan with its place, measured or planned. A frame's
    neighbours come before it in scan order.
    """

    def __init__(self, scan: ScanInfo, frames: Sequence[FrameMeta], margin: int) -> None:
        self._to_pixels = np.linalg.inv(scan.pixel_to_stage.matrix)
        places = self._in_pixels([meta.position_mm[:2] for meta in frames])
        height, width = scan.frame_shape
        self._frame = Box(0, 0, width, height)
        self._margins = margins(scan.frame_shape, margin)
        reach = np.array([width, height]) + margin + SLACK_PX
        self.before: list[list[int]] = []
        """The neighbours of each frame, in scan order."""

        self.wanted: list[list[Box]] = [[] for _ in frames]
        """The pixels of each frame that later ones may want, as boxes in the frame."""

        self.until: list[int] = [-1] * len(frames)
        """The last frame that may want pixels of each frame; -1: none does."""

        for index in range(len(frames)):
            shifts = np.rint(places[:index] - places[index])
            near = np.flatnonzero((np.abs(shifts) < reach).all(axis=1)).tolist()
            self.before.append(near)
            for neighbour in near:
                self._want(neighbour, *shifts[neighbour].astype(int).tolist())
                self.until[neighbour] = index
        for boxes in self.wanted:
            if sum(box.area for box in boxes) > self._frame.area:
                boxes[:] = [self._frame]

    @property
    def most_pixels(self) -> int:
        """Pixels that are wanted of one frame, at most."""
        return max((sum(box.area for box in boxes) for boxes in self.wanted), default=0)

    @property
    def most_frames(self) -> int:
        """Frames that something is still wanted of, at most, frames being taken in scan order."""
        open_at = np.zeros(len(self.until) + 1, np.int64)
        for index, until in enumerate(self.until):
            if until >= 0:
                open_at[index] += 1
                open_at[until] -= 1
        return int(open_at.cumsum().max(initial=0))

    def shift(self, frame: FrameMeta, neighbour: tuple[float, float]) -> tuple[int, int]:
        """Where a neighbour at (x, y) mm lies, seen from the frame's first pixel."""
        (x, y), (other_x, other_y) = self._in_pixels([frame.position_mm[:2], neighbour]).tolist()
        return round(other_x - x), round(other_y - y)

    def _in_pixels(self, places_mm: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
        return np.asarray(places_mm, np.float64).reshape(-1, 2) @ self._to_pixels.T

    def _want(self, neighbour: int, x: int, y: int) -> None:
        """A frame from which ``neighbour`` is seen at (x, y) wants what lies in its margins."""
        boxes = self.wanted[neighbour]
        for side in self._margins:
            box = side.shifted(-x, -y).grown(SLACK_PX).within(self._frame)
            if box.area:
                _add(boxes, box)


def _add(boxes: list[Box], box: Box) -> None:
    """Adds a box to ``boxes``; boxes that are nearly one become one."""
    for index, other in enumerate(boxes):
        both = box.around(other)
        if both.area <= _ODDS * (box.area + other.area):
            del boxes[index]
            _add(boxes, both)
            return
    boxes.append(box)
