"""The element as a small picture that frames are painted into as they come."""

from enum import IntEnum

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.geometry import FloatArray, rectangle
from darkscan.pipeline.results import Centrelines, FrameResult, NotInspected
from darkscan.pipeline.scan import FrameMeta, ScanInfo

_LONGER_SIDE = 1024
_DARKEST, _BRIGHTEST = 1.0, 99.8
"""Percentiles of what was seen that become black and white."""

_FEWEST_LEVELS = 8 / 255
"""That black and white are apart at least, of full scale: noise is no structure."""

_FRACTION_BITS = 4
_SEEN_SHARE = 0.5
_WARP = cv2.INTER_LINEAR

Levels = npt.NDArray[np.float32]


class State(IntEnum):
    """What is known of a place."""

    UNSEEN = 0
    LOST = 1
    QUARANTINED = 2
    SEEN = 3
    FOUND = 4  # within a positive window
    TRACED = 5  # on a scratch's centre line


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
        self._found = np.zeros((rows, columns), np.float32)
        self._traced = np.zeros((rows, columns), np.float32)
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
        self._found[block][self._filled(levels.shape, placement, windows) > 0] = 1.0
        self._traced[block][self._drawn(levels.shape, placement, result.centrelines) > 0] = 1.0

    def lose(self, item: NotInspected) -> None:
        """Marks a frame as not inspected, where no other frame has seen the element."""
        block, placement = self._placed(item.meta)
        missing = self._missing[State.LOST if item.kind == "lost" else State.QUARANTINED]
        shape = missing[block].shape
        if missing[block].size:
            missing[block][self._filled(shape, placement, self._outline()) > 0] = 1.0

    def sampled(self, columns: int, rows: int) -> tuple[Levels, npt.NDArray[np.uint8]]:
        """Grey levels from 0 to 1, stretched over what was seen, and states: (rows, columns).

        A place is found, or traced, where any of it is.
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
        for state, mask in ((State.FOUND, self._found), (State.TRACED, self._traced)):
            share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
            states[(share > 0) & (seen > _SEEN_SHARE)] = state
        return self._stretched(np.asarray(grey, np.float32)), states

    def _stretched(self, grey: Levels) -> Levels:
        levels = self._levels[self._seen > 0]
        if not levels.size:
            return np.zeros_like(grey)
        low, high = np.percentile(levels, [_DARKEST, _BRIGHTEST])
        span = max(float(high - low), _FEWEST_LEVELS)
        return np.asarray(np.clip((grey - low) / span, 0.0, 1.0), dtype=np.float32)

    def _placed(self, meta: FrameMeta) -> tuple[tuple[slice, slice], FloatArray]:
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

    def _outline(self) -> FloatArray:
        """A frame's corners: (1, 4, 2) pixels."""
        rows, columns = self._scan.frame_shape
        return rectangle(0, 0, columns, rows)[None]

    def _positive_windows(self, result: FrameResult) -> FloatArray:
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

    def _shrunk(self, thumbnail: npt.NDArray[np.generic]) -> Levels:
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
        shape: tuple[int, ...], placement: FloatArray, polygons: FloatArray
    ) -> npt.NDArray[np.uint8]:
        """1 within polygons (N, 4, 2) of a frame's pixels, in a block of the raster."""
        mask = np.zeros(shape, np.uint8)
        for polygon in _fixed(polygons, placement):
            cv2.fillConvexPoly(mask, polygon, 1, cv2.LINE_8, _FRACTION_BITS)
        return mask

    @staticmethod
    def _drawn(
        shape: tuple[int, ...], placement: FloatArray, lines: Centrelines
    ) -> npt.NDArray[np.uint8]:
        """1 along centre lines, in a block of the raster."""
        mask = np.zeros(shape, np.uint8)
        points = _fixed(np.asarray(lines.points, dtype=np.float64), placement)
        ends = np.cumsum(lines.counts)
        for line in np.split(points, ends[:-1]) if len(ends) else ():
            cv2.polylines(mask, [line], isClosed=False, color=1, shift=_FRACTION_BITS)
        return mask


def _fixed(points_px: FloatArray, placement: FloatArray) -> npt.NDArray[np.int32]:
    """A frame's pixels (..., 2) in those of a block of the raster, as OpenCV draws them."""
    points = points_px @ placement[:, :2].T + placement[:, 2] - 0.5
    fixed: npt.NDArray[np.int32] = np.rint(points * 2**_FRACTION_BITS).astype(np.int32)
    return fixed
