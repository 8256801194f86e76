"""Scratches drawn by eye as polylines: their file, and the labels of windows by them.

A ``polylines.json`` beside a folder's frames names each frame and gives its lines, each a
list of [x, y] that name pixels (x to the right, y down)::

    {"plate-1.png": {"clear": [[[12, 40], [96, 61]]], "faint": [], "unsure": []}}

``clear`` and ``faint`` lines are scratches. ``unsure`` ones may be: nothing there counts as
found, as missed or as false.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, FiniteFloat

from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_text
from darkscan.pipeline.core.settings import Settings, check

SHORTEST_PX = 24.0
"""The least of a scratch that makes a window positive, unless asked otherwise, pixels.

More than training's rule takes: the ends of lines drawn by eye are uncertain.
"""

_STEP_PX = 0.25
_PIXELS_MIDDLE = 0.5  # from the outer corner of the pixel that a vertex names


class Steps(NamedTuple):
    """A polyline as short steps: their middles (P, 2), x and y, and their lengths (P,), px."""

    middles: Float64Array
    lengths: Float64Array


@dataclass(frozen=True, eq=False)
class Polylines:
    """The scratches of one frame, each of vertices (K, 2), x and y in pixels.

    (0, 0) is the outer corner of the first pixel, whose middle is (0.5, 0.5).
    """

    clear: tuple[Float64Array, ...] = ()
    faint: tuple[Float64Array, ...] = ()
    unsure: tuple[Float64Array, ...] = ()

    @property
    def scratches(self) -> tuple[Float64Array, ...]:
        """Those that a detector should find."""
        return self.clear + self.faint

    @property
    def everything(self) -> tuple[Float64Array, ...]:
        """The unsure ones, too."""
        return self.scratches + self.unsure

    def scaled(self, factor: float) -> Self:
        """The lines of the frame resampled to ``factor`` times its pixels along a side."""
        kinds = (self.clear, self.faint, self.unsure)
        return type(self)(*(tuple(factor * line for line in kind) for kind in kinds))

    def labels(
        self, origins: npt.NDArray[np.integer], shortest_px: float = SHORTEST_PX
    ) -> WindowLabels:
        """The labels of windows of 256 px with first pixels ``origins`` (N, 2), y and x.

        Touched is a window in which any part of any line lies; visible, if ``shortest_px`` of
        one scratch or more lie in it. A window that is touched only judges nothing.
        """
        longest = np.zeros(len(origins))
        touched = np.zeros(len(origins), np.bool_)
        for steps, is_scratch in zip(self._steps, self._are_scratches, strict=True):
            inside = _inside(steps.middles, origins)
            touched |= inside.any(axis=1)
            if is_scratch:
                longest = np.maximum(longest, inside @ steps.lengths)
        # Steps add up to a line's length but for rounding.
        return WindowLabels(touched, np.asarray(longest >= shortest_px - 1e-6))

    @cached_property
    def _steps(self) -> tuple[Steps, ...]:
        return tuple(steps_of(line) for line in self.everything)

    @property
    def _are_scratches(self) -> list[bool]:
        return [True] * len(self.scratches) + [False] * len(self.unsure)


def steps_of(line: Float64Array, step_px: float = _STEP_PX) -> Steps:
    """A polyline (K, 2) in steps of ``step_px`` or less."""
    middles, lengths = [], []
    for first, last in pairwise(line):
        length = float(np.hypot(*(last - first)))
        count = max(1, int(np.ceil(length / step_px)))
        along = (np.arange(count) + 0.5) / count
        middles.append(first + along[:, None] * (last - first))
        lengths.append(np.full(count, length / count))
    return Steps(np.concatenate(middles), np.concatenate(lengths))


def read_polylines(file: Path) -> dict[str, Polylines]:
    """The lines of each frame, by the name of its image.

    Raises InputError naming the file and the field.
    """
    try:
        content = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error}", file=file) from error
    if not isinstance(content, dict) or not content:
        raise InputError("must be a table of at least one image and its lines", file=file)
    return {name: _polylines(name, lines, file) for name, lines in content.items()}


_Vertex = tuple[FiniteFloat, FiniteFloat]
_Line = Annotated[list[_Vertex], Field(min_length=2)]


class _Lines(Settings):
    """What stands in the file for one image."""

    clear: tuple[_Line, ...] = ()
    faint: tuple[_Line, ...] = ()
    unsure: tuple[_Line, ...] = ()


def _polylines(name: str, content: object, file: Path) -> Polylines:
    try:
        lines = check(content, _Lines, file=file)
    except InputError as error:
        field = ".".join(filter(None, [name, error.field]))
        raise InputError(error.problem, file=file, field=field) from error
    return Polylines(*(tuple(_vertices(kind)) for kind in (lines.clear, lines.faint, lines.unsure)))


def _vertices(lines: Sequence[Sequence[tuple[float, float]]]) -> Iterator[Float64Array]:
    for line in lines:
        yield np.array(line, np.float64) + _PIXELS_MIDDLE


def _inside(points: Float64Array, origins: npt.NDArray[np.integer]) -> Mask:
    """Which points (P, 2), x and y, lie in which window: (N, P)."""
    low = origins[:, None, ::-1]
    return np.asarray(((points >= low) & (points < low + WINDOW_PX)).all(axis=2))
