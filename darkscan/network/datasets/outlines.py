"""Outlines that somebody drew: polygons about scratches and lines along them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darkscan.network.datasets.images import Drawing, check_inside, filled
from darkscan.network.datasets.labelled_image import FloatArray
from darkscan.network.datasets.run_lengths import RunLengths
from darkscan.pipeline.core.errors import InputError


@dataclass
class Outlines:
    """The marks of one image from ``file``; with each goes the name of its place there."""

    file: Path
    polygons: list[tuple[str, FloatArray]] = field(default_factory=list)
    lines: list[tuple[str, FloatArray]] = field(default_factory=list)
    areas: list[RunLengths] = field(default_factory=list)

    def draw(self, shape: tuple[int, int]) -> Drawing:
        """Draws them. Raises InputError if one lies outside an image of (height, width)."""
        for name, points in (*self.polygons, *self.lines):
            check_inside(points, shape, self.file, name)
        mask = filled((polygon for _, polygon in self.polygons), shape)
        for area in self.areas:
            if area.shape != shape:
                (high, wide), (height, width) = area.shape, shape
                problem = f"is for {wide}x{high} pixels, but its image is {width}x{height}"
                raise InputError(problem, file=self.file, field=area.name)
            mask |= area.decode(self.file)
        return Drawing(mask, tuple(line for _, line in self.lines))

    def content(self) -> bytes:
        """The outlines in numbers."""
        outlines = [points.tolist() for _, points in (*self.polygons, *self.lines)]
        areas = [[area.shape, area.counts] for area in self.areas]
        return json.dumps([outlines, areas]).encode()


def read_json(file: Path) -> object:
    """The content of a JSON file. Raises InputError."""
    try:
        content: object = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", file=file) from error
    return content


def check_labels(wanted: Sequence[str], known: Collection[str], file: Path | str) -> None:
    """Raises InputError if a label that is wanted does not occur."""
    for label in wanted:
        if label not in known:
            found = ", ".join(sorted(known)) or "none"
            problem = f"no label is called {label!r}, found are: {found}"
            raise InputError(problem, file=file, field="--label")
