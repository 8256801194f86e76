"""Training windows by step: simulated, turned and mirrored, rendered beside the training.

Every batch depends on the options and its step alone, so a resumed training sees
exactly the windows that an uninterrupted one would have seen.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

Windows = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
BatchSource = Callable[[int, int, int, float], tuple[Windows, Labels]]
"""``(seed, index, size, contrast)`` to windows (size, 256, 256) and labels (size,).

A function of a module, and of its arguments alone: it is called in another process.
Contrast runs from 0, bright scratches among little clutter, to 1, as hard as they come.
"""

_PREFETCHED_BATCHES = 4


@dataclass(frozen=True)
class Curriculum:
    """Contrast by step: 0 at first, rising evenly to 1 within ``ramp`` steps."""

    ramp: int

    def contrast(self, step: int) -> float:
        """The contrast of the batch of ``step``, counted from 0."""
        return min(1.0, step / self.ramp) if self.ramp else 1.0


def turned(windows: Windows, rng: np.random.Generator) -> Windows:
    """Each window in one of its eight orientations, drawn from ``rng``."""
    turns = rng.integers(0, 8, len(windows))
    return np.stack(
        [
            np.rot90(window if turn < 4 else window.T, int(turn) % 4)  # noqa: PLR2004
            for window, turn in zip(windows, turns, strict=True)
        ]
    )


if TYPE_CHECKING:
    _Dataset = IterableDataset[tuple[Tensor, Tensor]]
else:
    _Dataset = IterableDataset


class Batches(_Dataset):
    """The batches of steps ``first`` to ``last`` - 1: uint8 windows, float32 labels."""

    def __init__(
        self,
        source: BatchSource,
        *,
        seed: int,
        size: int,
        curriculum: Curriculum,
        first: int,
        last: int,
    ) -> None:
        self.source = source
        self.seed = seed
        self.size = size
        self.curriculum = curriculum
        self.steps = range(first, last)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for step in self.steps:
            contrast = self.curriculum.contrast(step)
            windows, labels = self.source(self.seed, step, self.size, contrast)
            windows = turned(windows, np.random.default_rng((self.seed, step)))
            yield torch.from_numpy(windows), torch.from_numpy(labels.astype(np.float32))


def in_background(batches: Batches) -> DataLoader[tuple[Tensor, Tensor]]:
    """The same batches, rendered ahead in one process of their own."""
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=1,
        prefetch_factor=_PREFETCHED_BATCHES,
        multiprocessing_context="spawn",
    )


def validation_windows(source: BatchSource, seed: int, count: int) -> tuple[Windows, Labels]:
    """At least ``count`` windows and labels at contrast 1, always the same for a seed."""
    size = 64
    parts = [source(seed, index, size, 1.0) for index in range(-(-count // size))]
    return np.concatenate([w for w, _ in parts]), np.concatenate([y for _, y in parts])


def fingerprint(source: BatchSource, seed: int) -> str:
    """A SHA-256 that tells whether a source still renders the windows it did."""
    windows, labels = source(seed, 0, 32, 1.0)
    return hashlib.sha256(windows.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
