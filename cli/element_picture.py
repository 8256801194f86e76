"""The element in the terminal, filling in while it is scanned."""

from functools import cache

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.style import Style
from rich.text import Text

from darkscan.cli.element_raster import ElementRaster, Levels, State
from darkscan.pipeline.results import FrameResult, NotInspected
from darkscan.pipeline.scan import ScanInfo
from darkscan.stages.mapping.style import COLOURS, DEFECT_COLOUR, SCRATCH_COLOUR

_SHADES = 24
"""Grey levels that are told apart: fewer make longer runs of one style."""

_UPPER_HALF = "\N{UPPER HALF BLOCK}"
_HATCH = "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}"
_PLAIN_SHADES = ".:-=+*%@"
_PLAIN = {
    State.UNSEEN: " ",
    State.LOST: "/",
    State.QUARANTINED: "?",
    State.FOUND: "o",
    State.TRACED: "#",
}
_UNSEEN = (26, 28, 36)
_LEAST = {State.SEEN: 0.15, State.FOUND: 0.3, State.TRACED: 0.8}
"""A place is never darker than this share of its colour."""

_TINTS = {State.SEEN: "#ffffff", State.FOUND: DEFECT_COLOUR, State.TRACED: SCRATCH_COLOUR}

_HATCHED = {State.LOST: COLOURS["lost"], State.QUARANTINED: COLOURS["quarantined"]}

Rgb = tuple[int, int, int]


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
        places are ``.:-=+*%@``, scratches ``#`` within positive windows ``o``, lost frames ``/``
        and quarantined ones ``?``.
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


def _coloured(levels: Levels, states: npt.NDArray[np.uint8]) -> Text:
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


def _plain(levels: Levels, states: npt.NDArray[np.uint8]) -> Text:
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
