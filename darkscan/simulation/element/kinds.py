"""The classes of what an optic and its camera show, on cells of 8 px."""

from enum import IntEnum

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask

CELL_PX = 8

_FRACTION_BITS = 4  # lines are drawn to a sixteenth of a pixel
_FRACTIONS = 2**_FRACTION_BITS
_HALF_TURN = 180.0

Cells = npt.NDArray[np.uint8]


class Kind(IntEnum):
    """What a cell shows; where there are several, the one named last below counts.

    docs/reference/datasets.md says what belongs to which class and why.
    """

    NOTHING = 0
    FAULT = 1
    """The sensor's: a step between taps, dead rows, fixed specks."""
    GLOW = 2
    """Stains, stray light, ghosts of lamps, rings of dust out of focus."""
    DUST = 3
    DIG = 4
    FIBRE = 5
    """Hairs and fibres: bent so that no scratch could be."""
    SCRATCH = 6


UNKNOWN = 255
"""In place of a kind where nobody said what a cell shows."""


class KindMap:
    """The kinds of a square image's cells, and the directions of its scratches."""

    def __init__(self, side_px: int) -> None:
        count = side_px // CELL_PX
        self.side_px = side_px
        self.kinds: Cells = np.zeros((count, count), np.uint8)
        self.directions: Cells = np.zeros((count, count), np.uint8)
        """Degrees from x towards y, 0 to 179, in the cells of scratches; else 0."""

    def spots(self, kind: Kind, centres: Float64Array) -> None:
        """Marks the cells of spots (N, 2), x and y in pixels; those outside are ignored."""
        inside = ((centres >= 0) & (centres < self.side_px)).all(axis=1)
        columns, rows = (centres[inside] // CELL_PX).astype(np.intp).T
        self.kinds[rows, columns] = np.maximum(self.kinds[rows, columns], kind)

    def disc(self, kind: Kind, centre: tuple[float, float], radius: float) -> None:
        """Marks the cells within ``radius`` of a centre (x, y), all in pixels."""
        middles = (np.arange(len(self.kinds)) + 0.5) * CELL_PX
        far = np.hypot(middles - centre[0], (middles - centre[1])[:, None])
        # A small disc lies between the middles of cells: its own cell is marked in any case.
        inside = far < max(radius, CELL_PX * 0.75)
        self.kinds[inside] = np.maximum(self.kinds[inside], kind)

    def line(self, kind: Kind, vertices: Float64Array) -> None:
        """Marks the cells that a polyline (K, 2), x and y in pixels, crosses."""
        crossed = crossed_cells([vertices], self.side_px) > 0
        self.kinds[crossed] = np.maximum(self.kinds[crossed], kind)
        if kind is Kind.SCRATCH:
            self._point(vertices, crossed)

    def _point(self, vertices: Float64Array, crossed: Mask) -> None:
        """Gives the cells that a polyline crosses the direction of its nearest step."""
        rows, columns = np.nonzero(crossed)
        middles = (np.stack([columns, rows], axis=1) + 0.5) * CELL_PX
        steps = np.diff(vertices, axis=0)
        angle = np.degrees(np.arctan2(steps[:, 1], steps[:, 0])) % _HALF_TURN
        parts = np.maximum(1, np.ceil(np.hypot(*steps.T) / (CELL_PX / 2))).astype(int)
        number = np.repeat(np.arange(len(steps)), parts)
        along = np.concatenate([(np.arange(part) + 0.5) / part for part in parts])
        places = vertices[number] + along[:, None] * steps[number]
        away = np.square(middles[:, None] - places).sum(axis=2)
        self.directions[rows, columns] = angle[number[away.argmin(axis=1)]].astype(np.uint8)


def crossed_cells(lines: list[Float64Array], side_px: int) -> Cells:
    """1 in the cells of 8 px of an image that a polyline (K, 2) crosses, else 0."""
    count = side_px // CELL_PX
    cells = np.zeros((count, count), np.uint8)
    for vertices in lines:
        points = np.rint((vertices - 0.5) * _FRACTIONS).astype(np.int32)
        crossed = np.zeros((side_px, side_px), np.uint8)
        cv2.polylines(crossed, [points], isClosed=False, color=1, shift=_FRACTION_BITS)
        cells |= crossed.reshape(count, CELL_PX, count, CELL_PX).max(axis=(1, 3))
    return cells
