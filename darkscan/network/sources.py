"""The sources of training windows: the simulator, single ones or in images, and data sets."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from darkscan.network.batches import BatchSource, Drawn, validation_windows
from darkscan.network.datasets import Dataset, WindowSet
from darkscan.network.modules import GREY_RANGE
from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.element.crops import CROP_PX, training_crops
from darkscan.simulation.element.kinds import UNKNOWN
from darkscan.simulation.element.looks import WINDOW_PX
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.windows import training_batch

_FINGERPRINTED = 32  # windows
_WINDOWS_AN_IMAGE = 9
_ORDERING = 8  # sets the generators that shuffle epochs apart from all others


@dataclass(frozen=True)
class SimulatedWindows:
    """Windows drawn afresh, no two of them the same: every one has a generator of its own.

    ``backgrounds`` are the real ones that ``source`` draws some of them on, if there are any.
    Raises InputError if one of these is too small for it.
    """

    side_px: ClassVar = WINDOW_PX
    fingerprinted: ClassVar = _FINGERPRINTED

    source: BatchSource = training_batch
    full_scale: float = GREY_RANGE
    repeats: bool = False
    description: str = "windows of darkscan.simulation.element.windows, preset mixed"
    backgrounds: RealBackgrounds | None = None

    def __post_init__(self) -> None:
        if self.backgrounds is not None:
            self.backgrounds.require(self.side_px)

    def fingerprint(self, seed: int) -> str:
        """The hash of the first ones at full contrast, and of what real backgrounds hold."""
        drawn = self.source(seed, 0, self.fingerprinted, 1.0)
        content = hashlib.sha256(b"".join(field.tobytes() for field in drawn))
        if self.backgrounds is not None:
            content.update(self.backgrounds.fingerprint().encode())
        return content.hexdigest()

    def draw(self, seed: int, step: int, size: int, share: range, contrast: float) -> Drawn:
        """See ``Source``."""
        drawn = [self.source(seed, step * size + place, 1, contrast) for place in share]
        return Drawn(*(np.concatenate(columns) for columns in zip(*drawn, strict=True)))

    def validation(self, seed: int, count: int) -> tuple[Pixels, Float32Array]:
        """Windows at full contrast, without those that a scratch only grazes."""
        return validation_windows(self.source, seed, count)


@dataclass(frozen=True)
class SimulatedImages(SimulatedWindows):
    """Images of several windows, drawn afresh, for networks that see beyond a window."""

    side_px: ClassVar = CROP_PX
    fingerprinted: ClassVar = _FINGERPRINTED // 4

    source: BatchSource = training_crops
    description: str = "images of darkscan.simulation.element.crops, preset mixed"

    def validation(self, seed: int, count: int) -> tuple[Pixels, Float32Array]:
        """Images at full contrast with about ``count`` windows, and the labels of these."""
        return super().validation(seed, -(-count // _WINDOWS_AN_IMAGE))


def simulated(*, dense: bool, backgrounds: RealBackgrounds | None = None) -> SimulatedWindows:
    """Windows, or images for a dense network, of which a share lies on real backgrounds.

    Raises InputError if one of these is too small.
    """
    kind, draw = (SimulatedImages, training_crops) if dense else (SimulatedWindows, training_batch)
    if backgrounds is None:
        return kind()
    return kind(
        source=functools.partial(draw, backgrounds=backgrounds),
        description=f"{kind.description}, {backgrounds.description}",
        backgrounds=backgrounds,
    )


@dataclass(frozen=True)
class DatasetWindows:
    """The training windows of a data set, shuffled anew every epoch.

    A batch never holds windows of two epochs: what is left of an epoch's end waits for
    another shuffle. The file is opened in the process that reads it.
    """

    file: Path
    repeats: bool = True

    def __post_init__(self) -> None:
        for name in ("train", "validation"):
            labels = self._dataset.split(name).labels
            for value, kind in ((1, "scratch"), (0, "background")):
                if not (labels == value).any():
                    raise InputError(f"has no {kind} window", file=self.file, field=name)

    def __reduce__(self) -> tuple[type["DatasetWindows"], tuple[Path, bool]]:
        return type(self), (self.file, self.repeats)

    def __len__(self) -> int:
        return len(self._train)

    @property
    def full_scale(self) -> float:
        """The largest grey level of the camera, or cameras, that it was built from."""
        return float(self._train.full_scale)

    @property
    def description(self) -> str:
        """The file's name: its hash says which it was."""
        return f"data set {self.file.name}"

    def fingerprint(self, seed: int) -> str:  # noqa: ARG002 - the order follows from the seed
        """The data set's own hash."""
        return self._dataset.hash

    def draw(self, seed: int, step: int, size: int, share: range, contrast: float) -> Drawn:  # noqa: ARG002 - its windows are as hard as they are
        """See ``Source``. Raises InputError if the data set has fewer windows than a batch."""
        steps = self.steps_an_epoch(size)
        epoch, first = step // steps, step % steps * size
        indices = self._order(seed, epoch)[first : first + size][list(share)]
        lines = self._train.lines(indices)
        return Drawn(
            images=self._train.images(indices),
            labels=self._train.labels[indices].astype(np.float32),
            lines=lines,
            boxes=self._train.boxes[indices].astype(np.float32),
            kinds=np.full_like(lines, UNKNOWN),
            directions=np.zeros_like(lines),
        )

    def validation(self, seed: int, count: int) -> tuple[Pixels, Float32Array]:
        """Its validation windows, or ``count`` of them at random if there are more."""
        split = self._dataset.split("validation")
        indices = np.arange(len(split))
        if len(indices) > count:
            chosen = np.random.default_rng((seed, _ORDERING)).permutation(indices)[:count]
            indices = np.sort(chosen)
        return split.images(indices), split.labels[indices].astype(np.float32)

    def steps_an_epoch(self, size: int) -> int:
        """How many whole batches an epoch holds. Raises InputError if none."""
        if len(self) < size:
            problem = f"has {len(self)} training windows, fewer than a batch of {size}"
            raise InputError(problem, file=self.file)
        return len(self) // size

    def _order(self, seed: int, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng((seed, epoch, _ORDERING)).permutation(len(self))

    @functools.cached_property
    def _dataset(self) -> Dataset:
        return Dataset.open(self.file)

    @functools.cached_property
    def _train(self) -> WindowSet:
        return self._dataset.split("train")
