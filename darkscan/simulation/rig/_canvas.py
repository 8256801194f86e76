"""The canvas: all that the camera can see of the element, rendered once before the scan.

A canvas is one large picture on the camera's own pixel lattice, so that every frame is an
upright crop of it: turns, pitch and skew are in the canvas, not in the frames.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np

from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import rectangle
from darkscan.simulation.element import ElementTruth
from darkscan.simulation.element.render import Scene
from darkscan.simulation.rig._shared import Canvas
from darkscan.simulation.rig._target import BLANK, DOT_GRID, DotGrid
from darkscan.simulation.rig._true_rig import (
    element_size_px,
    simulation_of,
    true_geometry,
    truth_of,
)

Progress = Callable[[int, int], None]
"""Told (done, total) of the canvas's tiles."""

LEVELS = 256
"""Steps of a canvas's grey level at 8 bit."""

_TILE_PX = 1024
_ASTRAY = 0.05  # how far a frame may lie from its drawn place, in frames
_WARP_REACH_PX = 4  # neighbours that Lanczos' filter looks at
_WHOLE = 1e-9


class Light(Protocol):
    """Anything that can be rendered at any rectangle of its own pixels."""

    def render(self, x0: int, y0: int, height: int, width: int) -> Float32Array:
        """The light of a rectangle: (height, width) float32 grey levels at 8 bit."""


@dataclass(frozen=True)
class CanvasLayout:
    """Where the canvas lies: canvas corner (0, 0) is pixel ``first`` of the true lattice.

    The lattice's pixel (u, v) shows element place ``true.pixel_to_stage @ (u, v)``.
    """

    true: Geometry
    first: tuple[int, int]
    """Column and row."""

    shape: tuple[int, int]
    """Rows and columns."""

    @classmethod
    def of(cls, rig: Rig) -> Self:
        """Covers what frames of a scan of the rig's region can show. Raises InputError."""
        true = true_geometry(rig)
        region_px = np.linalg.solve(true.pixel_to_stage.matrix, _region(rig).T)
        rows, columns = rig.frame_shape
        # What frames reach beyond the region is shared out among both of its rims.
        over = np.array([columns, rows]) / 2.0 + _ASTRAY * max(rows, columns)
        low = np.floor(region_px.min(axis=1) - over).astype(int)
        width, height = np.ceil(region_px.max(axis=1) + over).astype(int) - low
        return cls(true, (int(low[0]), int(low[1])), (int(height), int(width)))

    @property
    def bytes(self) -> int:
        """The size of the canvas."""
        return self.shape[0] * self.shape[1] * np.dtype(np.uint16).itemsize

    @property
    def from_stage(self) -> Float64Array:
        """(2, 3) float64: canvas (column, row) of pixel corner (0, 0) = it @ (x, y, 1)."""
        stage = self.true.stage_to_element
        affine = np.column_stack([stage.matrix, [stage.x, stage.y]])
        affine = np.linalg.solve(self.true.pixel_to_stage.matrix, affine)
        affine[:, 2] -= self.first
        return affine

    def require_room(self, folder: Path) -> None:
        """Raises InputError with figures if memory or ``folder`` has no room for the canvas."""
        free = os.statvfs(folder)
        for place, room, needed in (
            (str(folder), free.f_bavail * free.f_frsize, self.bytes),
            # It is rendered before it is handed over.
            ("memory", _available_memory(), 2 * self.bytes),
        ):
            if needed > room:
                rows, columns = self.shape
                raise InputError(
                    f"the simulated element's picture of {columns} x {rows} pixels takes "
                    f"{needed / 1e9:.1f} GB of {place}, where {room / 1e9:.1f} GB are free; "
                    "element.region_mm can make it smaller",
                    field="element",
                )


def render_canvas(rig: Rig, layout: CanvasLayout, on_progress: Progress) -> Canvas:
    """The canvas (rows, columns) uint16 in 1/256 grey level at 8 bit, free of noise.

    A true lattice that is the element's own, but for flips, is not resampled. Raises
    InputError.
    """
    light = light_of(rig)
    lattice = layout.true.pixel_to_stage.matrix * (1000.0 / rig.geometry.pitch_um)
    canvas = np.zeros(layout.shape, np.uint16)
    corners = [
        (row, column)
        for row in range(0, layout.shape[0], _TILE_PX)
        for column in range(0, layout.shape[1], _TILE_PX)
    ]
    for done, (row, column) in enumerate(corners):
        on_progress(done, len(corners))
        tile = canvas[row : row + _TILE_PX, column : column + _TILE_PX]
        seen = _seen_light(light, lattice, (layout.first[0] + column, layout.first[1] + row), tile)
        seen *= np.float32(LEVELS)
        np.rint(seen, out=seen)
        np.clip(seen, 0, np.iinfo(np.uint16).max, out=seen)
        tile[...] = seen
    on_progress(len(corners), len(corners))
    return canvas


def light_of(rig: Rig) -> Light:
    """The rig's element or target, in pixels of the stated pitch. Raises InputError."""
    simulation, size_px = simulation_of(rig), element_size_px(rig)
    if simulation.preset == DOT_GRID:
        return DotGrid(size_px, simulation.dot_spacing_mm * 1000.0 / rig.geometry.pitch_um)
    truth = truth_of(rig)
    if truth is None:
        truth = ElementTruth(size_px, simulation.seed, BLANK, dust_per_10k_px=0.0)
    return Scene(truth)


def _seen_light(
    light: Light, lattice: Float64Array, first: tuple[int, int], tile: Canvas
) -> Float32Array:
    """The light of a tile whose corner is pixel ``first`` (column, row) of the true lattice.

    ``lattice`` (2, 2) turns the true lattice's pixels into the element's.
    """
    rows, columns = tile.shape
    whole = np.allclose(lattice, np.rint(lattice), rtol=0, atol=_WHOLE)
    if whole:  # flips and transpositions: every pixel is one of the element's
        lattice = np.rint(lattice)
    reach = 0 if whole else _WARP_REACH_PX
    corners = rectangle(*first, columns, rows) @ lattice.T
    low = np.floor(corners.min(axis=0)).astype(int) - reach
    width, height = np.ceil(corners.max(axis=0)).astype(int) + reach - low
    picture = light.render(int(low[0]), int(low[1]), int(height), int(width))
    # To the warp a pixel's place is its middle's.
    offset = lattice @ (np.array(first) + 0.5) - low - 0.5
    how = cv2.INTER_NEAREST if whole else cv2.INTER_LANCZOS4
    warp = np.column_stack([lattice, offset])
    seen = cv2.warpAffine(picture, warp, (columns, rows), flags=how | cv2.WARP_INVERSE_MAP)
    return np.asarray(seen, dtype=np.float32)


def _region(rig: Rig) -> Float64Array:
    """The corners (4, 2) of what is inspected with its margin, element mm."""
    x, y, width, height = rig.element.region_mm or (0.0, 0.0, *rig.element.size_mm)
    margin = rig.scan.margin_mm
    return rectangle(x - margin, y - margin, width + 2 * margin, height + 2 * margin)


def _available_memory() -> float:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return math.inf
