"""Digs and large grains: where the model sees them, measured by their pixels."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.centrelines._cell_kinds import CellKinds
from darkscan.pipeline.core.arrays import Float32Array, Mask, Pixels
from darkscan.pipeline.core.frame_results import (
    DEFECT_KINDS,
    KINDS,
    DefectKind,
    SpotMeasures,
    Spots,
    how_many_fit,
)

_AROUND_CELLS = 2  # around the cells of a spot: its flanks, and background
_LEAST_SIGMAS = 6.0  # the least peak: noise alone reaches it once in a hundred frames of 4 MPx
_LEAST_NOISE = 0.3  # grey levels: that of rounding
_LARGE_PX = 8.0  # smaller grains are no defects, but dirt
_FILLED = 0.25  # of the brightest pixel of a cell, in the mean of cells that a large grain fills
_LEAST_PX = 2.0  # the least side of a dig
_SOUGHT: tuple[DefectKind, ...] = ("dig", "dust")
_WHITE = 0.98  # of full scale


def find_spots(frame: Pixels, full_scale: float, kinds: CellKinds) -> Spots:
    """The digs and large grains of a frame (H, W), each where cells of its kind touch.

    full_scale: the camera's largest grey level. A spot is what lies above half of its peak
    over the median around it; its contour runs along the outer borders of those pixels. A dirty
    frame has thousands of small grains: only cells that light fills are looked at for large ones.
    """
    found: list[tuple[float, npt.NDArray[np.float64], SpotMeasures, int]] = []
    for kind in _SOUGHT:
        cells = kinds.where(kind).view(np.uint8)
        if kind == "dust" and cells.any():
            cells &= _filled(frame, kinds.cell, kinds.codes.shape)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
        for label in range(1, count):
            left, top, width, height, _ = (int(value) for value in stats[label])
            block = labels[top : top + height, left : left + width] == label
            sure = float(kinds.probability[top : top + height, left : left + width][block].mean())
            least = _LARGE_PX if kind == "dust" else _LEAST_PX
            spot = _spot(frame, full_scale, (top, left), block, kinds.cell, least)
            if spot is not None and min(cv2.minAreaRect(spot[0].astype(np.float32))[1]) >= least:
                found.append((sure, *spot, DEFECT_KINDS.index(kind)))
    return _packed(found)


def _filled(frame: Pixels, cell: int, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """1 in the cells (h, w) whose mean is high for their brightest pixel: no small grain's is.

    Both are taken over the background, the median of the cells around. A grain of 8 px of full
    width at half maximum that lies on four cells has about 0.4 in each, one of 3 px 0.17 at most.
    """
    height, width = (side * cell for side in shape)
    below, right = height - frame.shape[0], width - frame.shape[1]
    whole = cv2.copyMakeBorder(frame, 0, below, 0, right, cv2.BORDER_REPLICATE)
    mean = cv2.resize(whole, (shape[1], shape[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
    square = np.ones((cell, cell), np.uint8)
    brightest = cv2.dilate(whole, square, anchor=(0, 0))[::cell, ::cell]
    level = cv2.medianBlur(mean, 5)
    return np.asarray(mean - level >= _FILLED * (brightest - level), np.uint8)


def _spot(
    frame: Pixels,
    full_scale: float,
    first: tuple[int, int],
    cells: Mask,
    cell: int,
    least: float,
) -> tuple[npt.NDArray[np.float64], SpotMeasures] | None:
    """Contour and measures of what shines in a block of cells; None if nothing does.

    None, too, if no rectangle around it can have two sides of ``least`` pixels.
    """
    margin = _AROUND_CELLS * cell
    top, left = (max(place * cell - margin, 0) for place in first)
    bottom, right = (
        (place + side) * cell + margin for place, side in zip(first, cells.shape, strict=True)
    )
    pixels = frame[top:bottom, left:right].astype(np.float32)
    own = _enlarged(cells, cell)
    inside = np.zeros(pixels.shape, np.bool_)
    y, x = first[0] * cell - top, first[1] * cell - left
    part = inside[y : y + own.shape[0], x : x + own.shape[1]]
    part[:] = own[: part.shape[0], : part.shape[1]]
    beside = pixels[~inside]
    if not beside.size or not part.size:
        return None
    level = float(np.median(beside))
    noise = max(float(np.median(np.abs(beside - level))) / 0.6745, _LEAST_NOISE)
    light: Float32Array = pixels - np.float32(level)
    place = np.unravel_index(int(np.where(inside, light, -np.inf).argmax()), light.shape)
    peak = float(light[place])
    if peak < _LEAST_SIGMAS * noise:
        return None
    bright = (light >= peak / 2).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    width, height = stats[labels[place], 2:4].tolist()
    if width * height < least**2:
        return None
    spot = labels == labels[place]
    measures = SpotMeasures(
        brightness=max(float(light[_grown(spot)].sum(dtype=np.float64)) / full_scale, 0.0),
        contrast=peak / noise,
        saturated=float((pixels[spot] >= _WHITE * full_scale).mean()),
    )
    return _contour(spot) + np.array([left, top]), measures


def _grown(spot: Mask) -> Mask:
    """The spot and its flanks: to about twice its radius, within which nearly all light lies."""
    reach = 1 + round(math.sqrt(np.count_nonzero(spot) / math.pi))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(spot.view(np.uint8), disc), np.bool_)


def _contour(spot: Mask) -> npt.NDArray[np.float64]:
    """The outline (K, 2) along the outer borders of a mask's pixels, as a clock's hand runs."""
    # findContours walks through the middles of pixels. With three of them for each, the ones
    # beside a border c are 3c - 1 and 3c: both round to c.
    tripled = _enlarged(np.pad(spot, 1), 3).view(np.uint8)
    contours, _ = cv2.findContours(tripled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = (max(contours, key=len)[::-1, 0] + 1) // 3 - 1
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    return np.asarray(corners, np.float64)


def _enlarged(mask: Mask, times: int) -> Mask:
    """Each of a mask's (H, W) places as so many squared."""
    return mask.repeat(times, axis=0).repeat(times, axis=1)


def _packed(
    found: list[tuple[float, npt.NDArray[np.float64], SpotMeasures, int]],
) -> Spots:
    found = sorted(found, key=lambda spot: (-spot[2].brightness, spot[1].tolist()))
    kept = found[: how_many_fit(len(contour) for _, contour, _, _ in found)]
    if not kept:
        return Spots.none()
    kinds = np.zeros((len(kept), KINDS), np.float32)
    for row, (sure, _, _, kind) in zip(kinds, kept, strict=True):
        row[kind] = round(sure, 3)
    return Spots(
        points=np.concatenate([contour for _, contour, _, _ in kept]).astype(np.float32),
        counts=np.array([len(contour) for _, contour, _, _ in kept], np.int32),
        measures=np.round(np.array([spot[2] for spot in kept]), 4).astype(np.float32),
        kinds=kinds,
        left_out=len(found) - len(kept),
    )
