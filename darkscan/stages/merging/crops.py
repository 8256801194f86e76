"""Pictures of single defects, from the recording that a map was made of, and an index of them."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import Defect, DefectMap, Point
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import DefectKind
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.scan import FrameMeta, FrameSource, ScanInfo
from darkscan.pipeline.core.thumbnail import make_thumbnail
from darkscan.stages.merging._canvas import (
    GROUND,
    Colour,
    Writer,
    as_png,
    coloured,
    draw_outline,
    plain,
    scale_bar,
)
from darkscan.stages.merging._labels import in_rows
from darkscan.stages.merging._mosaic import View, compose, stretched, view_of
from darkscan.stages.merging._words import measures_of, name_of, warnings_of
from darkscan.stages.merging.style import scale_bar_mm

_LONGEST_SIDE, _SMALLEST_SIDE = 720, 80
"""Of a panel, and of what it shows, pixels of the picture and of the camera."""

_MOST_ENLARGED = 8
_MARGIN, _SMALLEST_MARGIN = 0.12, 16
"""Around a defect: a part of its longer side, and pixels of the camera."""

_DETAIL, _DETAIL_ENLARGED = (_LONGEST_SIDE, 240), 2
_GAP = 8
_WRITER = Writer(13)


def largest_defects(
    document: DefectMap, count: int, kind: DefectKind | None = None
) -> list[Defect]:
    """The longest defects of a map, at most ``count``, of one kind or of any; longest first."""
    chosen = [defect for defect in document.defects if kind in {None, defect.kind}]
    return sorted(chosen, key=lambda defect: (-defect.length_mm, defect.id))[:count]


def require_scan_of(
    document: DefectMap, info: ScanInfo, frames: Sequence[FrameMeta], file: Path
) -> None:
    """Raises InputError, naming the recording's file, unless the map can be of this scan."""
    ours = (document.element.name, document.element.side, document.scan.pitch_um)
    theirs = (info.element, info.side, info.pitch_um)
    if ours != theirs or document.element.size_mm != info.element_size_mm:
        texts = [
            f"{name}, {side}, {width:g} x {height:g} mm at {pitch:g} um"
            for (name, side, pitch), (width, height) in (
                (theirs, info.element_size_mm),
                (ours, document.element.size_mm),
            )
        ]
        problem = f"is a scan of {texts[0]}, but the map is of {texts[1]}"
        raise InputError(problem, file=file, field="element")
    if len(frames) != document.ledger.captured:
        problem = f"has {len(frames)} frames, but the map was made of {document.ledger.captured}"
        raise InputError(problem, file=file, field="frames")
    for defect in document.defects:
        _require_shown(defect, info, frames, file)


def _require_shown(defect: Defect, info: ScanInfo, frames: Sequence[FrameMeta], file: Path) -> None:
    """Raises InputError unless the frames that show a defect by the map could have shown it."""
    x, y, width, height = defect.box_mm
    low, high = np.array([x, y]), np.array([x + width, y + height])
    usable = {int(meta.frame): meta for meta in frames if meta.usable}
    for frame in defect.frames:
        if frame in usable:
            first, last = _bounds(info, usable[frame])
            if (first < high).all() and (last > low).all():
                continue
        problem = f"does not show {defect.id}, which the map has from there: another scan?"
        raise InputError(problem, file=file, field=f"frame {frame}")


