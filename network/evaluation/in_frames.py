"""Scores a data set's windows where they lie: in their whole frames, as an inspection does.

A dense model, and a window that knows its neighbours, see more than the window itself; what
they are worth shows only in the image that the window was cut from.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from darkscan.drivers.images import read_picture
from darkscan.network.datasets.images import grey_levels
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.network.datasets.simulated import SimulatedImage
from darkscan.network.evaluation.windows import Progress, Scored, WindowSet, known_of
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.grid import window_origins

_STRIDE_PX = 128


class FrameScorer(Protocol):
    """Whatever gives the windows of a frame their scores."""

    def frame(
        self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float
    ) -> npt.NDArray[np.float32]:
        """Probabilities of scratch (N,) of windows (N, 2) of a frame (H, W)."""


@dataclass(frozen=True)
class Frames:
    """The images that windows were cut from: simulated anew, or read from a folder.

    ``full_scale`` is the highest grey level of their camera, as their data set has it; ``hdu``
    chooses among the images of a FITS file.
    """

    full_scale: float
    folder: Path | None = None
    hdu: str | None = None

    def pixels(self, source: str) -> Pixels:
        """The image of that name. Raises InputError if it cannot be had."""
        simulated = SimulatedImage.named(source, int(self.full_scale).bit_length())
        if simulated is not None:
            return simulated.load().pixels
        if self.folder is None:
            raise InputError("is needed: the folder of the images", field="--images")
        path = self.folder / source
        return grey_levels(read_picture(path, hdu=self.hdu), path)


def score_in_frames(
    windows: WindowSet, scorer: FrameScorer, frames: Frames, *, show: Progress | None = None
) -> Scored:
    """Scores the windows of a split in their frames, with all other windows of the grid.

    Windows that do not lie on the grid that an inspection looks at are left out: no
    inspection asks for them. Raises InputError if a class has none that do, a score is no
    number, or an image cannot be had or is not the one that the windows were cut from.
    """
    scores = np.zeros(len(windows))
    on_grid = np.zeros(len(windows), np.bool_)
    done = 0
    for source in dict.fromkeys(windows.source.tolist()):
        rows = np.flatnonzero(windows.source == source)
        pixels = frames.pixels(source)
        _require_same(windows, int(rows[0]), pixels)
        grid = window_origins((pixels.shape[0], pixels.shape[1]), WINDOW_PX, _STRIDE_PX)
        found = scorer.frame(pixels, grid, windows.full_scale)
        at = dict(zip(map(tuple, grid.tolist()), found.tolist(), strict=True))
        places = [(y, x) for y, x in windows.origin[rows].tolist()]
        on_grid[rows] = [place in at for place in places]
        scores[rows] = [at.get(place, 0.0) for place in places]
        done += len(rows)
        if show is not None:
            show(done, len(windows))
    scored = known_of(windows, scores).of(on_grid)
    if scored.labels.all() or not scored.labels.any():
        problem = (
            "too few windows lie on the grid of an inspection: build the data set with "
            "--scratch-shares 0:1:0 --background-shares 0:1:0"
        )
        raise InputError(problem, field="--in-frames")
    return scored


def _require_same(windows: WindowSet, row: int, pixels: Pixels) -> None:
    y, x = windows.origin[row]
    cut = pixels[y : y + WINDOW_PX, x : x + WINDOW_PX]
    if not np.array_equal(cut, windows.images(np.array([row]))[0]):
        problem = f"{windows.source[row]} is not the image that the windows were cut from"
        if SimulatedImage.named(str(windows.source[row])) is not None:
            problem += ": another version's, or older and not of 2048 px; build the data set anew"
        raise InputError(problem, field="data")
