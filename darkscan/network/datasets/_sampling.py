"""The paper's three ways of sampling windows from an image, each class by its shares.

Gaussian: centres drawn normally about points of a scratch. Uniform: the grid that an
inspection looks at. Random: anywhere. What the first two cannot give in one class, for a
grid is finite and background near a scratch is rare, random sampling supplements; what
is then still missing of the scratches is drawn about them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from darkscan.network.datasets._labelled_image import ImageTruth
from darkscan.network.datasets.rule import (
    BACKGROUND,
    LEFT_OUT,
    SCRATCH,
    WINDOW_PX,
    Judge,
    Labels,
    Origins,
)
from darkscan.pipeline.core.grid import window_origins

METHODS = ("gaussian", "uniform", "random")
STRIDE_PX = 128
_CLASSES = (SCRATCH, BACKGROUND)
_BATCHES = 24  # a method gives up after so many batches of draws
_LEAST_DRAWN = 64


@dataclass(frozen=True)
class Shares:
    """How many windows of a class each method is to give, in any unit."""

    gaussian: float
    uniform: float
    random: float

    def quotas(self, count: int) -> dict[str, int]:
        """``count`` windows divided among the methods; random takes what rounding leaves."""
        total = self.gaussian + self.uniform + self.random
        gaussian = round(count * self.gaussian / total)
        uniform = min(round(count * self.uniform / total), count - gaussian)
        return {"gaussian": gaussian, "uniform": uniform, "random": count - gaussian - uniform}


@dataclass(frozen=True)
class Sampling:
    """How windows are drawn.

    ``scratch`` and ``background`` are the methods' shares of each class; ``spread_px`` is
    the standard deviation of Gaussian sampling in x and in y.
    """

    scratch: Shares = field(default=Shares(8, 1, 1))
    background: Shares = field(default=Shares(1, 6, 3))
    spread_px: float = 64.0


@dataclass
class Sample:
    """Windows drawn from one image: first pixels (y, x), labels and methods.

    ``left_out`` counts the windows that were looked at and are neither scratch nor
    background.
    """

    origins: list[tuple[int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    left_out: int = 0

    def count(self, label: int) -> int:
        """How many windows have a label."""
        return self.labels.count(label)


def draw_windows(
    rng: np.random.Generator,
    truth: ImageTruth,
    scratches: int,
    backgrounds: int,
    sampling: Sampling,
) -> Sample:
    """Draws up to so many windows of each class from an image, no window twice."""
    drawing = _Drawing(rng, truth, sampling.spread_px)
    wanted = {SCRATCH: scratches, BACKGROUND: backgrounds}
    quotas = {
        SCRATCH: sampling.scratch.quotas(scratches),
        BACKGROUND: sampling.background.quotas(backgrounds),
    }
    drawing.take("uniform", {label: quotas[label]["uniform"] for label in _CLASSES})
    drawing.take("gaussian", {label: quotas[label]["gaussian"] for label in _CLASSES})
    drawing.take("random", {label: drawing.missing(label, wanted) for label in _CLASSES})
    drawing.take("gaussian", {label: drawing.missing(label, wanted) for label in _CLASSES})
    return drawing.sample


class _Drawing:
    """Windows of one image as they are taken."""

    def __init__(self, rng: np.random.Generator, truth: ImageTruth, spread_px: float) -> None:
        self.sample = Sample()
        self._rng = rng
        self._truth = truth
        self._judge = Judge(truth)
        self._spread_px = spread_px
        self._seen: set[tuple[int, int]] = set()

    def missing(self, label: int, wanted: dict[int, int]) -> int:
        """How many windows of a class are still to be drawn."""
        return wanted[label] - self.sample.count(label)

    def take(self, method: str, quotas: dict[int, int]) -> None:
        """Takes up to so many windows of each class by one method."""
        left = dict(quotas)
        if not any(left.values()):
            return
        for origins in self._proposals(method, sum(left.values())):
            for (y, x), label in zip(
                origins.tolist(), self._judge.label(origins).tolist(), strict=True
            ):
                if (y, x) in self._seen:
                    continue
                if label != LEFT_OUT and not left[label]:
                    continue
                self._seen.add((y, x))
                if label == LEFT_OUT:
                    self.sample.left_out += 1
                    continue
                left[label] -= 1
                self.sample.origins.append((y, x))
                self.sample.labels.append(label)
                self.sample.methods.append(method)
            if not any(left.values()):
                return

    def _proposals(self, method: str, count: int) -> Iterator[Origins]:
        shape = self._truth.touched.shape
        if method == "uniform":
            grid = window_origins((shape[0], shape[1]), WINDOW_PX, STRIDE_PX)
            yield self._rng.permutation(grid).astype(np.int64)
            return
        if method == "gaussian" and not self._truth.scratches:
            return
        furthest = np.array(shape) - WINDOW_PX
        places = int(np.prod(furthest + 1))
        for _ in range(_BATCHES):
            size = max(min(count, places), _LEAST_DRAWN)
            if method == "random":
                yield self._rng.integers(0, furthest + 1, (size, 2))
            else:
                centres = self._points(size) + self._rng.normal(0, self._spread_px, (size, 2))
                corner = np.rint(centres[:, ::-1] - WINDOW_PX / 2).astype(np.int64)
                yield np.clip(corner, 0, furthest)

    def _points(self, count: int) -> npt.NDArray[np.float64]:
        """Points (count, 2) of scratches, every scratch as often as any other."""
        scratches = self._truth.scratches
        chosen = self._rng.integers(0, len(scratches), count)
        place = self._rng.random(count)
        return np.array(
            [
                scratches[one].points[int(at * len(scratches[one].points))]
                for one, at in zip(chosen, place, strict=True)
            ]
        )


def labels_of(sample: Sample) -> Labels:
    """A sample's labels (N,) int8."""
    return np.array(sample.labels, dtype=np.int8)
