"""Batches of training windows: drawn, augmented, and handed over as the network takes them.

Every window depends on the options, its step and its place in the batch alone, so a resumed
training sees exactly the windows that an uninterrupted one would have seen, and several
processes that share a batch see together what one alone would.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from darkscan.network.augmentation import (
    ORIENTATIONS,
    depth_of,
    relit,
    turned,
    turned_box,
    turned_directions,
)
from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.simulation.element.windows import TrainingBatch

BatchSource = Callable[[int, int, int, float], TrainingBatch]
"""``(seed, index, size, contrast)`` to ``size`` labelled windows of 8 bits.

A function of a module, and of its arguments alone: it is called in other processes.
Contrast runs from 0, bright scratches among little clutter, to 1, as hard as they come.
"""
_PREFETCHED_BATCHES = 4
_VALIDATION_BATCH = 64
_AUGMENTING = 7  # sets the generators of augmentation apart from those that draw windows


class Drawn(NamedTuple):
    """N windows, or images, of a source.

    The fields are those of the simulator's ``TrainingBatch``; ``kinds`` may be ``UNKNOWN``.
    """

    images: Pixels
    labels: Float32Array
    lines: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.uint8]
    directions: npt.NDArray[np.uint8]


class Source(Protocol):
    """A source of windows. It is sent to other processes: keep it small."""

    @property
    def full_scale(self) -> float:
        """The largest grey level that its windows can have."""

    @property
    def repeats(self) -> bool:
        """Whether its windows come again and again, and should not look the same each time."""

    @property
    def description(self) -> str:
        """The name of the source, in a few words."""

    def fingerprint(self, seed: int) -> str:
        """A SHA-256 that changes when the source gives other windows than before."""

    def draw(self, seed: int, step: int, size: int, share: range, contrast: float) -> Drawn:
        """The windows at the places ``share`` of the batch of ``size`` for ``step``."""

    def validation(self, seed: int, count: int) -> tuple[Pixels, Float32Array]:
        """About ``count`` windows and their labels, always the same, never trained on.

        Labels other than 0 and 1 are of windows that judge nothing. Of larger images, the
        labels are those of all their windows, in a row.
        """


@dataclass(frozen=True)
class Batch:
    """The windows and labels of one training step.

    ``windows`` (N, 256, 256) uint8, or int32 for deeper cameras, in grey levels of a camera
    that gives at most ``full_scale`` (N, 1, 1); ``labels`` (N,) from 0 for clean to 1 for
    scratched, of larger images (N, 512, 512) those (N, 3, 3) of their windows; ``lines``
    (N, 32, 32), or (N, 64, 64), 1 in cells of 8 px that a scratch crosses; ``boxes`` (N, 4)
    the x0, y0, x1, y1 in pixels around the scratch, zeros without one; ``kinds`` int64 the
    kind of each cell, or unknown, and ``directions`` float32 that of a scratch in it, degrees
    from x towards y, both like ``lines``.
    """

    windows: Tensor
    labels: Tensor
    lines: Tensor
    boxes: Tensor
    full_scale: Tensor
    kinds: Tensor
    directions: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """All fields in their order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; from pinned memory without waiting for it."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))

    def pin_memory(self) -> "Batch":
        """The same batch where a GPU can fetch it by itself."""
        return Batch(*(tensor.pin_memory() for tensor in self.tensors()))


@dataclass(frozen=True)
class Curriculum:
    """Contrast by step: 0 at first, rising evenly to 1 within ``ramp`` steps."""

    ramp: int

    def contrast(self, step: int) -> float:
        """The contrast of the batch of ``step``, counted from 0."""
        return min(1.0, step / self.ramp) if self.ramp else 1.0


def augmented(
    drawn: Drawn,
    rngs: Sequence[np.random.Generator],
    *,
    full_scale: float,
    repeated: bool,
) -> Batch:
    """Each window in one of its eight orientations, for a camera of some depth.

    One generator for each window. ``repeated`` windows, which come again every epoch, are
    relit too; the simulator draws light, gain and noise afresh by itself.
    """
    images, labels, lines, boxes, scales = [], [], [], [], []
    kinds, directions = [], []
    for image, label, cells, box, kind, direction, rng in zip(*drawn, rngs, strict=True):
        turn = int(rng.integers(ORIENTATIONS))
        scales.append(full_scale * depth_of(rng))
        images.append(turned(relit(image, full_scale, rng) if repeated else image, turn))
        labels.append(turned(label, turn) if label.ndim else label)
        lines.append(turned(cells, turn))
        boxes.append(turned_box(box, turn))
        kinds.append(turned(kind, turn))
        directions.append(turned_directions(direction, turn))
    windows = np.stack(images)
    if windows.dtype == np.uint16:
        windows = windows.astype(np.int32)  # torch computes with no uint16
    return Batch(
        windows=torch.from_numpy(windows),
        labels=torch.from_numpy(np.stack(labels).astype(np.float32)),
        lines=torch.from_numpy(np.stack(lines).astype(np.float32)),
        boxes=torch.from_numpy(np.stack(boxes).astype(np.float32)),
        full_scale=torch.tensor(scales, dtype=torch.float32)[:, None, None],
        kinds=torch.from_numpy(np.stack(kinds).astype(np.int64)),
        directions=torch.from_numpy(np.stack(directions).astype(np.float32)),
    )


if TYPE_CHECKING:
    _Batches = Dataset[Batch]
else:
    _Batches = Dataset


@dataclass(frozen=True)
class Batches(_Batches):
    """The batches of steps ``first`` to ``last`` - 1; of each, the windows of ``share``."""

    source: Source
    seed: int
    size: int
    curriculum: Curriculum
    first: int
    last: int
    share: range

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        step = self.first + index
        drawn = self.source.draw(
            self.seed, step, self.size, self.share, self.curriculum.contrast(step)
        )
        return augmented(
            drawn,
            [np.random.default_rng((self.seed, step, p, _AUGMENTING)) for p in self.share],
            full_scale=self.source.full_scale,
            repeated=self.source.repeats,
        )


def in_background(batches: Batches, workers: int = 1, *, pinned: bool = False) -> Iterator[Batch]:
    """The same batches in their order, drawn ahead in ``workers`` processes; 0: in this one.

    ``pinned`` puts them where a GPU can fetch them while it computes.
    """
    loader: DataLoader[Batch] = DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=_PREFETCHED_BATCHES if workers else None,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=pinned,
    )
    with _interrupts_ignored_by_children():
        return iter(loader)


@contextmanager
def _interrupts_ignored_by_children() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; the one that trains ends the others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def validation_windows(source: BatchSource, seed: int, count: int) -> tuple[Pixels, Float32Array]:
    """About ``count`` windows and labels at contrast 1, always the same for a seed.

    Windows that a scratch only grazes judge nothing, and are left out; but of images of
    several windows all stay, with the labels of all in a row.
    """
    size = _VALIDATION_BATCH
    parts = [source(seed, index, size, 1.0) for index in range(-(-count // size))]
    labels = np.concatenate([part.labels for part in parts])
    images = np.concatenate([part.images for part in parts])
    if labels.ndim > 1:
        return images, labels.ravel()
    judged = (labels == 0) | (labels == 1)
    return images[judged], labels[judged]
