"""A sheet of frames: what was drawn by eye, what a map found, which windows were marked."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.network.evaluation.degradations import noise_of
from darkscan.network.evaluation.labelled_frames import LabelledFrame
from darkscan.network.evaluation.lines_in_maps import FOUND_PX, MapFindings
from darkscan.network.pictures import png

_TILE_IN, _DPI = 4.2, 130
_WIDER_THAN_TALL = 1.3
_DARKEST, _BRIGHTEST, _LEAST_SIGMAS = 1.0, 99.7, 9.0
_FOUND, _MISSED, _UNSURE = "#35d0ff", "#ff4fd8", "#b9b9b9"
_LINE, _FALSE_LINE, _FIBRE_LINE = "#ffd21f", "#ff3b30", "#b07cff"
_GREY = "#888888"
_HIT, _FALSE, _UNJUDGED = "#3ddc5a", "#ff3b30", "#ffffff"


@dataclass(frozen=True, eq=False)
class Tile:
    """A frame with all that is known of it."""

    frame: LabelledFrame
    labels: WindowLabels
    scores: npt.NDArray[np.float32]
    found: MapFindings


def sheet(title: str, tiles: Sequence[Tile], threshold: float) -> bytes:
    """The frames side by side, with a legend, as PNG.

    A window stands as a sign at its middle with its score; windows overlap by half.
    """
    columns = min(len(tiles), round(math.sqrt(_WIDER_THAN_TALL * len(tiles))))
    rows = math.ceil(len(tiles) / columns)
    size = columns * _TILE_IN, rows * (_TILE_IN + 0.2) + 1.0
    drawing = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    drawing.suptitle(title, fontsize=13)
    panels = drawing.subplots(rows, columns, squeeze=False).ravel()
    for axes, tile in zip(panels, tiles, strict=False):
        _draw(axes, tile, threshold)
    for axes in panels[len(tiles) :]:
        axes.axis("off")
    drawing.legend(handles=list(_legend()), loc="outside lower center", ncols=5, fontsize=10)
    return png(drawing)


def _draw(axes: Axes, tile: Tile, threshold: float) -> None:
    levels, (height, width) = tile.frame.grey.levels, tile.frame.shape
    dark, bright = np.percentile(levels, [_DARKEST, _BRIGHTEST])
    bright = max(bright, np.median(levels) + _LEAST_SIGMAS * noise_of(tile.frame.grey))
    axes.imshow(
        levels, cmap="gray", vmin=dark, vmax=bright, extent=(0, width, height, 0), aspect="equal"
    )
    lines = tile.frame.lines
    for drawn, found in ((lines.clear, tile.found.clear), (lines.faint, tile.found.faint)):
        for line, is_found in zip(drawn, found.found, strict=True):
            style: dict[str, Any] = {"linestyle": "-" if drawn is lines.clear else (0, (4, 3))}
            _rails(axes, line, color=_FOUND if is_found else _MISSED, **style)
    for line in lines.unsure:
        _rails(axes, line, color=_UNSURE, linestyle=":")
    for line, is_false, is_fibre in zip(
        tile.found.centrelines, tile.found.false, tile.found.fibres, strict=True
    ):
        colour = _FIBRE_LINE if is_fibre else _FALSE_LINE if is_false else _LINE
        axes.plot(*line.T, color=colour, linewidth=0.9, alpha=0.9)
    _signs(axes, tile, threshold)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_title(tile.frame.name, fontsize=9, pad=3)


def _rails(axes: Axes, line: npt.NDArray[np.float64], **style: Any) -> None:
    """A line on either side, so that what lies under it stays in sight."""
    steps = np.gradient(line, axis=0)
    across = np.stack([-steps[:, 1], steps[:, 0]], axis=1)
    across *= FOUND_PX / np.maximum(np.hypot(*across.T)[:, None], 1e-9)
    for side in (line + across, line - across):
        axes.plot(*side.T, linewidth=0.9, alpha=0.9, **style)


def _signs(axes: Axes, tile: Tile, threshold: float) -> None:
    for origin, score, touched, visible in zip(
        tile.frame.origins, tile.scores, tile.labels.touched, tile.labels.visible, strict=True
    ):
        y, x = origin + WINDOW_PX / 2
        axes.plot(x, y, **_sign(touched=touched, visible=visible, marked=score >= threshold))
        axes.annotate(
            f"{score:.2f}",
            *((x, y), (4, 3)),
            textcoords="offset points",
            fontsize=8,
            color="white",
            path_effects=[withStroke(linewidth=2, foreground="black")],
        )


def _sign(*, touched: bool, visible: bool, marked: bool) -> dict[str, Any]:
    colour = _HIT if visible else _UNJUDGED if touched else _FALSE
    if visible and not marked:
        return {"marker": "x", "color": _MISSED, "markersize": 6, "linestyle": "none"}
    if not touched and not marked:
        colour = _HIT
    style = {
        "marker": "s" if touched and not visible else "o",
        "markeredgecolor": colour,
        "markersize": 6,
        "linestyle": "none",
    }
    return {**style, "markerfacecolor": colour if marked else "none"}


def _legend() -> Iterator[Line2D]:
    for label, colour, style in (
        ("drawn clear, found (6 px aside)", _FOUND, "-"),
        ("drawn faint, found", _FOUND, "--"),
        ("drawn clear, missed", _MISSED, "-"),
        ("drawn faint, missed", _MISSED, "--"),
        ("drawn unsure", _UNSURE, ":"),
        ("scratch of the map", _LINE, "-"),
        ("scratch of the map, false", _FALSE_LINE, "-"),
        ("fibre of the map", _FIBRE_LINE, "-"),
    ):
        drawn: dict[str, Any] = {"color": colour, "linestyle": style, "label": label}
        yield Line2D([], [], **drawn)
    for label, (touched, visible, marked) in (
        ("window with a scratch, marked", (True, True, True)),
        ("window with a scratch, missed", (True, True, False)),
        ("window without, not marked", (False, False, False)),
        ("window without, marked", (False, False, True)),
        ("window that judges nothing, marked", (True, False, True)),
        ("the same, not marked", (True, False, False)),
    ):
        sign = _sign(touched=touched, visible=visible, marked=marked)
        if sign.get("markeredgecolor") == _UNJUDGED:  # not to be seen on white
            sign |= {"markeredgecolor": _GREY, "markerfacecolor": _GREY if marked else "none"}
        yield Line2D([], [], label=label, **sign)
