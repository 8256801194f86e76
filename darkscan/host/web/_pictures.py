"""Pictures that the host makes itself: tiles of the finest level, and those of single defects.

Pixels come from the scan's recording where this host can read it, else from the tiles of the
finest level that the rig sent, which it does where something was found.
"""

import threading
from collections import OrderedDict
from functools import partial
from typing import Literal

import cv2
import numpy as np
import simplejpeg

from darkscan.host.store import NotKept, Store
from darkscan.host.web._attention import heat_of, with_heat
from darkscan.host.web._composing import (
    Frames,
    Seen,
    View,
    black_and_white,
    grey_table,
    level_table,
)
from darkscan.host.web._model_view import ModelView
from darkscan.host.web._models import PictureOfDefect
from darkscan.host.web._recordings import Recordings
from darkscan.pipeline.core.arrays import Pixels, UInt8Array
from darkscan.pipeline.core.defect_map import Defect, Point
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.host_link.messages import TILE_PX, ScanBegan

ViewName = Literal["raw", "equalized", "attention"]

_JPEG_QUALITY = 95
"""As rigs make theirs."""

_PNG_COMPRESSION = 3
_SMALLEST_SIDE, _LARGEST_SIDE = 160, 768
"""Of a defect's picture, pixels of the camera."""

_MARGIN, _SMALLEST_MARGIN = 0.12, 24
"""Around a defect: a part of its longer side, and pixels."""

_CLIP, _GRID_PX, _SMOOTHED_PX = 5.0, 64, 1.0
"""Equalizing: how much contrast may grow, the side of what is equalized alike, and how much noise
is smoothed before, so that weak lines stand out rather than it."""

_CELLS_SHARE, _WINDOWS_SHARE = 0.7, 0.3
"""How much of a picture its heat covers where it is hottest: cells are small, windows are not."""

_MOST_KEPT_BYTES = 64 * 2**20
_MOST_BEGINNINGS = 64


