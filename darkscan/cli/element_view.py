"""The element in the terminal, filling in while it is scanned."""

from enum import IntEnum
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.style import Style
from rich.text import Text

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.pipeline.core.frame_results import (
    DEFECT_KINDS,
    FrameResult,
    NotInspected,
    Traces,
)
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.trace_kinds import line_kinds
from darkscan.stages.merging.style import AREA_COLOUR, KIND_COLOURS, NOT_INSPECTED_COLOURS

_LONGER_SIDE = 1024
_DARKEST, _BRIGHTEST = 1.0, 99.8
"""These percentiles of the levels seen become black and white."""

_FEWEST_LEVELS = 8 / 255
"""Black and white are this share of full scale apart at least: noise is no structure."""

_FRACTION_BITS = 4
_SEEN_SHARE = 0.5
_WARP = cv2.INTER_LINEAR
_SHADES = 24
"""Grey levels that are told apart: fewer make longer runs of one style."""

_UPPER_HALF = "\N{UPPER HALF BLOCK}"
_HATCH = "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}"
_PLAIN_SHADES = ".:-=+*%@"
_UNSEEN = (26, 28, 36)
Rgb = tuple[int, int, int]


class State(IntEnum):
    """The state of a place on the element."""

    UNSEEN = 0
    LOST = 1
    QUARANTINED = 2
    SEEN = 3
    FOUND = 4  # within a positive window
    SPOT = 5  # on a dig or a grain of dust
    FIBRE = 6  # on a fibre's centre line
    SCRATCH = 7  # on a scratch's centre line


_SHOWN = (State.FOUND, State.SPOT, State.FIBRE, State.SCRATCH)
"""What is shown over the grey levels, the most important last."""


