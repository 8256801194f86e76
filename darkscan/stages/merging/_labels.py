"""Finds places for text: the ids of defects where none covers another, a legend in rows."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import Defect

_MOST, _MOST_COVERED = 200, 0.15
"""More ids than these, or a larger part of the element under them, say nothing to an eye."""

_TRIES = 5
"""Defects that are looked at for each id that may be written."""

_GAP = 0.35
"""From a defect to its id, in heights of the text."""

_ALONG = (0.5, 0.25, 0.75, 0.0, 1.0)
"""Where along a line its id may stand, the best place first."""


class Label(NamedTuple):
    """An id and its place on the element, mm."""

    id: str
    anchor: tuple[float, float]
    """The point of the defect beside which it stands."""

    left: float
    top: float
    width: float
    height: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    @property
    def is_right(self) -> bool:
        """Whether it stands to the right of its anchor, rather than to the left."""
        return self.left > self.anchor[0]


def place_labels(
    defects: Sequence[Defect],
    size_mm: tuple[float, float],
    text_mm: tuple[float, float],
) -> list[Label]:
    """Places for the ids of the longest defects that find one, the longest first.

    No label lies on another one or reaches beyond the element, ``size_mm`` wide and high; on a
    line or a spot it lies only where there is no better place. ``text_mm``: width of a letter
    and height of the text, mm.
    """
    room = _MOST_COVERED * size_mm[0] * size_mm[1] / (5 * text_mm[0] * text_mm[1])
    most = min(_MOST, max(1, int(room)))
    longest = sorted(defects, key=lambda defect: (-defect.length_mm, defect.id))
    marks = _Marks(defects, size_mm, text_mm[1] / 2)
    placed: list[Label] = []
    taken = np.empty((_MOST, 4))  # left, top, right, bottom
    for defect in longest[: _TRIES * most]:
        if len(placed) == most:
            break
        others = taken[: len(placed)]
        free = [
            label
            for label in _places(defect, text_mm, size_mm[0])
            if _is_within(label, size_mm) and _is_apart(label, others)
        ]
        if free:
            best = min(free, key=marks.under)  # the first of equal ones
            taken[len(placed)] = best.box
            placed.append(best)
    return placed


def _is_within(label: Label, size_mm: tuple[float, float]) -> bool:
    left, top, right, bottom = label.box
    return left >= 0 and top >= 0 and right <= size_mm[0] and bottom <= size_mm[1]


def _is_apart(label: Label, others: Float64Array) -> bool:
    """Whether it lies on none of the boxes (N, 4)."""
    left, top, right, bottom = label.box
    apart = (left >= others[:, 2]) | (right <= others[:, 0])
    apart |= (top >= others[:, 3]) | (bottom <= others[:, 1])
    return bool(apart.all())


class _Marks:
    """Where on the element lines and spots are drawn."""

    def __init__(
        self, defects: Sequence[Defect], size_mm: tuple[float, float], cell_mm: float
    ) -> None:
        """Lays cells of a size over the element."""
        self._cell = cell_mm
        columns, rows = (max(1, math.ceil(side / cell_mm)) for side in size_mm)
        self._cells = np.zeros((rows, columns), np.bool_)
        for defect in defects:
            line = np.array(defect.centreline or [defect.centroid_mm])
            cells = (line / cell_mm - 0.5) * 16
            fixed = np.rint(cells).astype(np.int32)
            cv2.polylines(self._cells.view(np.uint8), [fixed], False, 1, 1, cv2.LINE_8, 4)  # noqa: FBT003

    def under(self, label: Label) -> int:
        """How many cells under a label are drawn on."""
        left, top, right, bottom = (value / self._cell for value in label.box)
        rows = slice(int(top), math.ceil(bottom))
        return int(self._cells[rows, int(left) : math.ceil(right)].sum())


def _places(defect: Defect, text_mm: tuple[float, float], most_mm: float) -> Iterator[Label]:
    """Places beside a defect that its id may take, the best first; ``most_mm``: largest x."""
    height = text_mm[1]
    width, gap = text_mm[0] * len(defect.id), _GAP * height
    for x, y in _anchors(defect):
        above_or_below = min(max(x - width / 2, 0.0), most_mm - width)
        for left in (x + gap, x - gap - width, above_or_below):
            for top in (y - gap - height, y + gap):
                yield Label(defect.id, (x, y), left, top, width, height)


def _anchors(defect: Defect) -> list[tuple[float, float]]:
    """Points (x, y) of a defect beside which its id may stand, mm."""
    if not defect.centreline:
        return [defect.centroid_mm]
    points: Float64Array = np.array(defect.centreline)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    places = np.array(_ALONG) * along[-1]
    x, y = (np.interp(places, along, points[:, axis]).tolist() for axis in (0, 1))
    return list(zip(x, y, strict=True))


def in_rows(widths: Sequence[float], most: float, between: float) -> list[tuple[float, int]]:
    """The left end and the row of things side by side, in rows at most ``most`` wide.

    They stand ``between`` apart; one that is wider than a row has its own.
    """
    places = []
    x, row = 0.0, 0
    for width in widths:
        if x and x + width > most:
            x, row = 0.0, row + 1
        places.append((x, row))
        x += width + between
    return places
