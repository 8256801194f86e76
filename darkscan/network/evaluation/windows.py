"""The data set that an evaluation needs, and the scored windows that it works on."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask, Pixels, TextArray
from darkscan.pipeline.core.errors import InputError

Progress = Callable[[int, int], None]
"""Told how many windows are done, and how many there are."""


class WindowSet(Protocol):
    """The windows of one split; columns have one entry a window."""

    def __len__(self) -> int: ...

    def images(self, indices: npt.NDArray[np.int64]) -> Pixels:
        """The windows (n, 256, 256), uint8 or uint16, at places (n,) of the split."""

    @property
    def full_scale(self) -> float:
        """The largest grey level that the camera could give."""

    @property
    def labels(self) -> npt.NDArray[Any]:
        """(N,) 1 scratch, 0 background."""

    @property
    def source(self) -> npt.NDArray[Any]:
        """(N,) str, the image that each window was cut from; empty if unknown."""

    @property
    def origin(self) -> npt.NDArray[Any]:
        """(N, 2) each window's first pixel in its image, y and x."""

    @property
    def kind(self) -> npt.NDArray[Any]:
        """(N,) str, of the scratch, or the rarest distractor; empty if unknown."""

    @property
    def cnr(self) -> npt.NDArray[Any]:
        """(N,) contrast to noise of the scratch; NaN if unknown."""

    @property
    def length_px(self) -> npt.NDArray[Any]:
        """(N,) visible length of the scratch, px; NaN if unknown."""

    @property
    def snr(self) -> npt.NDArray[Any]:
        """(N,) matched-filter signal-to-noise of the true trace; NaN if unknown."""


class DataSet(Protocol):
    """Windows in splits that share no source image."""

    @property
    def hash(self) -> str:
        """Names the data by their content."""

    @property
    def splits(self) -> Container[str]:
        """The names of the splits that there are."""

    def split(self, name: str) -> WindowSet:
        """The windows of a split."""


class Scorer(Protocol):
    """Whatever gives windows their scores: a model file, or a network."""

    def __call__(self, windows: Pixels, full_scale: float, /) -> npt.NDArray[Any]:
        """Probabilities of scratch (n,) of windows (n, 256, 256)."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Windows without their pixels: the score and the known facts of each; all (N,)."""

    scores: Float64Array
    labels: Mask
    source: TextArray
    kind: TextArray
    cnr: Float64Array
    length_px: Float64Array
    snr: Float64Array

    def __len__(self) -> int:
        return len(self.scores)

    def of(self, chosen: Mask) -> "Scored":
        """The windows for which ``chosen`` (N,) holds."""
        return Scored(**{name: column[chosen] for name, column in vars(self).items()})

    def below(self, snr_limit: float | None) -> Mask:
        """(N,) whether a window shows a scratch under the limit.

        Scratches of unknown signal-to-noise are not.
        """
        if snr_limit is None:
            return np.zeros(len(self), np.bool_)
        return np.asarray(self.labels & (self.snr < snr_limit))


def score_split(
    data: DataSet, split: str, scorer: Scorer, *, batch: int = 64, show: Progress | None = None
) -> Scored:
    """Scores all windows of a split, ``batch`` at a time.

    Raises InputError if there is no such split, a class is absent from it, or a score is
    no number.
    """
    windows = windows_of(data, split)
    count = len(windows)
    parts = []
    for first in range(0, count, batch):
        last = min(first + batch, count)
        parts.append(scorer(windows.images(np.arange(first, last)), windows.full_scale))
        if show is not None:
            show(last, count)
    return known_of(windows, np.concatenate(parts).astype(np.float64))


def known_of(windows: WindowSet, scores: Float64Array) -> Scored:
    """Scores (N,) with the facts of their windows.

    Raises InputError if a score is no number.
    """
    count = len(windows)
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise InputError(f"gives {bad} of {count} windows a score that is no number", field="model")
    return Scored(
        scores=scores,
        labels=np.asarray(windows.labels) > 0,
        source=np.asarray(windows.source, dtype=np.str_),
        kind=np.asarray(windows.kind, dtype=np.str_),
        cnr=np.asarray(windows.cnr, dtype=np.float64),
        length_px=np.asarray(windows.length_px, dtype=np.float64),
        snr=np.asarray(windows.snr, dtype=np.float64),
    )


def windows_of(data: DataSet, split: str) -> WindowSet:
    """A split with both classes in it. Raises InputError if it is not so."""
    if split not in data.splits:
        raise InputError("the data set has no such split", field=split)
    windows = data.split(split)
    positive = int((np.asarray(windows.labels) > 0).sum())
    for count, name in ((positive, "scratch"), (len(windows) - positive, "background")):
        if not count:
            raise InputError(f"the split has no {name} windows", field=split)
    return windows
