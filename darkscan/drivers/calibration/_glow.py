"""Tells the light that the element scatters from how the camera answers to it."""

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta

CELLS = 64
"""A frame is looked at in so many cells each way."""

_SMOOTH_ROUNDS, _FREE_ROUNDS = 200, 50
_DEGREE = 4
_ODD_SIGMAS = 4.0
_ODD_SHARE = 0.05
_NORMAL_MAD = 1.4826
_LEAST_SIGHTS = 3
_SETTLED = 1e-5
_UNLIT = 0.2


def mean_glow(
    cells: Float64Array,
    frames: list[FrameMeta],
    shape: tuple[int, int],
    pixel_to_stage: PixelToStage,
    *,
    line: bool,
) -> Float64Array:
    """The element's light in the mean of frames that were each brought to the same level.

    ``cells`` (N, h, w) are the mean light of parts of frames of ``shape``, ``frames`` say where
    they lie. A place that several parts of the sensor see tells how these differ, so element
    and camera come apart as in the dithered flat fields of astronomy. Where most places are
    seen fewer than three times the element is taken for even, as in a plain mean. Returns
    (h, w), or (1, w) for a line camera, about 1.
    """
    lit = (cells > _UNLIT * np.median(cells)) & _even(cells)
    over = (0, 1) if line else 0
    seen = lit.sum(axis=over, keepdims=True)[0]
    place = _places(frames, cells.shape, shape, pixel_to_stage)
    sights = np.bincount(place.ravel(), lit.ravel())
    if not lit.any() or np.median(sights[place[lit]]) < _LEAST_SIGHTS:
        return np.ones(seen.shape)
    element, camera = _come_apart(np.log(np.where(lit, cells, 1.0)), lit, place, over)
    glow = np.where(lit, np.exp(element), 0.0)
    level = (glow * np.exp(camera)).sum(axis=(1, 2), keepdims=True)
    glow *= lit.sum(axis=(1, 2), keepdims=True) / np.maximum(level, np.finfo(float).tiny)
    mean = glow.sum(axis=over, keepdims=True)[0] / np.maximum(seen, 1)
    even: Float64Array = np.where(seen > 0, mean / mean[seen > 0].mean(), 1.0)
    return even


def _come_apart(
    log: Float64Array,
    lit: npt.NDArray[np.bool_],
    place: npt.NDArray[np.int64],
    over: int | tuple[int, int],
) -> tuple[Float64Array, Float64Array]:
    """The element's part (N, h, w) and the camera's (1, h or 1, w) of the light's logarithm.

    Their sum is ``log`` wherever it is ``lit``, as nearly as can be; found by turns.
    """
    sights = np.maximum(np.bincount(place.ravel(), lit.ravel()), 1)
    seen = np.maximum(lit.sum(axis=over, keepdims=True), 1)
    smooth = _smooth_patterns(seen.shape[1:])

    def mean_over_frames(values: Float64Array) -> Float64Array:
        return np.asarray(np.where(lit, values, 0.0).sum(axis=over, keepdims=True) / seen)

    def smoothed(pattern: Float64Array) -> Float64Array:
        return np.asarray((smooth @ (smooth.T @ pattern.ravel())).reshape(pattern.shape))

    counts = np.maximum(lit.sum(axis=(1, 2), keepdims=True), 1)
    levels = np.where(lit, log, 0.0).sum(axis=(1, 2), keepdims=True) / counts
    camera = smoothed(mean_over_frames(log - levels))
    element = np.zeros_like(log)
    # At first only what is smooth over the frame is the camera's: frames at regular steps do
    # not tell patterns that repeat with the steps from the element's.
    for free, rounds in ((False, _SMOOTH_ROUNDS), (True, _FREE_ROUNDS)):
        for _ in range(rounds):
            off = np.where(lit, log - camera, 0.0)
            element = (np.bincount(place.ravel(), off.ravel()) / sights)[place]
            rest = mean_over_frames(log - element)
            rest = rest if free else smoothed(rest)
            before, camera = camera, rest - rest.mean()
            if np.abs(camera - before).max() < _SETTLED:
                break
    return element, camera


def _even(cells: Float64Array) -> npt.NDArray[np.bool_]:
    """Cells without bright features, whose light no one cell on the element holds, (N, h, w)."""
    even = np.empty(cells.shape, dtype=bool)
    for frame, values in zip(even, cells.astype(np.float32), strict=True):
        around = cv2.medianBlur(values, 5)
        off = np.abs(values - around)
        noise = _ODD_SIGMAS * _NORMAL_MAD * np.median(off)
        odd = off > np.maximum(noise, _ODD_SHARE * around)
        frame[...] = cv2.dilate(odd.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    return even


def _smooth_patterns(shape: tuple[int, ...]) -> Float64Array:
    """Polynomials over cells (h, w) as orthonormal columns (h * w, patterns)."""
    rows, columns = shape
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else [0.0] for n in shape), indexing="ij")
    degrees = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
    terms = [x**i * y**j for i, j in degrees if rows > 1 or j == 0]
    orthonormal: Float64Array = np.linalg.qr(np.stack(terms, axis=-1).reshape(rows * columns, -1))[
        0
    ]
    return orthonormal


def _places(
    frames: list[FrameMeta],
    cells: tuple[int, ...],
    shape: tuple[int, int],
    pixel_to_stage: PixelToStage,
) -> npt.NDArray[np.int64]:
    """The number of the place on the element that each cell shows, (N, h, w)."""
    _, rows, columns = cells
    step = np.array([shape[1] / columns, shape[0] / rows])
    y, x = np.mgrid[:rows, :columns] + 0.5
    middle = pixel_to_stage.place(np.stack([x, y], axis=-1) * step, (0.0, 0.0))
    corners = np.array([meta.position_mm[:2] for meta in frames])
    size_mm = np.abs(pixel_to_stage.matrix * step).max(axis=1)
    index = np.floor((corners[:, None, None] + middle) / size_mm).astype(np.int64)
    index -= index.min(axis=(0, 1, 2))
    width = int(index[..., 0].max()) + 1
    _, number = np.unique(index[..., 1] * width + index[..., 0], return_inverse=True)
    return number.reshape(cells).astype(np.int64)
