"""From cells of a raster to connected regions and their outlines in millimetres."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.stages.mapping.raster import BoolArray, Raster

Point = tuple[float, float]
Ring = tuple[Point, ...]
Labels = npt.NDArray[np.int32]
Corners = npt.NDArray[np.int64]
"""(N, 2) column and row of lattice points."""

DECIMALS = 4
"""Of millimetres, in the map: a hundredth of a pixel."""

# findContours walks through the middles of pixels. With three pixels to a cell, the
# pixels left and right of a lattice line c are 3c - 1 and 3c: both round to c.
_PIXELS_PER_CELL = 3


@dataclass(frozen=True, eq=False)
class Region:
    """Connected cells, within the smallest block that holds them."""

    label: int
    rows: slice
    columns: slice
    mask: BoolArray
    """(rows, columns) of the block: its cells."""


def connected_regions(
    mask: BoolArray, *, connectivity: Literal[4, 8], row: int = 0, column: int = 0
) -> tuple[Labels, list[Region]]:
    """Tells the connected regions of a mask apart: the label of each cell, and the regions.

    With ``connectivity`` 8 cells that touch at a corner are connected, with 4 only those
    that share a side. Labels are 1, 2...; 0 is no region. ``row`` and ``column`` are
    the place of the mask's first cell on the raster, for the regions' blocks.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S
    )
    regions = []
    for label in range(1, count):
        left, top, width, height, _ = (int(value) for value in stats[label])
        block = labels[top : top + height, left : left + width]
        rows = slice(row + top, row + top + height)
        columns = slice(column + left, column + left + width)
        regions.append(Region(label, rows, columns, block == label))
    return labels.astype(np.int32, copy=False), regions


def rings(region: Region, raster: Raster) -> tuple[Ring, ...]:
    """A region's outline along lattice lines, mm: the outer ring first, then its holes.

    Rings start at their topmost, then leftmost point and do not repeat it; outer rings
    run as a clock's hand does, holes against it; no three points in a row are collinear.
    """
    enlarged = region.mask.repeat(_PIXELS_PER_CELL, axis=0).repeat(_PIXELS_PER_CELL, axis=1)
    found, hierarchy = cv2.findContours(
        enlarged.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    outer: list[Ring] = []
    holes: list[Ring] = []
    for contour, (*_, parent) in zip(found, hierarchy[0], strict=True):
        pixel = contour.reshape(-1, 2).astype(np.int64)
        corners = _corners((pixel + 1) // _PIXELS_PER_CELL)
        corners = _turned(corners, clockwise=parent < 0)
        x = raster.x_mm[corners[:, 0] + region.columns.start]
        y = raster.y_mm[corners[:, 1] + region.rows.start]
        ring = tuple(zip(rounded(x), rounded(y), strict=True))
        (outer if parent < 0 else holes).append(ring)
    return (*outer, *sorted(holes, key=lambda ring: [point[::-1] for point in ring]))


def box_mm(region: Region, raster: Raster) -> tuple[float, float, float, float]:
    """A region's upright box: x, y, width and height, mm."""
    left, right = raster.x_mm[[region.columns.start, region.columns.stop]]
    top, bottom = raster.y_mm[[region.rows.start, region.rows.stop]]
    x, y, width, height = rounded([left, top, right - left, bottom - top])
    return x, y, width, height


def rounded(values: Iterable[float]) -> list[float]:
    """Plain floats of the map's precision; zero has no sign."""
    return [round(float(value), DECIMALS) + 0.0 for value in values]


def total_mm(lengths: Iterable[float]) -> float:
    """The sum of lengths, of the map's precision, whatever their order."""
    return round(math.fsum(lengths), DECIMALS)


def _corners(points: Corners) -> Corners:
    """Only the points (N, 2) at which a closed path of upright steps turns."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    arriving = points - np.roll(points, 1, axis=0)
    leaving = np.roll(points, -1, axis=0) - points
    turns: Corners = points[(arriving[:, 0] == 0) != (leaving[:, 0] == 0)]
    return turns


def _turned(points: Corners, *, clockwise: bool) -> Corners:
    """The same ring in the wanted direction (y down), from its topmost, leftmost point."""
    x, y = points[:, 0], points[:, 1]
    doubled_area = int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
    if (doubled_area > 0) != clockwise:
        points = points[::-1]
    first = int(np.lexsort((points[:, 0], points[:, 1]))[0])
    return np.roll(points, -first, axis=0)