class ElementRaster:
    """Grey levels and states of the element's places, at most 1024 of them a side."""

    def __init__(self, scan: ScanInfo, threshold: float) -> None:
        """Nothing is seen at first; windows of ``threshold`` or more count as found."""
        self._scan = scan
        self._threshold = threshold
        self.size_mm = scan.element_size_mm
        self._per_mm = _LONGER_SIDE / max(self.size_mm)
        columns, rows = (max(1, round(side * self._per_mm)) for side in self.size_mm)
        self._levels = np.zeros((rows, columns), np.float32)
        self._seen = np.zeros((rows, columns), np.float32)
        self._shown = {state: np.zeros((rows, columns), np.float32) for state in _SHOWN}
        self._missing = {
            State.LOST: np.zeros((rows, columns), np.float32),
            State.QUARANTINED: np.zeros((rows, columns), np.float32),
        }

    def add(self, result: FrameResult) -> None:
        """Paints a frame and its positive windows; what was missing there is no longer."""
        block, placement = self._placed(result.meta)
        levels = self._levels[block]
        if not levels.size:
            return
        rows, columns = levels.shape
        thumbnail = self._shrunk(result.thumbnail)
        # From the thumbnail's pixel middles to the block's.
        scale = np.array(self._scan.frame_shape[::-1]) / thumbnail.shape[::-1]
        linear = placement[:, :2] * scale
        warp = np.column_stack([linear, placement[:, 2] + linear @ (0.5, 0.5) - 0.5])
        grey = cv2.warpAffine(
            thumbnail, warp, (columns, rows), flags=_WARP, borderMode=cv2.BORDER_REPLICATE
        )
        inside = self._filled(levels.shape, placement, self._outline()) > 0
        levels[inside] = grey[inside]
        self._seen[block][inside] = 1.0
        windows = self._positive_windows(result)
        self._show(State.FOUND, block, self._filled(levels.shape, placement, windows))
        for state, shapes in _by_state(result.traces).items():
            self._show(state, block, self._drawn(levels.shape, placement, shapes))

    def lose(self, item: NotInspected) -> None:
        """Marks a frame as not inspected, where no other frame has seen the element."""
        block, placement = self._placed(item.meta)
        missing = self._missing[State.LOST if item.kind == "lost" else State.QUARANTINED]
        shape = missing[block].shape
        if missing[block].size:
            missing[block][self._filled(shape, placement, self._outline()) > 0] = 1.0

    def _show(self, state: State, block: tuple[slice, slice], mask: npt.NDArray[np.uint8]) -> None:
        self._shown[state][block][mask > 0] = 1.0

    def sampled(self, columns: int, rows: int) -> tuple[Float32Array, npt.NDArray[np.uint8]]:
        """Grey levels from 0 to 1, stretched over what was seen, and states: (rows, columns).

        A place is shown as found, or as traced, where any of it is.
        """
        size = (columns, rows)
        seen = cv2.resize(self._seen, size, interpolation=cv2.INTER_AREA)
        grey = cv2.resize(self._levels, size, interpolation=cv2.INTER_AREA)
        grey = grey / np.maximum(seen, np.float32(1e-6))
        states = np.full((rows, columns), State.UNSEEN, np.uint8)
        for state, mask in self._missing.items():
            share = cv2.resize(mask * (1.0 - self._seen), size, interpolation=cv2.INTER_AREA)
            states[share >= np.maximum(_SEEN_SHARE, seen)] = state
        states[seen > _SEEN_SHARE] = State.SEEN
        for state, mask in self._shown.items():
            share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
            states[(share > 0) & (seen > _SEEN_SHARE)] = state
        return self._stretched(np.asarray(grey, np.float32)), states

    def _stretched(self, grey: Float32Array) -> Float32Array:
        levels = self._levels[self._seen > 0]
        if not levels.size:
            return np.zeros_like(grey)
        low, high = np.percentile(levels, [_DARKEST, _BRIGHTEST])
        span = max(float(high - low), _FEWEST_LEVELS)
        return np.asarray(np.clip((grey - low) / span, 0.0, 1.0), dtype=np.float32)

    def _placed(self, meta: FrameMeta) -> tuple[tuple[slice, slice], Float64Array]:
        """The block of the raster that a frame touches.

        And (2, 3): from the frame's pixels to the block's, both from their outer corners.
        """
        linear = self._scan.pixel_to_stage.matrix * self._per_mm
        place = np.array(meta.position_mm[:2]) * self._per_mm
        corners = self._outline()[0] @ linear.T + place
        most = self._levels.shape[::-1]
        left, top = np.clip(np.floor(corners.min(axis=0)), 0, most).astype(int).tolist()
        right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, most).astype(int).tolist()
        block = (slice(top, bottom), slice(left, right))
        return block, np.column_stack([linear, place - (left, top)])

    def _outline(self) -> Float64Array:
        """A frame's corners: (1, 4, 2) pixels."""
        rows, columns = self._scan.frame_shape
        return rectangle(0, 0, columns, rows)[None]

    def _positive_windows(self, result: FrameResult) -> Float64Array:
        """The middles of the positive windows, as large as the stride: (N, 4, 2) pixels.

        A window overlaps its neighbours by half; its middle is what it alone stands for.
        """
        origins = np.asarray(result.origins)
        chosen = origins[np.asarray(result.scores) >= self._threshold]
        if not len(chosen):
            return np.empty((0, 4, 2))
        # The last window of a row ends with it.
        window = self._scan.frame_shape[1] - int(origins[:, 1].max())
        middle = rectangle(0, 0, window / 2, window / 2) + window / 4
        return chosen[:, None, ::-1] + middle

    def _shrunk(self, thumbnail: npt.NDArray[np.generic]) -> Float32Array:
        """A thumbnail of about the raster's resolution, 1 for full scale."""
        levels = np.asarray(thumbnail, dtype=np.float32) / np.float32(self._scan.full_scale)
        frame_mm = (
            np.abs(self._scan.pixel_to_stage.matrix).max(axis=0) * (self._scan.frame_shape[::-1])
        )
        size = np.minimum(np.ceil(frame_mm * self._per_mm), levels.shape[::-1]).astype(int)
        shrunk = cv2.resize(
            levels, (max(1, int(size[0])), max(1, int(size[1]))), interpolation=cv2.INTER_AREA
        )
        return np.asarray(shrunk, dtype=np.float32)

    @staticmethod
    def _filled(
        shape: tuple[int, ...], placement: Float64Array, polygons: Float64Array
    ) -> npt.NDArray[np.uint8]:
        """1 within polygons (N, 4, 2) of a frame's pixels, in a block of the raster."""
        mask = np.zeros(shape, np.uint8)
        for polygon in _fixed(polygons, placement):
            cv2.fillConvexPoly(mask, polygon, 1, cv2.LINE_8, _FRACTION_BITS)
        return mask

    @staticmethod
    def _drawn(
        shape: tuple[int, ...], placement: Float64Array, shapes: list[Float32Array]
    ) -> npt.NDArray[np.uint8]:
        """1 along polylines (K, 2) of a frame's pixels, in a block of the raster."""
        mask = np.zeros(shape, np.uint8)
        lines = [_fixed(np.asarray(line, dtype=np.float64), placement) for line in shapes]
        cv2.polylines(mask, lines, isClosed=False, color=1, shift=_FRACTION_BITS)
        return mask


def _by_state(traces: Traces) -> dict[State, list[Float32Array]]:
    """The polylines of a frame's scratches, fibres and spots."""
    shapes: dict[State, list[Float32Array]] = {
        State.SPOT: traces.spots.parts,
        State.FIBRE: [],
        State.SCRATCH: [],
    }
    for line, kind in zip(traces.lines.parts, line_kinds(traces.lines).tolist(), strict=True):
        is_fibre = DEFECT_KINDS[kind] == "fibre"
        shapes[State.FIBRE if is_fibre else State.SCRATCH].append(line)
    return shapes


def _fixed(points_px: Float64Array, placement: Float64Array) -> npt.NDArray[np.int32]:
    """A frame's pixels (..., 2) in those of a block of the raster, as OpenCV draws them."""
    points = points_px @ placement[:, :2].T + placement[:, 2] - 0.5
    fixed: npt.NDArray[np.int32] = np.rint(points * 2**_FRACTION_BITS).astype(np.int32)
    return fixed


