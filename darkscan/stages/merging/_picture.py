"""The element's picture: its frames side by side, the map drawn over them, a legend below."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Mask
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind, Inspected
from darkscan.pipeline.core.thumbnail import thumbnail_scale
from darkscan.stages.merging._canvas import (
    GROUND,
    Colour,
    Shade,
    Writer,
    area_of,
    as_png,
    coloured,
    draw_line,
    draw_spot,
    plain,
    scale_bar,
    tint,
)
from darkscan.stages.merging._labels import in_rows, place_labels
from darkscan.stages.merging._mosaic import View, compose, stretched, view_of
from darkscan.stages.merging._words import (
    facts_of,
    legend_of_areas,
    legend_of_blind,
    legend_of_kinds,
)
from darkscan.stages.merging.style import (
    AREA_COLOUR,
    LINE_KINDS,
    NOT_INSPECTED_COLOURS,
    bgr,
    scale_bar_mm,
)

_TEXT_FROM_PX = 256
"""Pictures whose longer side is shorter hold no legible text, and have no legend."""

_ROW, _MARK, _GAP = 1.8, 2.4, 0.6
"""Height of a row, width of a mark, space between it and its words, in heights of the text."""

_Draw = Callable[[Colour, int, int], None]
"""Draws a mark on a picture, its left end at x, its middle at y."""


class _Entry(NamedTuple):
    """A mark with words beside it."""

    width: int
    """Of the mark, pixels."""

    draw: _Draw
    words: str


def to_png(inspected: Inspected, document: DefectMap, picture_px: int) -> bytes:
    """A PNG file: the element as the camera saw it, the map over it, and a legend below.

    One of its pixels is a whole number of the camera's; the element's longer side has at most
    ``picture_px`` of them, and its top left corner is the picture's. Grey levels are
    stretched for the eye.
    """
    scan = inspected.scan
    mm_per_px = thumbnail_scale(scan, picture_px) * scan.pitch_um / 1000
    view = view_of(0.0, 0.0, scan.element_size_mm, mm_per_px)
    results = sorted(inspected.results, key=lambda result: result.meta.frame)
    frames = ((result.meta, result.thumbnail) for result in results)
    canvas = coloured(stretched(*compose(scan, frames, view)))
    longer = max(view.width, view.height)
    thickness = max(1, round(longer / 1200))
    _draw_areas(canvas, document, view, thickness)
    for kind in reversed(DEFECT_KINDS):  # scratches lie on top
        for defect in document.defects:
            if defect.kind != kind:
                continue
            if defect.is_line:
                draw_line(canvas, defect.centreline, kind, view, thickness)
            else:
                draw_spot(canvas, defect.centroid_mm, kind, view, thickness)
    if longer >= _TEXT_FROM_PX:
        writer = Writer(max(9, longer // 90))
        labels = _write_ids(canvas, document, view, writer)
        canvas = _with_legend(canvas, document, view, writer, len(document.defects) - labels)
    return as_png(canvas, "defect-map.png")


def _draw_areas(canvas: Colour, document: DefectMap, view: View, thickness: int) -> None:
    """Hatches what was not inspected; areas are a faint underlay."""
    for blind in document.coverage.not_inspected:
        area = area_of(canvas, blind.contour, view, thickness)
        colour = bgr(NOT_INSPECTED_COLOURS[blind.kind])
        _hatch(canvas, area.block, area.inside, colour)
    for each in document.areas:
        area = area_of(canvas, each.contour, view, thickness)
        tint(canvas, area.block, area.inside, bgr(AREA_COLOUR), 0.06)
        tint(canvas, area.block, area.border, bgr(AREA_COLOUR), 0.4)


def _hatch(canvas: Colour, block: tuple[slice, slice], inside: Mask, colour: Shade) -> None:
    """Tints pixels of a block and draws slanted lines over them."""
    tint(canvas, block, inside, colour, 0.3)
    step = max(6, max(canvas.shape) // 100)
    y, x = np.ogrid[block]
    stripes = (x + y) % step < max(1, step // 5)
    canvas[block][inside & stripes] = colour


def _write_ids(canvas: Colour, document: DefectMap, view: View, writer: Writer) -> int:
    """Writes the ids of the longest defects; returns how many found a place."""
    letter = writer.width("D0000") / 5 * view.mm_per_px
    text = (letter, 1.3 * writer.height * view.mm_per_px)
    labels = place_labels(document.defects, document.element.size_mm, text)
    for label in labels:
        x, y = view.to_pixels((label.left, label.top)).tolist()
        writer.write(canvas, label.id, (x, y + 1.1 * writer.height))
    return len(labels)


def _with_legend(
    canvas: Colour, document: DefectMap, view: View, writer: Writer, without_id: int
) -> Colour:
    """The picture above a legend: marks, a scale bar, the map's figures."""
    entries = list(_entries(document, view, writer, without_id))
    row, edge = round(_ROW * writer.height), writer.height
    widths = [entry.width + writer.width(entry.words) for entry in entries]
    page = max(view.width, round(max(widths)) + 2 * edge)
    places = in_rows(widths, page - 2 * edge, 2 * edge)
    height = view.height + (places[-1][1] + 1) * row + edge
    sheet = np.full((height, page, 3), GROUND, np.uint8)
    sheet[: view.height, : view.width] = canvas
    for entry, (left, number) in zip(entries, places, strict=True):
        x, middle = round(left) + edge, view.height + (number + 1) * row - row // 4
        entry.draw(sheet, x, middle)
        writer.write(sheet, entry.words, (x + entry.width, middle + 0.45 * writer.height))
    return sheet


