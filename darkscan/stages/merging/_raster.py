"""The element as a raster of cells on which all windows meet; regions and outlines.

A cell is a whole number of pixels that divides window and stride, so the windows of
frames on one grid fill whole cells exactly. Turned, skewed or shifted windows take the
cells whose middle they cover: their outline is then right to half a cell. The borders
of element and region are lattice lines too, so areas are exact up to the rim.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.core.geometry import PixelToStage, rectangle
from darkscan.pipeline.core.outlines import Ring, rounded
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

CELLS_PER_STRIDE = 8
MOST_CELLS = 2**26
"""Bounds the memory: 64 MiB a layer. An 810 x 460 mm element at 10 um takes 15 million cells."""

COORDINATE_STEP_MM = 1e-4
"""Coordinates of the map are multiples of this; borders closer than it are one."""

_ROWS_AT_ONCE = 256

_TOLERANCE_PX = 1e-3
"""A cell's middle this close to a window's border is within the window."""


Labels = npt.NDArray[np.int32]
Corners = npt.NDArray[np.int64]
"""(N, 2) column and row of lattice points."""

# findContours walks through the middles of pixels. With three pixels to a cell, the
# pixels left and right of a lattice line c are 3c - 1 and 3c: both round to c.
_PIXELS_PER_CELL = 3


@dataclass(frozen=True)
class Footprint:
    """The cells whose middle a window or a frame covers."""

    rows: slice
    columns: slice
    inside: Mask | None
    """(rows, columns) bool: which cells of the block; None for all."""

    def fill(self, layer: npt.NDArray[Any], value: int) -> None:
        """Sets this footprint's cells of a (rows, columns) layer."""
        block = layer[self.rows, self.columns]
        if self.inside is None:
            block[...] = value
        else:
            block[self.inside] = value

    def of(self, layer: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """This footprint's cells (N,) of a (rows, columns) layer."""
        block = layer[self.rows, self.columns]
        return block.reshape(-1) if self.inside is None else block[self.inside]

    def shifted(self, rows: int, columns: int) -> "Footprint":
        """The same cells on a layer that starts elsewhere."""
        return Footprint(
            slice(self.rows.start + rows, self.rows.stop + rows),
            slice(self.columns.start + columns, self.columns.stop + columns),
            self.inside,
        )


@dataclass(frozen=True, eq=False)
class Raster:
    """The element's lattice: cell (row, column) lies between lines of ``y_mm`` and ``x_mm``."""

    x_mm: Float64Array
    """(columns + 1,) ascending, from 0 to the element's width."""

    y_mm: Float64Array
    """(rows + 1,) ascending, from 0 to the element's height."""

    cell_mm: float
    region_rows: slice
    region_columns: slice
    pixel_to_stage: PixelToStage

    @classmethod
    def of(cls, scan: ScanInfo, model: ModelInfo) -> Self:
        """Lays cells over a scan's element."""
        pitch_mm = scan.pitch_um / 1000
        width, height = scan.element_size_mm
        cell_mm = cell_size_px(model, width * height / pitch_mm**2) * pitch_mm
        left, top, region_width, region_height = scan.region_mm
        x_mm, columns = _lines(width, cell_mm, left, left + region_width)
        y_mm, rows = _lines(height, cell_mm, top, top + region_height)
        return cls(x_mm, y_mm, cell_mm, rows, columns, scan.pixel_to_stage)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return len(self.y_mm) - 1, len(self.x_mm) - 1

    @cached_property
    def x_middles(self) -> Float64Array:
        """(columns,) the middle of each column, mm."""
        return (self.x_mm[1:] + self.x_mm[:-1]) / 2

    @cached_property
    def y_middles(self) -> Float64Array:
        """(rows,) the middle of each row, mm."""
        return (self.y_mm[1:] + self.y_mm[:-1]) / 2

    def empty(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """A layer (rows, columns) of zeros."""
        return np.zeros(self.shape, dtype)

    def area_mm2(self, mask: Mask, rows: slice, columns: slice) -> float:
        """The area of the cells of a block that are set in ``mask`` (rows, columns), mm2."""
        heights, widths = np.diff(self.y_mm)[rows], np.diff(self.x_mm)[columns]
        area = 0.0
        for top in range(0, len(heights), _ROWS_AT_ONCE):  # the product needs them as floats
            some = slice(top, top + _ROWS_AT_ONCE)
            area += float(heights[some] @ (mask[some] @ widths))
        return area

    def footprints(
        self, meta: FrameMeta, origins: npt.NDArray[np.int32], size_px: tuple[int, int]
    ) -> Iterator[Footprint | None]:
        """The cells under each rectangle of a frame; None for one beside the element.

        ``origins`` is (N, 2), the first pixel (y, x) of each, ``size_px`` their height and width.
        """
        height, width = size_px
        matrix = self.pixel_to_stage.matrix
        corners_px = origins[:, None, ::-1] + rectangle(0, 0, width, height)
        corners = self.pixel_to_stage.place(corners_px, meta.position_mm)
        slack = _TOLERANCE_PX * float(np.abs(matrix).max())
        low, high = corners.min(axis=1) - slack, corners.max(axis=1) + slack
        first_column = np.searchsorted(self.x_middles, low[:, 0], "left").tolist()
        end_column = np.searchsorted(self.x_middles, high[:, 0], "right").tolist()
        first_row = np.searchsorted(self.y_middles, low[:, 1], "left").tolist()
        end_row = np.searchsorted(self.y_middles, high[:, 1], "right").tolist()
        upright = not (matrix[0, 1] or matrix[1, 0]) or not (matrix[0, 0] or matrix[1, 1])
        for k, (top, bottom, left, right) in enumerate(
            zip(first_row, end_row, first_column, end_column, strict=True)
        ):
            if top >= bottom or left >= right:
                yield None
                continue
            rows, columns = slice(top, bottom), slice(left, right)
            inside = None if upright else self._inside(meta, origins[k], size_px, rows, columns)
            yield (
                None
                if inside is not None and not inside.any()
                else Footprint(rows, columns, inside)
            )

    def _inside(
        self,
        meta: FrameMeta,
        origin: npt.NDArray[np.int32],
        size_px: tuple[int, int],
        rows: slice,
        columns: slice,
    ) -> Mask:
        """Which cells of a block have their middle within a rectangle of a frame."""
        to_px = np.linalg.inv(self.pixel_to_stage.matrix)
        x = (self.x_middles[columns] - meta.position_mm[0])[None, :]
        y = (self.y_middles[rows] - meta.position_mm[1])[:, None]
        across = to_px[0, 0] * x + to_px[0, 1] * y - origin[1]
        down = to_px[1, 0] * x + to_px[1, 1] * y - origin[0]
        height, width = size_px
        inside: Mask = (
            (across >= -_TOLERANCE_PX)
            & (across <= width + _TOLERANCE_PX)
            & (down >= -_TOLERANCE_PX)
            & (down <= height + _TOLERANCE_PX)
        )
        return inside


def cell_size_px(model: ModelInfo, element_px2: float) -> int:
    """The side of a cell, pixels: about 1/8 of the stride, a divisor of window and stride.

    Larger where the element of ``element_px2`` pixels would take too many cells; if then
    no divisor is large enough, window borders are right to half a cell only.
    """
    common = math.gcd(model.window, model.stride)
    smallest = max(1, math.ceil(math.sqrt(element_px2 / MOST_CELLS)))
    wanted = max(smallest, model.stride // CELLS_PER_STRIDE)
    divisors = [size for size in range(smallest, common + 1) if common % size == 0]
    if not divisors:
        return smallest
    return max((size for size in divisors if size <= wanted), default=divisors[0])


def _lines(length: float, cell: float, start: float, end: float) -> tuple[Float64Array, slice]:
    """Lattice lines over [0, length], and which cells lie within [start, end] of it.

    A line closer to a border than a quarter cell gives way to it: a rim thinner than
    frames are placed would be found uninspected for nothing.
    """
    start, end = (_snap(border, length) for border in (start, end))
    borders = np.unique([0.0, start, end, length])
    lattice = np.arange(math.ceil(length / cell) + 1) * cell
    distance = np.abs(lattice[:, None] - borders).min(axis=1)
    kept = lattice[(distance > cell / 4) & (lattice < length)]
    lines = np.sort(np.concatenate([borders, kept]))
    first, last = np.searchsorted(lines, [start, end])
    return lines, slice(int(first), int(last))


def _snap(border: float, length: float) -> float:
    """A border of the region clipped to [0, length], and laid on its ends where it is close."""
    if border < COORDINATE_STEP_MM:
        return 0.0
    return length if border > length - COORDINATE_STEP_MM else border


@dataclass(frozen=True, eq=False)
class Region:
    """Connected cells, within the smallest block that holds them."""

    label: int
    rows: slice
    columns: slice
    mask: Mask
    """(rows, columns) of the block: its cells."""


def connected_regions(
    mask: Mask, *, connectivity: Literal[4, 8], row: int = 0, column: int = 0
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
