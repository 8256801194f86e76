"""Outlines that somebody drew: polygons about scratches and lines along them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from darkscan.drivers.images import Picture
from darkscan.network.datasets._annotation_files import EmbeddedPicture
from darkscan.network.datasets._drawing import fill
from darkscan.network.datasets._run_lengths import RunLengths
from darkscan.network.datasets.marks import Drawing, MarksError, StatedSize
from darkscan.pipeline.core.arrays import Float64Array, Mask

_LEAST_PX = 1.0  # what is smaller is no outline: a click, or fractions of the picture's size
_FLAT_PX = 1e-6
_WIDEST_PX = 20.0  # a level rectangle that is wider is a box around a scratch, not its outline
_CORNERS = 4

Named = tuple[str, Float64Array]
"""Points (K, 2), x and y, and the name of their place in the file."""


@dataclass
class Outlines:
    """The marks of one image from ``file``; with each goes the name of its place there.

    ``size`` is what the file says of its picture, ``embedded`` the picture that it holds.
    ``void`` and ``void_areas`` are regions that nobody judged. ``faults`` are marks that
    could not be understood. ``remark`` says why there are none, ``unsized`` whether marks
    without a size are believed.
    """

    file: Path
    size: StatedSize
    polygons: list[Named] = field(default_factory=list)
    lines: list[Named] = field(default_factory=list)
    areas: list[RunLengths] = field(default_factory=list)
    void: list[Named] = field(default_factory=list)
    void_areas: list[RunLengths] = field(default_factory=list)
    faults: list[MarksError] = field(default_factory=list)
    embedded: EmbeddedPicture | None = None
    remark: str = ""
    unsized: bool = False

    def refuse(self, problem: str, name: str) -> None:
        """Notes that a mark at the place ``name`` cannot be used: the image then cannot."""
        self.faults.append(MarksError(problem, file=self.file, field=name))

    def check(self, picture: Picture, path: Path) -> None:
        """Raises MarksError if the file holds another picture than that at ``path``."""
        if self.embedded is not None:
            self.embedded.check(picture, path, self.file)

    def draw(self, shape: tuple[int, int]) -> Drawing:
        """Draws them. Raises MarksError if they do not fit an image of (height, width)."""
        if self.faults:
            raise self.faults[0]
        self._check_size(shape)
        for name, points in (*self.polygons, *self.lines, *self.void):
            self._check_points(name, points, shape)
        for name, points in self.polygons:
            self._check_area(name, points)
            self._check_no_box(name, points)
        mask = self._filled(self.polygons, self.areas, shape)
        void = self._filled(self.void, self.void_areas, shape)
        lines = tuple(line for _, line in self.lines)
        return Drawing(mask, lines, void if void.any() else None, self.remark)

    def content(self) -> bytes:
        """The outlines in numbers."""
        outlines = [points.tolist() for _, points in (*self.polygons, *self.lines)]
        areas = [[area.shape, area.counts] for area in self.areas]
        void = [points.tolist() for _, points in self.void]
        void += [[area.shape, area.counts] for area in self.void_areas]
        return json.dumps([outlines, areas, void] if void else [outlines, areas]).encode()

    def _filled(
        self, outlines: Sequence[Named], areas: Sequence[RunLengths], shape: tuple[int, int]
    ) -> Mask:
        """The pixels (H, W) within outlines or in areas. Raises MarksError."""
        mask = np.zeros(shape, np.bool_)
        for name, points in outlines:
            if not fill(points, mask):
                raise MarksError("marks no pixel", file=self.file, field=name)
        for area in areas:
            mask |= area.decode(shape, self.file)
        return mask

    def _check_size(self, shape: tuple[int, int]) -> None:
        """Raises MarksError if the picture they were drawn on had another size, or any."""
        self.size.check(shape, self.file)
        drawn = self.polygons or self.lines or self.void
        if drawn and not (self.size.known or self.embedded or self.unsized):
            problem = "is missing: drawn on a resized copy, the marks would lie elsewhere "
            problem += "(--unsized believes them)"
            raise MarksError(problem, file=self.file, field=", ".join(self.size.fields))

    def _check_points(self, name: str, points: Float64Array, shape: tuple[int, int]) -> None:
        """Raises MarksError unless points (K, 2) lie on the image and are not all in one place."""
        height, width = shape
        if not np.isfinite(points).all():
            raise MarksError("holds places that are not numbers", file=self.file, field=name)
        outside = ((points < -1) | (points > (width + 1, height + 1))).any(axis=1)
        if outside.any():
            x, y = points[outside][0]
            problem = f"({x:g}, {y:g}) lies outside the image of {width}x{height} pixels"
            raise MarksError(problem, file=self.file, field=name)
        if np.ptp(points, axis=0).max() < _LEAST_PX:
            x, y = points[0]
            problem = f"marks less than a pixel, at ({x:g}, {y:g})"
            if points.max() <= 1:
                problem += ": wanted are pixels, not fractions of the picture's size"
            raise MarksError(problem, file=self.file, field=name)

    def _check_area(self, name: str, points: Float64Array) -> None:
        """Raises MarksError if a polygon (K, 2) has no area."""
        across = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[-1]
        if across < _FLAT_PX:
            problem = "has no area, its points lie on one line: draw it as a line"
            raise MarksError(problem, file=self.file, field=name)

    def _check_no_box(self, name: str, points: Float64Array) -> None:
        """Raises MarksError if a polygon (K, 2) is a box around something."""
        corners = points[:-1] if (points[0] == points[-1]).all() else points
        width, height = np.ptp(points, axis=0)
        level = all(len(np.unique(corners[:, axis])) == 2 for axis in (0, 1))  # noqa: PLR2004
        if len(corners) == _CORNERS and level and min(width, height) > _WIDEST_PX:
            problem = f"is a box of {width:g}x{height:g} px: it does not say where in it the "
            raise MarksError(problem + "scratch runs", file=self.file, field=name)