class Pictures:
    """Makes pictures, and keeps the latest ones."""

    def __init__(self, store: Store, recordings: Recordings) -> None:
        self._store = store
        self._recordings = recordings
        self._model_view = ModelView()
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._began: OrderedDict[str, ScanBegan] = OrderedDict()

    def close(self) -> None:
        """Closes the recordings."""
        self._recordings.close()

    def close_idle(self) -> None:
        """Closes recordings that have not been read for a while."""
        self._recordings.close_idle()

    def reads_recording(self, scan: str) -> bool:
        """Whether the scan's recording can be read here. Raises NotKept."""
        return self._recordings.readable(scan, self._beginning(scan))

    def stage_place(self, scan: str, place_mm: Point) -> Point | None:
        """Where the rig's axes bring a place to the middle of the camera's frame, mm.

        None if the scan does not say how its axes lie. Raises NotKept.
        """
        began = self._beginning(scan)
        lie = began.stage_to_element
        if lie is None or began.pixel_to_stage is None or began.frame_shape is None:
            return None
        height, width = began.frame_shape
        middle = began.pixel_to_stage.matrix @ (width / 2, height / 2)
        try:
            x, y = lie.stage_for(np.array(place_mm) - middle).tolist()
        except np.linalg.LinAlgError:
            return None
        return (x, y) if np.isfinite([x, y]).all() else None

    def tile(self, scan: str, x: int, y: int) -> bytes | None:
        """A JPEG of the finest level, cut from the recording; None: no frame shows it, or no file.

        Raises NotKept.
        """
        began = self._beginning(scan)
        picture = began.picture
        if picture is None:
            return None
        left, top = x * TILE_PX, y * TILE_PX
        width, height = min(TILE_PX, picture.width_px - left), min(TILE_PX, picture.height_px - top)
        if width <= 0 or height <= 0:
            return None
        view = View(left, top, width, height, picture.pitch_um / 1000)
        with self._recordings.reading(scan, began) as frames:
            seen = None if frames is None else _seen(frames, view, brightest=True)
        if seen is None or not seen.raised.any():
            return None
        grey = np.take(grey_table(picture), seen.raised, mode="clip")
        jpeg: bytes = simplejpeg.encode_jpeg(
            grey[..., None], quality=_JPEG_QUALITY, colorspace="GRAY"
        )
        return jpeg

    def about(self, scan: str, defect: Defect) -> PictureOfDefect:
        """What a defect's picture would show. Raises NotKept."""
        began = self._beginning(scan)
        view = view_of(defect, began)
        source: Literal["recording", "tiles"] | None = None
        attention: Literal["cells", "windows"] = "windows"
        if self._recordings.readable(scan, began):
            source = "recording"
            if self._model_view.sees(view, began):
                attention = "cells"
        elif began.picture is not None:
            x, y = ((view.left + view.width // 2), (view.top + view.height // 2))
            if self._store.tile(scan, 0, x // TILE_PX, y // TILE_PX) is not None:
                source = "tiles"
        return PictureOfDefect(
            box_mm=view.box_mm, source=source, attention=None if source is None else attention
        )

    def of_defect(self, scan: str, defect_id: str, view: ViewName) -> bytes:
        """A PNG of a defect's surroundings. Raises NotKept where the pixels cannot be had."""
        key = (scan, defect_id, view)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        png = self._paint(scan, self._store.defect(scan, defect_id), view)
        with self._lock:
            self._kept_bytes += len(png) - len(self._kept.pop(key, b""))
            self._kept[key] = png
            while self._kept_bytes > _MOST_KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return png

    def _paint(self, scan: str, defect: Defect, name: ViewName) -> bytes:
        began = self._beginning(scan)
        view = view_of(defect, began)
        heat = None
        with self._recordings.reading(scan, began) as frames:
            seen = None if frames is None else _seen(frames, view, brightest=False)
            stretch = None if frames is None or seen is None else frames.black_and_white()
            if frames is not None and seen is not None and name == "attention":
                heat = self._model_view.heat_of(view, began, frames)
        if seen is None:
            seen = self._from_tiles(scan, began, view)
        if not seen.raised.any():
            raise NotKept("there are no pixels of this defect: no recording, and no tiles")
        if stretch is None:
            stretch = black_and_white(seen.levels[seen.covered])
        grey = stretched(seen, *stretch)
        if name == "raw":
            return _png(grey)
        if name == "equalized":
            return _png(equalized(grey))
        if heat is not None:
            return _png(with_heat(grey, heat, _CELLS_SHARE))
        scores = partial(self._store.scores, scan)
        return _png(with_heat(grey, heat_of(view, began, defect.frames, scores), _WINDOWS_SHARE))

    def _from_tiles(self, scan: str, began: ScanBegan, view: View) -> Seen:
        """What the tiles of the finest level show of a view; nothing is covered without any."""
        canvas: Pixels = np.zeros((view.height, view.width), np.uint16)
        if began.picture is None:
            return Seen(canvas)
        table = level_table(began.picture)
        for y in range(view.top // TILE_PX, (view.top + view.height - 1) // TILE_PX + 1):
            for x in range(view.left // TILE_PX, (view.left + view.width - 1) // TILE_PX + 1):
                stored = self._store.tile(scan, 0, x, y)
                tile = None if stored is None else _decoded(stored.jpeg)
                if tile is not None:
                    left, top = x * TILE_PX - view.left, y * TILE_PX - view.top
                    _paste(table[tile], canvas, left, top)
        return Seen(canvas)

    def _beginning(self, scan: str) -> ScanBegan:
        """How a scan began, which never changes. Raises NotKept."""
        with self._lock:
            if scan in self._began:
                self._began.move_to_end(scan)
                return self._began[scan]
        began = self._store.began(scan)
        with self._lock:
            self._began[scan] = began
            while len(self._began) > _MOST_BEGINNINGS:
                self._began.popitem(last=False)
        return began


def view_of(defect: Defect, began: ScanBegan) -> View:
    """A defect's surroundings at full resolution; of a long line, those of its middle."""
    pitch_mm = began.pitch_um / 1000
    whole = [max(1, int(np.ceil(side / pitch_mm))) for side in began.element_size_mm]
    x, y, width, height = (side / pitch_mm for side in defect.box_mm)
    margin = max(_MARGIN * max(width, height), _SMALLEST_MARGIN)
    sides, corners = [], []
    middle = _middle(defect)
    for first, side, most, centre in zip((x, y), (width, height), whole, middle, strict=True):
        wanted = int(np.clip(np.ceil(side + 2 * margin), _SMALLEST_SIDE, _LARGEST_SIDE))
        size = min(wanted, most)
        fits = side + 2 * margin <= _LARGEST_SIDE
        around = first + side / 2 if fits else centre / pitch_mm
        corners.append(int(np.clip(round(around - size / 2), 0, most - size)))
        sides.append(size)
    return View(corners[0], corners[1], sides[0], sides[1], pitch_mm)


def _middle(defect: Defect) -> Point:
    """The point half-way along a line, or a spot's middle, mm."""
    if not defect.is_line:
        return defect.centroid_mm
    line = np.array(defect.centreline)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    x, y = (float(np.interp(along[-1] / 2, along, line[:, axis])) for axis in (0, 1))
    return x, y


def stretched(seen: Seen, black: float, white: float) -> UInt8Array:
    """Grey levels between black and white as 0 to 255; what no frame shows is 0."""
    grey = (seen.levels.astype(np.float32) - black) * (255 / (white - black))
    shown: UInt8Array = (grey.clip(0, 255) * seen.covered).astype(np.uint8)
    return shown


def equalized(grey: UInt8Array) -> UInt8Array:
    """The same, smoothed a little, with contrast as strong everywhere as there is any."""
    grid = tuple(max(1, side // _GRID_PX) for side in grey.shape[::-1])
    smooth = cv2.GaussianBlur(grey, (0, 0), _SMOOTHED_PX)
    return np.asarray(cv2.createCLAHE(_CLIP, grid).apply(smooth), np.uint8)


def _seen(frames: Frames, view: View, *, brightest: bool) -> Seen | None:
    """A view of a recording; None if a frame cannot be read."""
    try:
        return frames.see(view, brightest=brightest)
    except InputError:
        return None


def _decoded(jpeg: bytes) -> UInt8Array | None:
    """A tile's greys (h, w); None: it is no JPEG."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(jpeg, "GRAY"), np.uint8)[..., 0]
    except ValueError:
        return None


def _paste(tile: Pixels, canvas: Pixels, left: int, top: int) -> None:
    """Puts a tile, whose first pixel lies at (left, top), on what it overlaps of a picture."""
    height, width = canvas.shape
    part = tile[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    down, right = max(0, top), max(0, left)
    canvas[down : down + part.shape[0], right : right + part.shape[1]] = part


def _png(picture: UInt8Array) -> bytes:
    done, png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION])
    if not done:
        raise NotKept("the picture could not be encoded")
    return png.tobytes()
