"""Parts of the element as the camera saw them, cut from a recording's frames at their places."""

from typing import NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Float64Array, Mask, Pixels, UInt8Array
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.host_link.messages import Pyramid

_SAMPLED_FRAMES, _SAMPLED_ROWS = 16, 32
_DARKEST, _BRIGHTEST = 1.0, 99.8
"""Percentiles of a scan's grey levels that become black and white."""

_FEWEST_LEVELS = 8
"""Black and white are so many grey levels apart at least: noise is not to look like structure."""


_HIGHEST_16 = 65_535


class View(NamedTuple):
    """A rectangle of the element, in pixels of its finest level."""

    left: int
    top: int
    width: int
    height: int
    pitch_mm: float

    @property
    def box_mm(self) -> tuple[float, float, float, float]:
        """x, y, width, height."""
        x, y, width, height = (side * self.pitch_mm for side in self[:4])
        return x, y, width, height


class Seen(NamedTuple):
    """A view as the camera saw it."""

    raised: Pixels
    """(height, width) The camera's levels, each one higher; 0 is what no frame shows."""

    @property
    def covered(self) -> Mask:
        """(height, width): where a frame shows it."""
        return self.raised > 0

    @property
    def levels(self) -> Pixels:
        """(height, width) The camera's levels."""
        return self.raised - self.covered


