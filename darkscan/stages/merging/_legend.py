"""The legend of a map's drawing: marks and colours, a scale bar, the map in a few figures."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import NamedTuple

from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.frame_results import DefectKind
from darkscan.stages.merging._labels import in_rows
from darkscan.stages.merging._svg import (
    INK,
    Scale,
    add,
    hatched,
    line_mark,
    number,
    rectangle,
    spot_mark,
)
from darkscan.stages.merging._words import (
    facts_of,
    legend_of_areas,
    legend_of_blind,
    legend_of_kinds,
)
from darkscan.stages.merging.style import (
    AREA_COLOUR,
    KIND_COLOURS,
    LINE_KINDS,
    scale_bar_mm,
)

_LETTER = 0.56
"""Width of a letter of a sentence, in heights of the text."""

_ROW, _MARK, _GAP = 1.7, 2.2, 0.5
"""Height of a row, width of a mark, space between it and its words, in heights of the text."""


_Draw = Callable[[ET.Element, float, float], None]
"""Draws a mark into a group, its left end at x, its middle at y."""


class _Entry(NamedTuple):
    """A mark with words beside it."""

    width: float
    """Of the mark, mm."""

    draw: _Draw
    words: str


def legend_of(document: DefectMap, width: float, *, without_id: int) -> tuple[ET.Element, float]:
    """The legend as a group, and where it ends, mm from the element's top.

    ``width``: the room for it, mm; ``without_id``: how many defects have no label.
    """
    scale = Scale.of(document.element.size_mm)
    text, row = scale.text, _ROW * scale.text
    group = ET.Element("g", {"id": "legend", "fill": INK})
    entries = list(_entries(document, scale, without_id))
    widths = [entry.width + text * _LETTER * len(entry.words) for entry in entries]
    middle = document.element.size_mm[1]
    for entry, (x, number_of_row) in zip(entries, in_rows(widths, width, 2 * text), strict=True):
        middle = document.element.size_mm[1] + (number_of_row + 1) * row
        entry.draw(group, x, middle)
        place = {"x": number(x + entry.width), "y": number(middle + 0.35 * text)}
        add(group, "text", place, text=entry.words)
    return group, middle


def _entries(document: DefectMap, scale: Scale, without_id: int) -> Iterator[_Entry]:
    width = (_MARK + _GAP) * scale.text
    for kind, words in legend_of_kinds(document):
        yield _Entry(width, _mark(kind, scale), words)
    if words := legend_of_areas(document):
        tint = {"fill": AREA_COLOUR, "fill-opacity": "0.2", "stroke": AREA_COLOUR}
        yield _Entry(width, _square(tint, scale), words)
    for blind, words in legend_of_blind(document):
        yield _Entry(width, _square(hatched(blind) | {"stroke": INK}, scale), words)
    length = scale_bar_mm(document.element.size_mm[0])
    yield _Entry(length + _GAP * scale.text, _bar(length, scale), f"{length:g} mm")
    for fact in facts_of(document, without_id=without_id):
        yield _Entry(0.0, lambda *_: None, fact)


def _mark(kind: DefectKind, scale: Scale) -> _Draw:
    def draw(group: ET.Element, x: float, y: float) -> None:
        colour = {"stroke": KIND_COLOURS[kind], "class": kind}
        inner = add(group, "g", colour)
        right = x + _MARK * scale.text
        if kind in LINE_KINDS:
            path = {"points": f"{number(x)},{number(y)} {number(right)},{number(y)}"}
            add(inner, "polyline", line_mark(kind, scale) | path)
        else:
            add(inner, "path", spot_mark(kind, scale, ((x + right) / 2, y)))

    return draw


def _square(style: dict[str, str], scale: Scale) -> _Draw:
    def draw(group: ET.Element, x: float, y: float) -> None:
        place = rectangle(x, y - scale.text / 2, _MARK * scale.text, scale.text)
        add(group, "rect", place | style | {"stroke-width": number(scale.line / 2)})

    return draw


def _bar(length: float, scale: Scale) -> _Draw:
    def draw(group: ET.Element, x: float, y: float) -> None:
        bar = rectangle(x, y - 0.15 * scale.text, length, 0.3 * scale.text)
        add(group, "rect", {"id": "scale-bar"} | bar)

    return draw
