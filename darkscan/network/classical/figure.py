"""Draws the comparison as the paper's Fig. 8: a column for each frame, a row for each method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical.levels import eight_bit
from darkscan.network.pictures import png
from darkscan.pipeline.core.arrays import Mask, Pixels

_T = TypeVar("_T", np.uint8, np.float32)

Tile = npt.NDArray[np.uint8]
"""A small picture of a frame, (h, w, 3) RGB."""

TILE_PX = 440
RAW, EQUALISED = "raw", "histogram-\nequalised"

_MARKED = (255, 196, 0)
_TRUE = (255, 32, 32)
_TRUTH_MARGIN_PX = 4
_DIMMED = 0.35  # what is left of the frame under marks
_BOLDNESS = 0.3  # exponent: a line over a tenth of a tile's pixel shows at half its colour
_SEEN = (0.1, 99.9)  # percentiles of the levels that are spread out
_DOTS_PER_INCH = 200
_GAP_INCHES = 0.04
_LABEL_INCHES = 1.0
_TITLE_INCHES = 0.3


@dataclass(frozen=True)
class Column:
    """A frame's tiles, from the top, and what is written into each."""

    title: str
    tiles: Sequence[Tile]
    notes: Sequence[str]


def raw_tile(frame: Pixels, full_scale: float, mask: Mask | None = None) -> Tile:
    """The frame as the camera gives it; the scratches of its mask outlined in red."""
    tile = _rgb(_shrunk(eight_bit(frame, full_scale)))
    if mask is not None:
        share = _shrunk(mask.astype(np.float32))
        side = 2 * _TRUTH_MARGIN_PX + 1
        around = cv2.dilate((share > 0).astype(np.uint8), np.ones((side, side), np.uint8))
        outlines, _ = cv2.findContours(around, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, outlines, -1, _TRUE, 1, cv2.LINE_AA)
    return tile


def equalised_tile(frame: Pixels) -> Tile:
    """The frame with a flat histogram, for weak scratches to be seen."""
    return _rgb(_equalised(frame))


def marks_tile(frame: Pixels, marks: Mask) -> Tile:
    """The detected pixels over the dimmed frame."""
    ground = _rgb(_equalised(frame)).astype(np.float32) * _DIMMED
    share = _shrunk(marks.astype(np.float32))[..., np.newaxis].clip(0, 1) ** _BOLDNESS
    mixed = ground * (1 - share) + np.array(_MARKED, np.float32) * share
    return np.rint(mixed).astype(np.uint8)


def draw(labels: Sequence[str], columns: Sequence[Column]) -> bytes:
    """The figure as a PNG: ``labels`` name the rows, each column has a tile for each."""
    # matplotlib takes a second to load, and nothing else here needs it.
    from matplotlib.figure import Figure

    cell = TILE_PX / _DOTS_PER_INCH
    width = _LABEL_INCHES + (cell + _GAP_INCHES) * len(columns)
    height = _TITLE_INCHES + (cell + _GAP_INCHES) * len(labels)
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    grid = figure.subplots(len(labels), len(columns), squeeze=False)
    figure.subplots_adjust(
        left=_LABEL_INCHES / width,
        right=1 - _GAP_INCHES / width,
        top=1 - _TITLE_INCHES / height,
        bottom=_GAP_INCHES / height,
        wspace=_GAP_INCHES / cell,
        hspace=_GAP_INCHES / cell,
    )
    for place, column in enumerate(columns):
        grid[0, place].set_title(column.title, fontsize=8, parse_math=False)
        for row, (tile, note) in enumerate(zip(column.tiles, column.notes, strict=True)):
            axes = grid[row, place]
            axes.imshow(tile)
            axes.set_xticks([])
            axes.set_yticks([])
            if note:
                box = {"facecolor": "black", "alpha": 0.7, "pad": 1.5, "linewidth": 0}
                axes.text(
                    *(0.02, 0.02, note),
                    transform=axes.transAxes,
                    color="white",
                    fontsize=7,
                    bbox=box,
                )
    for row, label in enumerate(labels):
        grid[row, 0].set_ylabel(
            label, rotation=0, ha="right", va="center", fontsize=8, parse_math=False
        )
    return png(figure)


def _equalised(frame: Pixels) -> npt.NDArray[np.uint8]:
    low, high = np.percentile(frame, _SEEN)
    spread = (frame.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    levels = np.rint(spread).clip(0, 255).astype(np.uint8)
    return _shrunk(np.asarray(cv2.equalizeHist(levels), dtype=np.uint8))


def _shrunk(image: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """The image brought to the tile's longer side, by area, or by repetition if it grows."""
    height, width = image.shape
    scale = TILE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=image.dtype)


def _rgb(grey: npt.NDArray[np.uint8]) -> Tile:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)