_PLAIN = {
    State.UNSEEN: " ",
    State.LOST: "/",
    State.QUARANTINED: "?",
    State.FOUND: "o",
    State.SPOT: "x",
    State.FIBRE: "~",
    State.SCRATCH: "#",
}
_LEAST = {
    State.SEEN: 0.15,
    State.FOUND: 0.3,
    State.SPOT: 0.8,
    State.FIBRE: 0.8,
    State.SCRATCH: 0.8,
}
"""A place is never darker than this share of its colour."""

_TINTS = {
    State.SEEN: "#ffffff",
    State.FOUND: AREA_COLOUR,
    State.SPOT: KIND_COLOURS["dig"],
    State.FIBRE: KIND_COLOURS["fibre"],
    State.SCRATCH: KIND_COLOURS["scratch"],
}
_HATCHED = {
    State.LOST: NOT_INSPECTED_COLOURS["lost"],
    State.QUARANTINED: NOT_INSPECTED_COLOURS["quarantined"],
}


class ElementPicture:
    """Frames as the camera saw them, positive windows, and what could not be inspected."""

    def __init__(self, scan: ScanInfo, threshold: float) -> None:
        """Windows of score ``threshold`` or more are shown as found."""
        self._raster = ElementRaster(scan, threshold)

    def add(self, result: FrameResult) -> None:
        """Shows an inspected frame; it takes the place of one that was lost there."""
        self._raster.add(result)

    def lose(self, item: NotInspected) -> None:
        """Shows that a frame was not inspected."""
        self._raster.lose(item)

    def render(self, columns: int, rows: int, *, colour: bool = True) -> Text:
        """The element as large as fits into a terminal's ``columns`` and ``rows``.

        Without ``colour`` plain characters say what colours would: darker to brighter
        places are ``.:-=+*%@``, scratches ``#``, fibres ``~`` and spots ``x`` within positive
        windows ``o``, lost frames ``/`` and quarantined ones ``?``.
        """
        columns, rows = self._cells(columns, rows)
        if colour:
            return _coloured(*self._raster.sampled(columns, 2 * rows))
        return _plain(*self._raster.sampled(columns, rows))

    def _cells(self, columns: int, rows: int) -> tuple[int, int]:
        """How many cells of the terminal, each twice as high as wide, keep the proportions."""
        width, height = self._raster.size_mm
        per_mm = min(max(columns, 1) / width, 2 * max(rows, 1) / height)
        return max(1, round(width * per_mm)), max(1, round(height * per_mm / 2))


def _coloured(levels: Float32Array, states: npt.NDArray[np.uint8]) -> Text:
    """Two places to a cell: the upper one in the character's colour, the lower one behind it."""
    shades = np.rint(levels * (_SHADES - 1)).astype(int)
    text = Text(no_wrap=True, end="")
    for row in range(0, len(states), 2):
        if row:
            text.append("\n")
        upper = zip(states[row].tolist(), shades[row].tolist(), strict=True)
        lower = zip(states[row + 1].tolist(), shades[row + 1].tolist(), strict=True)
        cells = [_cell(*above, *below) for above, below in zip(upper, lower, strict=True)]
        _append_runs(text, cells)
    return text


def _plain(levels: Float32Array, states: npt.NDArray[np.uint8]) -> Text:
    shades = np.rint(levels * (len(_PLAIN_SHADES) - 1)).astype(int)
    lines = (
        "".join(_PLAIN.get(State(s), _PLAIN_SHADES[shade]) for s, shade in zip(*row, strict=True))
        for row in zip(states.tolist(), shades.tolist(), strict=True)
    )
    return Text("\n".join(lines), no_wrap=True, end="")


def _append_runs(text: Text, cells: list[tuple[str, Style]]) -> None:
    """Neighbouring cells of one style go in at once: the terminal has less to read."""
    start = 0
    for index in range(1, len(cells) + 1):
        if index == len(cells) or cells[index] != cells[start]:
            character, style = cells[start]
            text.append(character * (index - start), style)
            start = index


@cache
def _cell(upper: int, upper_shade: int, lower: int, lower_shade: int) -> tuple[str, Style]:
    """The character of a cell and its style."""
    behind = _colour(State(lower), lower_shade)
    for state in (State(upper), State(lower)):
        if state in _HATCHED:
            return _HATCH, Style(color=_HATCHED[state], bgcolor=Color.from_rgb(*_UNSEEN))
    front = _colour(State(upper), upper_shade)
    return _UPPER_HALF, Style(color=Color.from_rgb(*front), bgcolor=Color.from_rgb(*behind))


def _colour(state: State, shade: int) -> Rgb:
    if state not in _TINTS:
        return _UNSEEN
    share = _LEAST[state] + (1.0 - _LEAST[state]) * shade / (_SHADES - 1)
    red, green, blue = Color.parse(_TINTS[state]).get_truecolor()
    return round(share * red), round(share * green), round(share * blue)
