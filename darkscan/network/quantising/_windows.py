"""The windows that a model is calibrated or judged on, and what they are, in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.element.crops import training_crops
from darkscan.simulation.element.windows import training_batch

WINDOW_PX, STRIDE_PX = 256, 128
BATCH = 16

Tick = Callable[[int], object]
"""Told how many more windows are done."""


def silent(_: int) -> None:
    """Shows nobody how far it is."""


@dataclass(frozen=True)
class StatedWindows:
    """Windows with labels, and all that is needed to have them again."""

    windows: Pixels
    """(N, 256, 256) uint8 or uint16; for dense models images (N, H, W) of several windows."""
    labels: npt.NDArray[np.int8]
    """(N,), 1 for a scratch, 0 for none, -1 for neither; of images those of all their windows."""
    full_scale: float
    seed: int
    description: str
    unit: str = "windows"
    """The unit that is counted, in words."""

    def __len__(self) -> int:
        return len(self.windows)

    def parts(self, size: int) -> Iterator[Pixels]:
        """The windows or images in their order, ``size`` at a time, in the end those left."""
        for first in range(0, len(self.windows), size):
            yield self.windows[first : first + size]

    @property
    def judging(self) -> npt.NDArray[np.bool_]:
        """(N,) whether each label is 0 or 1."""
        return np.asarray(self.labels >= 0)


def simulated_images(count: int, *, seed: int, tick: Tick = silent) -> StatedWindows:
    """``count`` simulated images of nine windows, for dense models."""
    images, labels = [], []
    for index, first in enumerate(range(0, count, BATCH)):
        size = min(BATCH, count - first)
        drawn = training_crops(seed, index, size)
        images.append(drawn.images)
        labels.append(drawn.labels.ravel())
        tick(size)
    return StatedWindows(
        windows=np.concatenate(images),
        labels=_judged(np.concatenate(labels)),
        full_scale=255.0,
        seed=seed,
        description="simulated images of nine windows, preset mixed, contrast 1",
        unit="images",
    )


def simulated_windows(count: int, *, seed: int, tick: Tick = silent) -> StatedWindows:
    """``count`` simulated windows at full difficulty; grazed ones judge nothing."""
    images, labels = [], []
    for index, first in enumerate(range(0, count, BATCH)):
        size = min(BATCH, count - first)
        batch = training_batch(seed, index, size)
        images.append(batch.images)
        labels.append(batch.labels)
        tick(size)
    return StatedWindows(
        windows=np.concatenate(images),
        labels=_judged(np.concatenate(labels)),
        full_scale=255.0,
        seed=seed,
        description="simulated windows, preset mixed, contrast 1",
    )


def _judged(labels: Float32Array) -> npt.NDArray[np.int8]:
    """Labels of training as 1 for a scratch, 0 for background, -1 for what lies between."""
    return np.select([labels == 0, labels == 1], [0, 1], -1).astype(np.int8)


def data_set_windows(
    file: Path, split: str, count: int, *, seed: int, tick: Tick = silent
) -> StatedWindows:
    """At most ``count`` windows of a split of a data set, drawn without repetition.

    Raises InputError if the file is no data set, or the split lacks a class.
    """
    from darkscan.network.datasets import Dataset

    data = Dataset.open(file)
    stored = data.split(split)
    chosen = np.arange(len(stored))
    if count < len(stored):
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, count, replace=False))
    labels = np.asarray(stored.labels)[chosen].astype(np.int8)
    if not len(chosen) or labels.min() == labels.max():
        raise InputError("needs windows with a scratch and without", file=file, field=split)
    images = stored.images(chosen)
    tick(count)
    return StatedWindows(
        windows=images,
        labels=labels,
        full_scale=float(stored.full_scale),
        seed=seed,
        description=f"split {split} of the data set {data.hash}",
    )
