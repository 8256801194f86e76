"""The element's picture: its frames side by side, the map drawn over them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import DefectMap, Rings
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.frame_results import FrameResult, Inspected
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.core.thumbnail import thumbnail_scale
from darkscan.stages.merging.style import COLOURS, DEFECT_COLOUR, SCRATCH_COLOUR, bgr, scale_bar_mm

Colour = npt.NDArray[np.uint8]
"""(height, width, 3), in the order of OpenCV: blue, green, red."""

_DARKEST, _BRIGHTEST = 1.0, 99.8
"""Percentiles of the picture that become black and white."""
_SAMPLES = 1_000_000
_FEWEST_LEVELS = 8
"""Grey levels that black and white are apart at least: noise is not to look like structure."""
_TEXT_FROM_PX = 256
"""Pictures whose longer side is shorter hold no legible text."""
_MOST_IDS = 200
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)
_SHIFT = 4
"""Fraction bits of the points that OpenCV draws through."""


def to_png(inspected: Inspected, document: DefectMap, picture_px: int) -> bytes:
    """A PNG file: the element as the camera saw it, with contours and blind areas over it.

    One of its pixels is a whole number of the camera's; its longer side is at most
    ``picture_px``. Grey levels are stretched for the eye.
    """
    scan = inspected.scan
    mm_per_px = thumbnail_scale(scan, picture_px) * scan.pitch_um / 1000
    results = sorted(inspected.results, key=lambda result: result.meta.frame)
    image = cv2.cvtColor(_stretched(*_composed(scan, results, mm_per_px)), cv2.COLOR_GRAY2BGR)
    canvas = image.astype(np.uint8, copy=False)
    for area in document.coverage.not_inspected:
        _hatch(canvas, area.contour, bgr(COLOURS[area.kind]), mm_per_px)
    _outline_defects(canvas, document, mm_per_px)
    _draw_scratches(canvas, document, mm_per_px)
    _scale_bar(canvas, document.element.size_mm[0], mm_per_px)
    done, png = cv2.imencode(".png", canvas)
    if not done:
        raise StorageError("defect-map.png", "the picture could not be encoded")
    return png.tobytes()


def _composed(
    scan: ScanInfo, results: Sequence[FrameResult], mm_per_px: float
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The frames' thumbnails at their places (height, width), and which pixels they cover."""
    width, height = (max(1, int(np.ceil(mm / mm_per_px - 1e-6))) for mm in scan.element_size_mm)
    canvas = np.zeros((height, width), scan.dtype)
    covered = np.zeros((height, width), np.bool_)
    for result in results:
        thumbnail = np.ascontiguousarray(result.thumbnail)
        to_picture = _placement(scan, result, thumbnail.shape, mm_per_px)
        rows, columns = thumbnail.shape
        corners = rectangle(0, 0, columns, rows) @ to_picture[:, :2].T + to_picture[:, 2]
        left, top = np.clip(np.floor(corners.min(axis=0) + 1e-6), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(axis=0) - 1e-6), 0, (width, height)).astype(int)
        if left >= right or top >= bottom:
            continue
        # OpenCV counts from the middle of the first pixel, we from its corner.
        matrix = to_picture.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5 - (left, top)
        size = (int(right - left), int(bottom - top))
        values = cv2.warpAffine(
            thumbnail, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        whole = np.ones(thumbnail.shape, np.uint8)
        valid = cv2.warpAffine(whole, matrix, size, flags=cv2.INTER_NEAREST).astype(np.bool_)
        block = (slice(top, bottom), slice(left, right))
        canvas[block][valid] = values[valid]
        covered[block] |= valid
    return canvas, covered


def _placement(
    scan: ScanInfo, result: FrameResult, shape: tuple[int, ...], mm_per_px: float
) -> Float64Array:
    """(2, 3): from a thumbnail's pixels (x, y, 1) to the picture's, both from their corners."""
    frame_rows, frame_columns = scan.frame_shape
    pixels = np.array([frame_columns / shape[1], frame_rows / shape[0]])
    linear = scan.pixel_to_stage.matrix * pixels / mm_per_px
    offset = np.array(result.meta.position_mm[:2])[:, None] / mm_per_px
    return np.hstack([linear, offset])


def _stretched(canvas: npt.NDArray[Any], covered: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Grey levels between the percentiles of what frames cover, as 0 to 255."""
    levels = canvas[covered]
    if not levels.size:
        return np.zeros(canvas.shape, np.uint8)
    sample = levels[:: max(1, levels.size // _SAMPLES)]
    low, high = np.percentile(sample, [_DARKEST, _BRIGHTEST])
    gain = 255.0 / max(high - low, _FEWEST_LEVELS)
    grey: npt.NDArray[np.uint8] = np.zeros(canvas.shape, np.uint8)
    grey[covered] = np.clip((levels.astype(np.float32) - low) * gain, 0, 255)
    return grey


def _hatch(canvas: Colour, contour: Rings, colour: tuple[int, int, int], mm_per_px: float) -> None:
    """Tints an area and draws slanted lines over it."""
    height, width = canvas.shape[:2]
    points = [_pixels(ring, mm_per_px) for ring in contour]
    corners = np.concatenate(points) / 2**_SHIFT
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, (width, height)).astype(int)
    origin = (np.array([left, top]) * 2**_SHIFT).astype(np.int32)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [ring - origin for ring in points], 1, cv2.LINE_8, _SHIFT)
    step = max(6, max(canvas.shape) // 100)
    y, x = np.ogrid[top:bottom, left:right]
    stripes = (x.astype(np.uint16) + y.astype(np.uint16)) % step < max(1, step // 5)
    area = canvas[top:bottom, left:right]
    inside = mask.astype(np.bool_)
    tinted = cv2.addWeighted(area, 0.7, np.full_like(area, colour), 0.3, 0)
    np.copyto(area, tinted, where=inside[:, :, None], casting="unsafe")
    area[inside & stripes] = colour


def _outline_defects(canvas: Colour, document: DefectMap, mm_per_px: float) -> None:
    """Draws all contours, then the ids of the largest defects where they do not collide."""
    thickness, colour = max(1, round(max(canvas.shape) / 1200)), bgr(DEFECT_COLOUR)
    for defect in document.defects:
        points = [_pixels(ring, mm_per_px) for ring in defect.contour]
        cv2.polylines(
            canvas, points, isClosed=True, color=colour, thickness=thickness, shift=_SHIFT
        )
    if max(canvas.shape) < _TEXT_FROM_PX:
        return
    taken = np.zeros(canvas.shape[:2], np.bool_)
    largest = sorted(document.defects, key=lambda defect: (-defect.area_mm2, defect.id))
    for defect in largest[:_MOST_IDS]:
        x, y = (value / mm_per_px for value in defect.contour[0][0])
        text = _Text(canvas, defect.id, x, y - 2 * _text_px(canvas))
        if not taken[text.block].any():
            taken[text.block] = True
            text.write(canvas, colour)


def _draw_scratches(canvas: Colour, document: DefectMap, mm_per_px: float) -> None:
    """Draws the centre lines, one pixel wide: the scratch itself is no wider."""
    for defect in document.defects:
        points = [_pixels(scratch.centreline, mm_per_px) for scratch in defect.scratches]
        cv2.polylines(
            canvas, points, isClosed=False, color=bgr(SCRATCH_COLOUR), thickness=1, shift=_SHIFT
        )


def _scale_bar(canvas: Colour, width_mm: float, mm_per_px: float) -> None:
    """A bar of a round length in the lower left corner, on a dark ground."""
    height, width = canvas.shape[:2]
    if max(height, width) < _TEXT_FROM_PX:
        return
    length_mm = scale_bar_mm(width_mm)
    length, gap = round(length_mm / mm_per_px), max(4, height // 60)
    text_height = _text_px(canvas)
    top = height - 4 * gap - text_height
    cv2.rectangle(canvas, (gap, top), (3 * gap + length, height - gap), (0, 0, 0), cv2.FILLED)
    bar = (2 * gap, height - 2 * gap - max(2, gap // 3)), (2 * gap + length - 1, height - 2 * gap)
    cv2.rectangle(canvas, *bar, _WHITE, cv2.FILLED)
    _Text(canvas, f"{length_mm:g} mm", 2 * gap, top + gap / 2).write(canvas, _WHITE)


class _Text:
    """A line of text with its upper left corner at a place, moved to lie within a picture."""

    def __init__(self, canvas: Colour, text: str, left: float, top: float) -> None:
        self._text = text
        self._size = _text_px(canvas) / 22  # the font is 22 px high at size 1
        self._thickness = max(1, round(self._size * 1.5))
        (width, height), below = cv2.getTextSize(text, _FONT, self._size, self._thickness)
        x = max(0, min(round(left), canvas.shape[1] - width - 1))
        y = max(height, min(round(top) + height, canvas.shape[0] - below - 1))
        self._place = (x, y)
        self.block = (slice(y - height, y + below), slice(x, x + width))

    def write(self, canvas: Colour, colour: tuple[int, int, int]) -> None:
        """Writes it, with a dark rim that keeps it legible on any ground."""
        for shade, width in (((0, 0, 0), self._thickness + 2), (colour, self._thickness)):
            cv2.putText(
                canvas, self._text, self._place, _FONT, self._size, shade, width, cv2.LINE_AA
            )


def _text_px(canvas: Colour) -> int:
    """The height of a picture's text, pixels."""
    return int(max(10, max(canvas.shape) // 90))


def _pixels(ring: Sequence[tuple[float, float]], mm_per_px: float) -> npt.NDArray[np.int32]:
    """A ring (mm) in the picture's pixels, with the fraction bits that OpenCV takes."""
    points = np.array(ring) / mm_per_px - 0.5
    fixed: npt.NDArray[np.int32] = np.rint(points * 2**_SHIFT).astype(np.int32)
    return fixed