class Frames:
    """The frames of a recording, found by their places."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        info = recording.info
        self._usable = [index for index, meta in enumerate(recording.frames) if meta.usable]
        self._places = np.array(
            [recording.frames[index].position_mm[:2] for index in self._usable]
        ).reshape(-1, 2)
        height, width = info.frame_shape
        corners = rectangle(0, 0, width, height) @ info.pixel_to_stage.matrix.T
        self._low, self._high = corners.min(axis=0), corners.max(axis=0)
        self._stretch: tuple[float, float] | None = None

    def at(self, view: View) -> list[int]:
        """The frames that show a part of a view, in the scan's order, as ``see`` takes them."""
        x, y, width, height = view.box_mm
        first, last = self._places + self._low, self._places + self._high
        near = (first < (x + width, y + height)).all(axis=1) & (last > (x, y)).all(axis=1)
        return np.flatnonzero(near).tolist()

    def number(self, which: int) -> int:
        """The frame's number in its scan."""
        return int(self.recording.frames[self._usable[which]].frame)

    def see(self, view: View, *, brightest: bool) -> Seen:
        """A view. Raises InputError.

        ``brightest``: where frames overlap, the brightest pixel is seen, as in tiles that rigs
        send; else that of the frame whose middle is nearest to the view's, which keeps the
        noise what it is.
        """
        info = self.recording.info
        canvas: Pixels = np.zeros((view.height, view.width), info.dtype)
        for which in self.at(view) if brightest else self._nearest_last(view):
            to_frame = self.to_frame(which, view)
            left, top, right, bottom = _needed(to_frame, view, info.frame_shape)
            if left >= right or top >= bottom:
                continue
            rows: Pixels = np.empty((bottom - top, info.frame_shape[1]), info.dtype)
            self.recording.read_rows(self._usable[which], top, rows)
            from_part = to_frame - [[0, 0, left], [0, 0, top]]
            lay(raised(rows[:, left:right]), from_part, canvas, brightest=brightest)
        return Seen(canvas)

    def _nearest_last(self, view: View) -> list[int]:
        """The frames that show a part of a view, the one whose middle is nearest last."""
        x, y, width, height = view.box_mm
        middles = self._places + (self._low + self._high) / 2
        away = np.hypot(*(middles - (x + width / 2, y + height / 2)).T)
        return sorted(self.at(view), key=lambda which: -away[which])

    def to_frame(self, which: int, view: View) -> Float64Array:
        """(2, 3): from a view's pixels (x, y, 1) to a frame's, both from their outer corners."""
        inverse = np.linalg.inv(self.recording.info.pixel_to_stage.matrix)
        corner = np.array([view.left, view.top]) * view.pitch_mm
        offset = inverse @ (corner - self._places[which])
        matrix: Float64Array = np.hstack([inverse * view.pitch_mm, offset[:, None]])
        return matrix

    def black_and_white(self) -> tuple[float, float]:
        """The grey levels of the scan that are shown black and white. Raises InputError."""
        if self._stretch is None:
            info = self.recording.info
            chosen = self._usable[:: max(1, len(self._usable) // _SAMPLED_FRAMES)]
            count = min(_SAMPLED_ROWS, info.frame_shape[0])
            rows: Pixels = np.empty((len(chosen), count, info.frame_shape[1]), info.dtype)
            for part, index in zip(rows, chosen, strict=True):
                self.recording.read_rows(index, (info.frame_shape[0] - count) // 2, part)
            self._stretch = black_and_white(rows)
        return self._stretch


def black_and_white(levels: Pixels) -> tuple[float, float]:
    """The grey levels among these that are shown black and white."""
    if not levels.size:
        return 0.0, float(_FEWEST_LEVELS)
    low, high = np.percentile(levels, [_DARKEST, _BRIGHTEST]).tolist()
    return low, max(high, low + _FEWEST_LEVELS)


def raised(levels: Pixels) -> Pixels:
    """Each level one higher; the dtype's largest stays."""
    return cast("Pixels", cv2.add(levels, 1.0))  # type: ignore[call-overload]


def lay(pixels: Pixels, to_pixels: Float64Array, canvas: Pixels, *, brightest: bool = True) -> None:
    """Lays pixels (h, w) on a canvas: each place shows the nearest one, unless that is 0.

    ``brightest``: only if it is brighter than what lies there.

    ``to_pixels`` (2, 3) leads from the canvas's pixels (x, y, 1) to those that are laid, from
    their outer corners.
    """
    height, width = pixels.shape
    to_canvas = np.linalg.inv(to_pixels[:, :2])
    corners = (rectangle(0, 0, width, height) - to_pixels[:, 2]) @ to_canvas.T
    left, top, right, bottom = _within(corners, canvas.shape)
    if left >= right or top >= bottom:
        return
    # OpenCV counts from the middle of the first pixel, we from its corner.
    matrix = to_pixels.copy()
    matrix[:, 2] += matrix[:, :2] @ (left + 0.5, top + 0.5) - 0.5
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(pixels, matrix, (right - left, bottom - top), flags=flags)
    part = canvas[top:bottom, left:right]
    if brightest:
        np.maximum(part, laid, out=part)
    else:
        np.copyto(part, laid, where=laid > 0)


def _needed(to_frame: Float64Array, view: View, shape: tuple[int, int]) -> tuple[int, ...]:
    """The part of a frame that a view shows: left, top, right, bottom, pixels."""
    corners = rectangle(0, 0, view.width, view.height) @ to_frame[:, :2].T + to_frame[:, 2]
    return _within(corners, shape)


def _within(corners: Float64Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The pixels of a picture (h, w) around corners (4, 2), one more each way."""
    most = (shape[1], shape[0])
    left, top = np.clip(np.floor(corners.min(axis=0)) - 1, 0, most).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, most).astype(int).tolist()
    return left, top, right, bottom


def grey_table(pyramid: Pyramid) -> UInt8Array:
    """(full_scale + 2,) The grey of a tile for each of the camera's levels, raised by one.

    0 for what no frame shows, else 1 to 255.
    """
    levels = np.arange(pyramid.full_scale + 1)
    whole = np.arcsinh(pyramid.full_scale / pyramid.softening)
    grey = np.rint(255 * np.arcsinh(levels / pyramid.softening) / whole)
    table: UInt8Array = np.concatenate([[0], grey.clip(1, 255)]).astype(np.uint8)
    return table


def level_table(pyramid: Pyramid) -> npt.NDArray[np.uint16]:
    """(256,) The camera's level, raised by one, for each grey of a tile; 0: not seen."""
    whole = np.arcsinh(pyramid.full_scale / pyramid.softening)
    levels = pyramid.softening * np.sinh(np.arange(256) / 255 * whole)
    levels = np.rint(levels).clip(0, pyramid.full_scale) + 1
    levels[0] = 0
    table: npt.NDArray[np.uint16] = levels.clip(0, _HIGHEST_16).astype(np.uint16)
    return table
