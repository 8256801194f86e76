"""Scores windows, frames and images with a model file, for the commands that need scores."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Inspection

if TYPE_CHECKING:
    from darkscan.drivers.images import Mosaic
    from darkscan.inference import Seen

_BATCH = 32
_DENSE_SIDE = 15  # windows: those of a side of 2048 px


class ModelScorer:
    """Scores windows with a model file, on the CPU and without torch."""

    def __init__(self, file: Path, *, threads: int) -> None:
        """Loads the model. Raises InputError if it is none, or none for our windows."""
        from darkscan.inference import OnnxRuntimeBackend, read_conventions

        conventions = read_conventions(file)
        self.info = conventions.fit(Inspection(), file=file)
        self.dense = conventions.form == "dense"
        self._backend = OnnxRuntimeBackend(file, threads=threads, batch=_BATCH)

    def frame(
        self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float
    ) -> npt.NDArray[np.float32]:
        """Probabilities (N,) of the windows of a frame (H, W) whose first pixels are given.

        Windows that overlap know of each other, as in a scan.
        """
        from darkscan.inference import scores_in_context

        seen = self.alone(pixels, origins, full_scale)
        return scores_in_context(seen, origins, self.info.window)

    def alone(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> "Seen":
        """What the model sees in each of the windows by itself."""
        from darkscan.inference import FrameWindows, see

        windows = FrameWindows.adjusted(pixels, origins, self.info.window)
        return see(self._backend, windows, round(full_scale))

    def __call__(self, windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
        """Probabilities (N,) of windows (N, side, side), each without what lies around it."""
        count, height, width = windows.shape
        if not count:
            return np.empty(0, np.float32)
        if self.dense:
            first = np.zeros((1, 2), np.int32)
            return np.concatenate([self.frame(window, first, full_scale) for window in windows])
        # One below the other they are a frame.
        origins = np.stack([np.arange(count) * height, np.zeros(count)], axis=1).astype(np.int32)
        return self.frame(windows.reshape(count * height, width), origins, full_scale)


def score_image(
    mosaic: "Mosaic",
    scorer: ModelScorer,
    full_scale: int,
    show: Callable[[int, int], None],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Origins (N, 2), y and x, and scores (N,) of all windows of an image.

    Row of windows by row of windows, or tile by tile no larger than a frame for a dense model,
    so that of a large image only a part is in the network's hands; then each window learns
    what those it overlaps saw. A side shorter than a window is padded by reflection at its end.
    ``show`` is told the rows that are done, and how many there are.
    """
    from darkscan.inference import Seen, scores_in_context

    height, width = mosaic.shape
    window, stride = scorer.info.window, scorer.info.stride
    padding = (max(0, window - height), max(0, window - width))
    origins = window_origins((height + padding[0], width + padding[1]), window, stride)
    rows, columns = np.unique(origins[:, 0]), np.unique(origins[:, 1])
    together = _DENSE_SIDE if scorer.dense else 1
    # Evenly: a dense model sees the more, the wider a tile is.
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
        show(first + len(some), len(rows))
    scores, lines = zip(*parts, strict=True)
    known = [part for part in lines if part is not None]
    in_order = np.argsort(np.concatenate(places))
    seen = Seen(
        np.concatenate(scores)[in_order], np.concatenate(known)[in_order] if known else None
    )
    return origins.astype(np.int64), scores_in_context(seen, origins, scorer.info.window)
