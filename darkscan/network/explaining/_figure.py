"""Draws explanations as the paper's Fig. 7: a column for each window, a row for each view."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.explaining._explanation import Explanation, Panel
from darkscan.network.pictures import equalised, png
from darkscan.pipeline.core.arrays import Float32Array, Pixels, UInt8Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
_CELL_INCHES = 1.7
_LABEL_INCHES = 1.5
_TITLE_INCHES = 0.35
_DOTS_PER_INCH = 150
_SMALL = 7
_HEAT_SHARE = 0.55  # the share of colour in a pixel: enough to read it, and the scratch still shows


def draw(
    windows: Pixels,
    titles: Sequence[str],
    explanations: Sequence[Explanation],
    *,
    full_scale: float = 255.0,
    panels: Collection[Panel] = tuple(Panel),
) -> bytes:
    """The figure as a PNG: raw and equalised windows, then the panels of each network.

    ``windows`` (N, 256, 256) with ``titles`` of N. Heat lies over the equalised window.
    Grad-CAM runs from 0 to its highest in each window; sigma_s and the lines from their
    lowest to their highest, which are written beside; the four groups of a scale attention
    share one range. A panel that a network cannot give is left out.
    """
    # matplotlib takes a second to load, and nothing else here needs it.
    from matplotlib.figure import Figure

    views = [equalised(window) for window in windows]
    rows = [
        _Row("raw", lambda axes, column: _show(axes, raw_view(windows[column], full_scale))),
        _Row("equalised", lambda axes, column: _show(axes, views[column])),
    ]
    for explanation in explanations:
        rows += _rows_of(explanation, views, panels)
    width = _LABEL_INCHES + _CELL_INCHES * len(windows)
    height = _TITLE_INCHES + _CELL_INCHES * len(rows)
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    grid = figure.subplots(len(rows), len(windows), squeeze=False)
    figure.subplots_adjust(
        left=_LABEL_INCHES / width, right=0.995, top=1 - _TITLE_INCHES / height, bottom=0.005,
        wspace=0.04, hspace=0.04,
    )  # fmt: skip
    for row, cells in zip(rows, grid, strict=True):
        for column, axes in enumerate(cells):
            axes.set_xticks([])
            axes.set_yticks([])
            row.paint(axes, column)
        cells[0].set_ylabel(
            row.label, rotation=0, horizontalalignment="right", verticalalignment="center",
            fontsize=_SMALL + 1,
        )  # fmt: skip
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=_SMALL + 1)
    return png(figure)


def raw_view(window: Pixels, full_scale: float) -> UInt8Array:
    """The window (H, W) as the camera gave it: black is 0, white its full scale."""
    view: UInt8Array = np.rint(window * (255.0 / full_scale)).clip(0, 255).astype(np.uint8)
    return view


def overlay(view: UInt8Array, heat: npt.NDArray[Any], low: float, high: float) -> UInt8Array:
    """A view (H, W) under a heat map (h, w), as RGB (H, W, 3); low is dark, high is light.

    The map's cells are laid over the whole view, smoothly; equal ``low`` and ``high``
    show no heat at all.
    """
    span = high - low
    share = (heat.astype(np.float32) - low) / span if span > 0 else np.zeros_like(heat, np.float32)
    height, width = view.shape
    smooth = cv2.resize(share.clip(0, 1), (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(255 * smooth).astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = view[:, :, None].astype(np.float32)
    mixed = _HEAT_SHARE * colours[:, :, ::-1] + (1 - _HEAT_SHARE) * grey
    return np.rint(mixed).astype(np.uint8)


def mosaic(tiles: list[UInt8Array]) -> UInt8Array:
    """Four equal tiles (H, W, 3) in two rows, thin white lines between."""
    first, second, third, fourth = tiles
    height, width, _ = first.shape
    line = max(2, height // 64)
    whole = np.full((2 * height + line, 2 * width + line, 3), 255, np.uint8)
    whole[:height, :width], whole[:height, -width:] = first, second
    whole[-height:, :width], whole[-height:, -width:] = third, fourth
    return whole


@dataclass(frozen=True)
class _Row:
    label: str
    paint: Callable[["Axes", int], None]


def _rows_of(
    explanation: Explanation, views: Sequence[UInt8Array], panels: Collection[Panel]
) -> Iterator[_Row]:
    name = explanation.network
    if Panel.CAM in panels:
        yield _Row(f"{name}\nGrad-CAM", _cam_painter(explanation, views))
    if Panel.LINE in panels and explanation.lines is not None:
        yield _Row(f"{name}\nline head", _map_painter(explanation.lines, views))
    if Panel.PLACE in panels and explanation.places is not None:
        yield _Row(f"{name}\nCA, place $\\sigma_s$", _map_painter(explanation.places, views))
    if Panel.CHANNEL in panels and explanation.channels is not None:
        yield _Row(f"{name}\nCA, channel $\\sigma_c$", _bars_painter(explanation.channels))
    if Panel.SCALE in panels:
        for stage, groups in enumerate(explanation.scales, start=1):
            label = f"{name}\nSA of stage {stage}\nunfiltered | rate 1\nrate 3 | rate 5"
            yield _Row(label, _groups_painter(groups, views))


def _cam_painter(
    explanation: Explanation, views: Sequence[UInt8Array]
) -> Callable[["Axes", int], None]:
    def paint(axes: "Axes", column: int) -> None:
        cam = explanation.cam[column]
        _show(axes, overlay(views[column], cam, 0.0, float(cam.max())))
        _note(axes, f"score {explanation.scores[column]:.3f}")

    return paint


def _map_painter(maps: Float32Array, views: Sequence[UInt8Array]) -> Callable[["Axes", int], None]:
    def paint(axes: "Axes", column: int) -> None:
        low, high = float(maps[column].min()), float(maps[column].max())
        _show(axes, overlay(views[column], maps[column], low, high))
        _note(axes, f"{low:.2f} to {high:.2f}")

    return paint


def _bars_painter(weights: Float32Array) -> Callable[["Axes", int], None]:
    def paint(axes: "Axes", column: int) -> None:
        values = weights[column]
        axes.bar(np.arange(len(values)), values, width=1.0, color="tab:blue")
        axes.set_xlim(-0.5, len(values) - 0.5)
        axes.set_ylim(0, 1)
        axes.axhline(0.5, color="black", linewidth=0.4)
        _note(axes, f"{values.min():.2f} to {values.max():.2f}")

    return paint


def _groups_painter(
    groups: Float32Array, views: Sequence[UInt8Array]
) -> Callable[["Axes", int], None]:
    def paint(axes: "Axes", column: int) -> None:
        four = groups[column]
        high = float(four.max())
        _show(axes, mosaic([overlay(views[column], group, 0.0, high) for group in four]))

    return paint


def _show(axes: "Axes", image: UInt8Array) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def _note(axes: "Axes", text: str) -> None:
    axes.text(
        0.03, 0.03, text, transform=axes.transAxes, fontsize=_SMALL - 1,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
    )  # fmt: skip
