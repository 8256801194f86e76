"""Scores windows, frames and whole images with a model file, on the CPU and without torch."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from darkscan.drivers.images import Mosaic
from darkscan.inference.backend import FrameWindows, Seen, see
from darkscan.inference.frame_windows import cut_out
from darkscan.inference.neighbour_scores import frame_scores
from darkscan.inference.onnx_runtime import OnnxRuntimeBackend, read_conventions
from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Inspection

_BATCH = 32
_DENSE_SIDE = 15  # windows along a tile's side: those of a side of 2048 px

OnProgress = Callable[[int, int], object]
"""Told how many rows of windows are done, and how many there are."""


class ModelScorer:
    """A model file on ONNX Runtime, for windows of the default recipe's size and stride."""

    def __init__(self, file: Path, *, threads: int, batch: int = _BATCH) -> None:
        """Loads the model. ``threads``: 0 is one for each core; ``batch``: windows at once.

        Raises InputError if the file is no model, or a model for other windows.
        """
        conventions = read_conventions(file)
        self.info = conventions.fit(Inspection(), file=file)
        self.dense = conventions.form == "dense"
        self._backend = OnnxRuntimeBackend(file, threads=threads, batch=batch)

    def frame(
        self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float
    ) -> Float32Array:
        """Probabilities (N,) of the windows of a frame (H, W) with first pixels (y, x).

        Windows that overlap know of each other, as in a scan.
        """
        seen = self.alone(pixels, origins, full_scale)
        return frame_scores(seen, origins, self.info)

    def alone(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> Seen:
        """Scores and lines of each of a frame's windows, without those of its neighbours."""
        windows = FrameWindows.adjusted(pixels, origins, self.info.window)
        return see(self._backend, windows, round(full_scale))

    def images(self, images: Pixels, full_scale: float) -> Float32Array:
        """Probabilities (N * K,) of all K windows of images (N, H, W), image by image.

        Each without its neighbours'.
        """
        origins = window_origins(images.shape[1:], self.info.window, self.info.stride)
        scores = [self.alone(image, origins, full_scale).scores for image in images]
        return np.concatenate([np.empty(0, np.float32), *scores])

    def __call__(self, windows: Pixels, full_scale: float) -> Float32Array:
        """Probabilities (N,) of windows (N, side, side), each without what lies around it."""
        if self.dense:
            return self.images(windows, full_scale)
        if not len(windows):
            return np.empty(0, np.float32)
        return see(self._backend, cut_out(windows), round(full_scale)).scores


def score_image(
    mosaic: Mosaic, scorer: ModelScorer, full_scale: int, on_progress: OnProgress
) -> tuple[npt.NDArray[np.int64], Float32Array]:
    """Origins (N, 2), y and x, and scores (N,) of all windows of an image.

    The image passes the network row of windows by row of windows, or, for a dense model, in
    tiles no larger than a frame, so that memory holds only a part of a large image; then each
    window learns what the windows that it overlaps saw. A side shorter than a window is padded
    by reflection at its end.
    """
    height, width = mosaic.shape
    window, stride = scorer.info.window, scorer.info.stride
    padding = (max(0, window - height), max(0, window - width))
    origins = window_origins((height + padding[0], width + padding[1]), window, stride)
    rows, columns = np.unique(origins[:, 0]), np.unique(origins[:, 1])
    together = _DENSE_SIDE if scorer.dense else 1
    # Of equal width, as nearly as can be: a dense model sees the more, the wider a tile is.
    tiles = np.array_split(columns, -(-len(columns) // _DENSE_SIDE) if scorer.dense else 1)
    parts, places = [], []
    for first in range(0, len(rows), together):
        some = rows[first : first + together]
        in_rows = np.isin(origins[:, 0], some)
        for across in tiles:
            (chosen,) = np.nonzero(in_rows & np.isin(origins[:, 1], across))
            (y, x), (bottom, right) = origins[chosen[0]], origins[chosen[-1]] + window
            shape = (min(bottom, height) - y, min(right, width) - x)
            tile: Pixels = np.empty(shape, np.dtype(mosaic.pixel_type))
            mosaic.read_into(int(y), int(x), tile)
            missing = ((0, padding[0]), (0, padding[1]))
            padded = cast("Pixels", np.pad(tile, missing, mode="reflect"))
            within = origins[chosen] - origins[chosen[0]]
            parts.append(scorer.alone(padded, within, full_scale))
            places.append(chosen)
        on_progress(first + len(some), len(rows))
    seen = _in_order(parts, np.argsort(np.concatenate(places)))
    return origins.astype(np.int64), frame_scores(seen, origins, scorer.info)


def _in_order(parts: list[Seen], order: npt.NDArray[np.intp]) -> Seen:
    """Parts of an image's windows as one, in the order given."""
    names = Seen._fields
    columns = {
        name: np.concatenate(column)
        for name, column in zip(names, zip(*parts, strict=True), strict=True)
        if column[0] is not None
    }
    return Seen.of(columns).part(order)
