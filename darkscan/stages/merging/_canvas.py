"""Draws on pictures: lines and dots of defects, tints, text, scale bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.defect_map import Defect, Point
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.frame_results import DefectKind
from darkscan.stages.merging._mosaic import View
from darkscan.stages.merging.style import KIND_COLOURS, bgr

Colour = npt.NDArray[np.uint8]
"""(height, width, 3), in the order of OpenCV: blue, green, red."""

Shade = tuple[int, int, int]
BLACK, WHITE, GROUND = (0, 0, 0), (255, 255, 255), (24, 24, 24)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22  # the font's height at size 1
_SHIFT = 4
"""Fraction bits of the points that OpenCV draws through."""


def coloured(grey: npt.NDArray[np.uint8]) -> Colour:
    """Grey levels (height, width) to draw on in colours."""
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)


def as_png(canvas: Colour, name: str) -> bytes:
    """A PNG file. Raises StorageError naming the file if it cannot be encoded."""
    done, png = cv2.imencode(".png", canvas)
    if not done:
        raise StorageError(name, "the picture could not be encoded")
    return png.tobytes()


def draw_line(
    canvas: Colour, line: Sequence[Point], kind: DefectKind, view: View, thickness: int
) -> None:
    """A centre line (mm) with a dark rim that keeps it seen on any ground; dashed for fibres."""
    points = view.to_pixels(line)
    parts = dashes(points, 6 * thickness, 4 * thickness) if kind == "fibre" else [points]
    for shade, width in ((BLACK, thickness + 2), (bgr(KIND_COLOURS[kind]), thickness)):
        fixed = [_fixed(part) for part in parts]
        cv2.polylines(canvas, fixed, False, shade, width, cv2.LINE_AA, _SHIFT)  # noqa: FBT003


def dashes(points: Float64Array, on: float, off: float) -> list[Float64Array]:
    """The stretches of a polyline (K, 2) that are drawn: ``on`` long, ``off`` apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    parts = []
    for first in np.arange(0.0, along[-1], on + off).tolist():
        last = min(first + on, along[-1])
        corners = along[(along > first) & (along < last)]
        at = np.concatenate([[first], corners, [last]])
        parts.append(np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1))
    return parts


def draw_spot(canvas: Colour, place: Point, kind: DefectKind, view: View, thickness: int) -> None:
    """A ring around a dig's place (mm), a square around a grain's: what they hold stays seen."""
    x, y = view.to_pixels(place).tolist()
    radius = 3.5 * thickness
    for shade, width in ((BLACK, thickness + 2), (bgr(KIND_COLOURS[kind]), thickness)):
        if kind == "dig":
            centre, size = _fixed(np.array([x, y])).tolist(), round(radius * 2**_SHIFT)
            cv2.circle(canvas, centre, size, shade, width, cv2.LINE_AA, _SHIFT)
        else:
            corners = np.array([[x - radius, y - radius], [x + radius, y + radius]])
            low, high = _fixed(corners).tolist()
            cv2.rectangle(canvas, low, high, shade, width, cv2.LINE_AA, _SHIFT)


def draw_outline(canvas: Colour, defect: Defect, view: View, thickness: int) -> None:
    """The thin polygon around a defect, in its kind's colour."""
    ring = _fixed(view.to_pixels(defect.outline))
    colour = bgr(KIND_COLOURS[defect.kind])
    cv2.polylines(canvas, [ring], True, colour, thickness, cv2.LINE_AA, _SHIFT)  # noqa: FBT003


def _fixed(points: Float64Array) -> npt.NDArray[np.int32]:
    """Points (..., 2) of a picture, from its outer corner, as OpenCV draws through them."""
    fixed: npt.NDArray[np.int32] = np.rint((points - 0.5) * 2**_SHIFT).astype(np.int32)
    return fixed


@dataclass(frozen=True)
class Area:
    """The pixels of a picture within closed rings."""

    block: tuple[slice, slice]
    inside: Mask
    """(rows, columns) of the block."""

    border: Mask
    """(rows, columns), one or two pixels wide."""