def _entries(document: DefectMap, view: View, writer: Writer, without_id: int) -> Iterator[_Entry]:
    name = f"{document.element.name}, {document.element.side}"
    yield _Entry(0, lambda *_: None, plain(name))
    width = round((_MARK + _GAP) * writer.height)
    for kind, words in legend_of_kinds(document):
        yield _Entry(width, _mark(kind, writer), plain(words))
    if words := legend_of_areas(document):
        yield _Entry(width, _square(AREA_COLOUR, writer, 0.15), plain(words))
    for blind, words in legend_of_blind(document):
        yield _Entry(width, _square(NOT_INSPECTED_COLOURS[blind], writer, 0.4), plain(words))
    length_mm = scale_bar_mm(document.element.size_mm[0])
    length = round(length_mm / view.mm_per_px)
    gap = round(_GAP * writer.height)
    yield _Entry(length + gap, scale_bar(length, writer.height // 3), f"{length_mm:g} mm")
    for fact in facts_of(document, without_id=without_id):
        yield _Entry(0, lambda *_: None, plain(fact))


def _mark(kind: DefectKind, writer: Writer) -> _Draw:
    def draw(canvas: Colour, x: int, y: int) -> None:
        # A view in which a millimetre is a pixel.
        view, thickness = View(0.0, 0.0, 1, 1, 1.0), max(1, writer.height // 10)
        right = x + round(_MARK * writer.height)
        if kind in LINE_KINDS:
            draw_line(canvas, [(x, y), (right, y)], kind, view, thickness)
        else:
            draw_spot(canvas, ((x + right) / 2, y), kind, view, thickness)

    return draw


def _square(colour: str, writer: Writer, share: float) -> _Draw:
    def draw(canvas: Colour, x: int, y: int) -> None:
        size, half = round(_MARK * writer.height), writer.height // 2
        block = (slice(y - half, y + half), slice(x, x + size))
        tint(canvas, block, np.ones((2 * half, size), np.bool_), bgr(colour), share)
        cv2.rectangle(canvas, (x, y - half), (x + size, y + half), bgr(colour), 1)

    return draw