def picture_of(defect: Defect, document: DefectMap, source: FrameSource) -> bytes:
    """A PNG file of a defect: as the camera saw it, and the same with its outline.

    Its id and measures stand above. Grey levels are stretched for the eye; small defects are
    enlarged. One that is longer than a panel is drawn smaller, and has its middle enlarged in a
    panel of its own. Raises InputError if a frame cannot be read.
    """
    pitch_mm = document.scan.pitch_um / 1000
    x, y, width, height = _surroundings(defect, document, pitch_mm)
    scale = max(1, math.ceil(max(width, height) / pitch_mm / _LONGEST_SIDE))
    view = view_of(x, y, (width, height), scale * pitch_mm)
    enlarged = min(_MOST_ENLARGED, max(1, _LONGEST_SIDE // max(view.width, view.height)))
    seen, view = _seen(source, view, defect, enlarged)
    outlined = seen.copy()
    draw_outline(outlined, defect, view, 1)
    panels = [_with_bar(seen, view), outlined]
    upright = view.height > view.width
    if scale > 1:
        detail, view = _seen(source, _detail(defect, upright, pitch_mm), defect, _DETAIL_ENLARGED)
        panels.append(_with_bar(detail, view))
    texts = [name_of(defect), *measures_of(defect), *warnings_of(defect)]
    return as_png(_sheet(panels, [plain(text) for text in texts], upright), f"{defect.id}.png")


def _surroundings(
    defect: Defect, document: DefectMap, pitch_mm: float
) -> tuple[float, float, float, float]:
    """A rectangle around a defect, and not beyond the element: x, y, width, height, mm."""
    x, y, width, height = defect.box_mm
    margin = max(_MARGIN * max(width, height), _SMALLEST_MARGIN * pitch_mm)
    low, high = [], []
    for first, side, whole in zip((x, y), (width, height), document.element.size_mm, strict=True):
        half = max(side / 2 + margin, _SMALLEST_SIDE * pitch_mm / 2)
        middle = first + side / 2
        low.append(max(0.0, middle - half))
        high.append(max(min(whole, middle + half), low[-1] + pitch_mm))
    return low[0], low[1], high[0] - low[0], high[1] - low[1]


def _detail(defect: Defect, upright: bool, pitch_mm: float) -> View:  # noqa: FBT001 - a fact
    """A view of the camera's own pixels around a line's middle."""
    sides = [side // _DETAIL_ENLARGED for side in _DETAIL]
    width, height = sides[::-1] if upright else sides
    x, y = _middle(defect)
    left, top = x - width * pitch_mm / 2, y - height * pitch_mm / 2
    return View(left, top, width, height, pitch_mm)


def _middle(defect: Defect) -> Point:
    """The point half-way along a line, or a spot's middle, mm."""
    if not defect.is_line:
        return defect.centroid_mm
    line = np.array(defect.centreline)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    x, y = (float(np.interp(along[-1] / 2, along, line[:, axis])) for axis in (0, 1))
    return x, y


def _seen(source: FrameSource, view: View, defect: Defect, enlarged: int) -> tuple[Colour, View]:
    """What the camera saw, to draw on, a whole number of times enlarged, and its view."""
    frames = _frames(source, view, defect)
    grey = stretched(*compose(source.info, frames, view))
    size = (view.width * enlarged, view.height * enlarged)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    return coloured(grey), View(view.left_mm, view.top_mm, *size, view.mm_per_px / enlarged)


def _frames(source: FrameSource, view: View, defect: Defect) -> Iterator[tuple[FrameMeta, Pixels]]:
    """The frames that show a part of a view; those in which the defect was traced last."""
    info = source.info
    scale = max(1, round(view.mm_per_px / (info.pitch_um / 1000)))
    low = np.array([view.left_mm, view.top_mm])
    high = low + np.array([view.width, view.height]) * view.mm_per_px
    pixels: Pixels = np.empty(info.frame_shape, info.dtype)
    order = sorted(enumerate(source.frames), key=lambda each: each[1].frame in defect.frames)
    for index, meta in order:
        first, last = _bounds(info, meta)
        if meta.usable and (first < high).all() and (last > low).all():
            source.read_into(index, pixels)
            yield meta, make_thumbnail(pixels, scale)


def _bounds(
    info: ScanInfo, meta: FrameMeta
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest x and y of a frame's corners, mm."""
    height, width = info.frame_shape
    corners = info.pixel_to_stage.place(rectangle(0, 0, width, height), meta.position_mm)
    return corners.min(axis=0), corners.max(axis=0)


def _with_bar(panel: Colour, view: View) -> Colour:
    """The panel with a scale bar in its lower left corner."""
    length_mm = scale_bar_mm(2 * view.width * view.mm_per_px)
    x, y = 8, view.height - 12
    scale_bar(round(length_mm / view.mm_per_px), 4)(panel, x, y)
    words = f"{length_mm:g} mm" if length_mm >= 1 else f"{1000 * length_mm:g} um"
    _WRITER.write(panel, words, (x, y - 8))
    return panel


def _sheet(panels: Sequence[Colour], texts: Sequence[str], upright: bool) -> Colour:  # noqa: FBT001
    """Panels side by side, or one below the other, under lines of text."""
    shapes = np.array([panel.shape[:2] for panel in panels]) + _GAP
    stacked = shapes.max(axis=0)
    stacked[1 if upright else 0] = shapes.sum(axis=0)[1 if upright else 0]
    widths = [_WRITER.width(text) for text in texts]
    width = max(int(stacked[1]), *widths) + 2 * _GAP
    places = in_rows(widths, width - 2 * _GAP, 3 * _GAP)
    row = 2 * _WRITER.height
    top = (places[-1][1] + 1) * row + _GAP
    sheet = np.full((top + int(stacked[0]), width, 3), GROUND, np.uint8)
    for text, (x, number) in zip(texts, places, strict=True):
        _WRITER.write(sheet, text, (_GAP + x, (number + 1) * row - row // 4))
    y, x = top, _GAP
    for panel, (down, right) in zip(panels, shapes.tolist(), strict=True):
        sheet[y : y + down - _GAP, x : x + right - _GAP] = panel
        y, x = (y, x + right) if upright else (y + down, x)
    return sheet


def name_of_picture(defect: Defect) -> str:
    """The name of a defect's file."""
    return f"{defect.id}-{defect.kind}.png"


def index_of(defects: Sequence[Defect], document: DefectMap) -> str:
    """A page, in HTML, that shows the pictures beside it with what the map says of them."""
    title = escape(f"Largest defects of {document.element.name}, {document.element.side}")
    rows = "\n".join(map(_row, defects))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 2em; color: #222; }}
figure {{ display: inline-block; vertical-align: top; margin: 0 1em 2em 0; }}
img {{ display: block; max-width: 45vw; max-height: 80vh; }}
</style>
</head>
<body>
<h1>{title}</h1>
{rows}
</body>
</html>
"""


def _row(defect: Defect) -> str:
    x, y = defect.centroid_mm
    place = f"at ({x:.2f}, {y:.2f}) mm" + (f", in area {defect.area}" if defect.area else "")
    texts = [defect.id, defect.kind, f"{defect.length_mm:g} mm", place]
    name = name_of_picture(defect)
    return (
        f'<figure><a href="{name}"><img src="{name}" alt="{escape(name_of(defect))}" '
        f'loading="lazy"></a><figcaption>{escape(", ".join(texts))}</figcaption></figure>'
    )