def area_of(canvas: Colour, contour: Sequence[Sequence[Point]], view: View, thickness: int) -> Area:
    """The pixels within a contour (mm), and those on its border."""
    height, width = canvas.shape[:2]
    rings = [view.to_pixels(ring) for ring in contour]
    corners = np.concatenate(rings)
    low, high = np.floor(corners.min(axis=0)) - thickness, np.ceil(corners.max(axis=0)) + thickness
    left, top = np.clip(low, 0, (width, height)).astype(int).tolist()
    right, bottom = np.clip(high + 1, 0, (width, height)).astype(int).tolist()
    fixed = [_fixed(ring - (left, top)) for ring in rings]
    inside, border = (np.zeros((bottom - top, right - left), np.uint8) for _ in range(2))
    cv2.fillPoly(inside, fixed, 1, cv2.LINE_8, _SHIFT)
    cv2.polylines(border, fixed, True, 1, thickness, cv2.LINE_8, _SHIFT)  # noqa: FBT003
    block = (slice(top, bottom), slice(left, right))
    return Area(block, inside.astype(np.bool_), border.astype(np.bool_))


def tint(
    canvas: Colour, block: tuple[slice, slice], mask: Mask, colour: Shade, share: float
) -> None:
    """Mixes a share of a colour into the pixels of a block that are set in ``mask``."""
    part = canvas[block]
    mixed = cv2.addWeighted(part, 1 - share, np.full_like(part, colour), share, 0)
    np.copyto(part, mixed, where=mask[:, :, None], casting="unsafe")


def scale_bar(length: int, height: int) -> Callable[[Colour, int, int], None]:
    """What draws a bar of a length and height, its left end at x, its middle at y."""

    def draw(canvas: Colour, x: int, y: int) -> None:
        top = y - height // 2
        cv2.rectangle(canvas, (x, top), (x + length - 1, top + height - 1), WHITE, cv2.FILLED)

    return draw


@dataclass(frozen=True)
class Writer:
    """Writes text of one height."""

    height: int
    """Pixels."""

    @property
    def size(self) -> float:
        """OpenCV's size of the font."""
        return self.height / _FONT_PX

    @property
    def thickness(self) -> int:
        """Of the strokes, pixels."""
        return max(1, round(self.size * 1.4))

    def width(self, text: str) -> int:
        """How many pixels a text takes."""
        return int(cv2.getTextSize(text, _FONT, self.size, self.thickness)[0][0])

    def write(
        self, canvas: Colour, text: str, place: tuple[float, float], colour: Shade = WHITE
    ) -> None:
        """Writes with the lower left corner of the letters at a place (x, y), with a dark rim."""
        edge = self.height
        size = (3 * self.height, self.width(text) + 2 * edge)
        ink = np.zeros(size, np.uint8)
        corner = (edge, 2 * self.height)
        cv2.putText(ink, text, corner, _FONT, self.size, 255, self.thickness, cv2.LINE_AA)
        rim = cv2.dilate(ink, np.ones((3, 3), np.uint8))
        left, top = round(place[0]) - corner[0], round(place[1]) - corner[1]
        inner = (
            slice(max(0, -top), canvas.shape[0] - top),
            slice(max(0, -left), canvas.shape[1] - left),
        )
        outer = canvas[max(0, top) : top + size[0], max(0, left) : left + size[1]]
        for mask, shade in ((rim[inner], BLACK), (ink[inner], colour)):
            share = mask[:, :, None].astype(np.float32) / 255
            outer[...] = np.rint(outer + share * (np.array(shade, np.float32) - outer))


def plain(text: str) -> str:
    """A text in the letters that OpenCV's fonts have."""
    known = text.replace("\N{MICRO SIGN}", "u").replace("\N{SUPERSCRIPT TWO}", "2")
    known = known.replace("\N{PLUS-MINUS SIGN}", "+-")
    return known.encode("ascii", "replace").decode()
