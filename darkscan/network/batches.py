"""Batches of training windows: drawn, augmented, and handed over as the network takes them.

Every window depends on the options, its step and its place in the batch alone, so a resumed
training sees exactly the windows that an uninterrupted one would have seen, and several
processes that share a batch see together what one alone would.

Light scattered in the dark field looks the same from every side, so a window may be turned
and mirrored; a deeper camera gives the same grey levels as a smaller part of its range; and
lamps, exposures and stray light differ, so the gain may change, a slow gradient may lie
under the window and a noisier sensor may add to its noise. Nothing is ever stretched,
sheared or bent: widths, noise grain and the straightness of lines would be no camera's, and
a scratch's width is what tells it from a fibre's.
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

from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.simulation.element.crops import TrainingCrops
from darkscan.simulation.element.looks import WINDOW_PX
from darkscan.simulation.element.windows import TrainingBatch

BatchSource = Callable[[int, int, int, float], TrainingBatch | TrainingCrops]
"""``(seed, index, size, contrast)`` to ``size`` labelled windows of 8 bits.

A function of a module, and of its arguments alone: it is called in other processes.
Contrast runs from 0, bright scratches among little clutter, to 1, as hard as they come.
"""

_PREFETCHED_BATCHES = 4
_VALIDATION_BATCH = 64
_AUGMENTING = 7  # sets the generators of augmentation apart from those that draw windows


class Drawn(NamedTuple):
    """N windows, or images, of a source.

    The fields are those of the simulator's ``TrainingBatch``, or ``TrainingCrops``.
    """

    images: Pixels
    labels: Float32Array
    lines: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]


class Source(Protocol):
    """Where windows come from. It is sent to other processes: keep it small."""

    @property
    def full_scale(self) -> float:
        """The largest grey level that its windows can have."""

    @property
    def repeats(self) -> bool:
        """Whether its windows come again and again, and should not look the same each time."""

    @property
    def description(self) -> str:
        """What it is, in a few words."""

    def fingerprint(self, seed: int) -> str:
        """A SHA-256 that tells whether it still gives the windows that it gave."""

    def draw(self, seed: int, step: int, size: int, share: range, contrast: float) -> Drawn:
        """The windows at the places ``share`` of the batch of ``size`` for ``step``."""

    def validation(self, seed: int, count: int) -> tuple[Pixels, Float32Array]:
        """About ``count`` windows and their labels, always the same, never trained on.

        Labels other than 0 and 1 are of windows that judge nothing. Of larger images, the
        labels are those of all their windows, in a row.
        """


@dataclass(frozen=True)
class Batch:
    """What a network is trained on in one step.

    ``windows`` (N, 256, 256) uint8, or int32 for deeper cameras, in grey levels of a camera
    that gives at most ``full_scale`` (N, 1, 1); ``labels`` (N,) from 0 for clean to 1 for
    scratched, of larger images (N, 512, 512) those (N, 3, 3) of their windows; ``lines``
    (N, 32, 32), or (N, 64, 64), 1 in cells of 8 px that a scratch crosses; ``boxes`` (N, 4)
    the x0, y0, x1, y1 in pixels around the scratch, zeros without one.
    """

    windows: Tensor
    labels: Tensor
    lines: Tensor
    boxes: Tensor
    full_scale: Tensor

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
    images, lines, boxes, scales = [], [], [], []
    labels = []
    for image, label, cells, box, rng in zip(*drawn, rngs, strict=True):
        turn = int(rng.integers(ORIENTATIONS))
        scales.append(full_scale * depth_of(rng))
        images.append(turned(relit(image, full_scale, rng) if repeated else image, turn))
        labels.append(turned(label, turn) if label.ndim else label)
        lines.append(turned(cells, turn))
        boxes.append(turned_box(box, turn))
    windows = np.stack(images)
    if windows.dtype == np.uint16:
        windows = windows.astype(np.int32)  # torch computes with no uint16
    return Batch(
        windows=torch.from_numpy(windows),
        labels=torch.from_numpy(np.stack(labels).astype(np.float32)),
        lines=torch.from_numpy(np.stack(lines).astype(np.float32)),
        boxes=torch.from_numpy(np.stack(boxes).astype(np.float32)),
        full_scale=torch.tensor(scales, dtype=torch.float32)[:, None, None],
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


ORIENTATIONS = 8
_MIRRORED = 4  # orientations from here on are transposed before they are turned
_DEEP_SHARE = 0.3  # of windows, shown as a deeper camera's
_MOST_FULL_SCALE = 40.0  # times the window's: a 16-bit camera's weak light fills a 40th
_CHANGED_SHARE = 0.5  # of windows, for each of the changes of brightness
_LEAST_GAIN, _MOST_GAIN = 0.7, 1.4
_MOST_GRADIENT = 6.0  # sigmas of the noise, from the middle of the window to its corner
_MOST_NOISE = 0.5  # of the noise that is there: contrast over noise falls by a ninth at most
_SIGMA_PER_MAD = 1.4826


def turned(image: npt.NDArray[np.generic], turn: int) -> npt.NDArray[np.generic]:
    """A square image in one of its eight orientations, ``turn`` from 0 (as it is) to 7."""
    return np.rot90(image if turn < _MIRRORED else image.T, turn % 4)


def turned_box(box: Float32Array, turn: int, side: int = WINDOW_PX) -> Float32Array:
    """Where a box (x0, y0, x1, y1) of an image of ``side`` px lies once that is turned.

    A box without an inside (zeros: none) stays as it is.
    """
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if x1 <= x0 or y1 <= y0:
        return box
    if turn >= _MIRRORED:
        x0, y0, x1, y1 = y0, x0, y1, x1
    for _ in range(turn % 4):  # a quarter turn against the clock takes (x, y) to (y, side - x)
        x0, y0, x1, y1 = y0, side - x1, y1, side - x0
    return np.array([x0, y0, x1, y1], np.float32)


def depth_of(rng: np.random.Generator) -> float:
    """By how much a camera's full scale exceeds the window's: mostly 1, up to 40."""
    if rng.random() >= _DEEP_SHARE:
        return 1.0
    return float(np.exp(rng.uniform(0, np.log(_MOST_FULL_SCALE))))


def relit(image: Pixels, full_scale: float, rng: np.random.Generator) -> Pixels:
    """A window (H, W) under another lamp: gain, gradient and noise, each now and then.

    Of the same type, in 0..``full_scale``; what was saturated stays so.
    """
    changes = [change for change in (_gain, _gradient, _noise) if rng.random() < _CHANGED_SHARE]
    if not changes:
        return image
    sigma = noise_of(image)
    levels = image.astype(np.float32)
    for change in changes:
        levels = change(levels, sigma, rng)
    changed = np.clip(np.rint(levels), 0, full_scale).astype(image.dtype)
    return np.where(image >= full_scale, image, changed)


def noise_of(image: Pixels) -> float:
    """The noise of a window in grey levels, from its neighbouring pixels' differences."""
    differences = np.diff(image.astype(np.float32), axis=1)
    return _SIGMA_PER_MAD * float(np.median(np.abs(differences))) / float(np.sqrt(2))


def _gain(levels: Float32Array, _sigma: float, rng: np.random.Generator) -> Float32Array:
    factor = np.exp(rng.uniform(np.log(_LEAST_GAIN), np.log(_MOST_GAIN)))
    return levels * np.float32(factor)


def _gradient(levels: Float32Array, sigma: float, rng: np.random.Generator) -> Float32Array:
    """A plane that rises in some direction, zero in the middle."""
    height, width = levels.shape
    angle = rng.uniform(0, 2 * np.pi)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    columns = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(angle))
    steepness = np.float32(sigma * rng.uniform(0, _MOST_GRADIENT) / np.sqrt(2))
    return np.asarray(levels + steepness * (rows + columns), dtype=np.float32)


def _noise(levels: Float32Array, sigma: float, rng: np.random.Generator) -> Float32Array:
    added = np.float32(sigma * rng.uniform(0, _MOST_NOISE))
    return levels + added * rng.standard_normal(levels.shape, dtype=np.float32)


CHANGES: dict[str, Callable[[Float32Array, float, np.random.Generator], Float32Array]] = {
    "gain": _gain,
    "gradient": _gradient,
    "noise": _noise,
}
"""The changes of brightness by name: (levels, sigma of their noise, rng) to levels."""
