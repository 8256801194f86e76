"""Windows of data sets and images at any pixel pitch, degraded and scored by both detectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from quick_bank import line_bank

from darkscan.drivers.images import Mosaic
from darkscan.inference.scoring import ModelScorer
from darkscan.network.classical import STRIDE_PX, WINDOW_PX, score_windows
from darkscan.network.classical.marked_windows import WindowLabels, label_windows
from darkscan.network.datasets import Dataset
from darkscan.network.datasets.facts import CELL_PX
from darkscan.network.datasets.mask_reading import MaskReader
from darkscan.network.datasets.rule import VISIBLE_PX
from darkscan.network.evaluation import degradations as physics
from darkscan.network.evaluation.conditions import PITCHES, Condition
from darkscan.network.evaluation.degradations import Grey
from darkscan.network.metrics import area_under_curve
from darkscan.pipeline.core.arrays import Mask, Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins

ENOUGH = 0.95
HEADER = (
    f"| condition | AUC | line bank | AUC, {VISIBLE_PX:g} px | line bank, {VISIBLE_PX:g} px "
    "| recall | FPR |"
)


class Sample(NamedTuple):
    """Windows (N, 256, 256) at one pixel pitch, with their labels."""

    windows: Pixels
    full_scale: float
    labels: WindowLabels


@dataclass(frozen=True)
class SplitSubject:
    """Windows of a data set's test split, as many of each class."""

    name: str
    sharp: Sample
    lines: npt.NDArray[np.uint8]
    seed: int

    @classmethod
    def of(cls, file: Path, count: int, seed: int) -> "SplitSubject":
        """Draws the windows. Raises InputError."""
        data = Dataset.open(file)
        if "test" not in data.splits:
            raise InputError("has no test split", file=file)
        split = data.split("test")
        chosen = evenly(split.labels > 0, count, np.random.default_rng(seed))
        scratched = np.asarray(split.labels[chosen] > 0)
        labels = WindowLabels(scratched, scratched)
        sample = Sample(split.images(chosen), split.full_scale, labels)
        return cls(file.stem, sample, split.lines(chosen), seed)

    def sample(self, pitch: float) -> Sample:
        """The same windows at every call; enlarged, the part with most of the scratch."""
        if pitch == 1:
            return self.sharp
        rng = np.random.default_rng(self.seed)
        part = physics.part_shape((WINDOW_PX, WINDOW_PX), max(1.0, pitch))[0]
        windows = []
        for window, lines in zip(self.sharp.windows, self.lines, strict=True):
            corner = physics.part_corner(lines, CELL_PX, part, rng)
            grey = Grey(window, self.sharp.full_scale)
            windows.append(physics.resampled_window(grey, pitch, corner).levels)
        return self.sharp._replace(windows=stacked(windows))


@dataclass(frozen=True)
class ImageSubject:
    """Windows on the grid of an image with a mask."""

    name: str
    grey: Grey
    mask: Mask
    count: int
    seed: int

    @classmethod
    def of(
        cls, image: Path, mask: Path, reader: MaskReader, count: int, seed: int
    ) -> "ImageSubject":
        """Reads both. Raises InputError."""
        mosaic = Mosaic([image], stretch=True)
        levels: Pixels = np.empty(mosaic.shape, np.dtype(mosaic.pixel_type))
        mosaic.read_into(0, 0, levels)
        marked = reader.read(mask, mosaic.shape).mask
        if min(levels.shape) * min(PITCHES) < WINDOW_PX:
            height, width = levels.shape
            raise InputError(f"{width}x{height} pixels are too few to reduce it", file=image)
        return cls(image.stem, Grey(levels, 2.0**mosaic.bit_depth - 1), marked, count, seed)

    def sample(self, pitch: float) -> Sample:
        """The same windows at every call; at another pitch, others."""
        levels, mask = self.grey.levels, self.mask
        if pitch != 1:
            levels = physics.resampled(self.grey, pitch).levels
            mask = physics.resampled_mask(mask, pitch)
        origins = window_origins((levels.shape[0], levels.shape[1]), WINDOW_PX, STRIDE_PX)
        rng = np.random.default_rng(self.seed)
        origins = origins[evenly(label_windows(mask, origins).touched, self.count, rng)]
        windows = [levels[y : y + WINDOW_PX, x : x + WINDOW_PX] for y, x in origins.tolist()]
        return Sample(stacked(windows), self.grey.full_scale, label_windows(mask, origins))


Subject = SplitSubject | ImageSubject


def evenly(positive: Mask, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Up to ``count`` places, half of them positive where there are that many."""
    groups = [rng.permutation(np.flatnonzero(positive == side)) for side in (True, False)]
    scratches = groups[0][: max(count // 2, count - len(groups[1]))]
    return np.sort(np.concatenate([scratches, groups[1][: count - len(scratches)]]))


class Row(NamedTuple):
    """One condition on one source; NaN where a class is missing."""

    source: str
    condition: str
    windows: int
    scratched: int
    model_auc: float
    bank_auc: float
    scratched_visible: int
    model_auc_visible: float
    bank_auc_visible: float
    recall: float
    false_positive_rate: float

    @property
    def counts(self) -> str:
        """How many windows there are of which kind, in a sentence."""
        visible = f"{self.scratched_visible} by {VISIBLE_PX:g} px"
        return (
            f"Scratched: {self.scratched} of {self.windows}, {visible} of the rule of training; "
            "recall is of these. AUC is by any mask pixel, and by that rule."
        )

    def below_bank(self) -> bool:
        """Whether the bank's AUC is the higher one, by either rule."""
        return self.model_auc < self.bank_auc or self.model_auc_visible < self.bank_auc_visible

    def below_enough(self) -> bool:
        """Whether the model's AUC is below 0.95, by either rule."""
        return min(self.model_auc, self.model_auc_visible) < ENOUGH

    @property
    def line(self) -> str:
        """Of a Markdown table; bold where the model falls short."""
        bold = "**" * (self.below_bank() or self.below_enough())
        return (
            f"| {bold}{self.condition}{bold} | {self.model_auc:.4f} | {self.bank_auc:.4f} "
            f"| {self.model_auc_visible:.4f} | {self.bank_auc_visible:.4f} "
            f"| {self.recall:.3f} | {self.false_positive_rate:.4f} |"
        )


def measure(subject: Subject, condition: Condition, model: ModelScorer, seed: int) -> Row:
    """Scores a subject's windows, changed, by both detectors."""
    rng = np.random.default_rng(seed)
    sample = subject.sample(condition.pitch)
    greys = [condition.change(Grey(w, sample.full_scale), rng) for w in sample.windows]
    windows, full_scale = stacked([grey.levels for grey in greys]), greys[0].full_scale
    by_model = model(windows, full_scale)
    by_bank = score_windows(line_bank(), windows, full_scale)
    labels = sample.labels
    touched, visible, decided = labels.touched, labels.visible, labels.decided
    over = by_model >= model.info.threshold
    return Row(
        source=subject.name,
        condition=condition.name,
        windows=len(windows),
        scratched=int(touched.sum()),
        model_auc=area_under_curve(by_model, touched),
        bank_auc=area_under_curve(by_bank, touched),
        scratched_visible=int(visible.sum()),
        model_auc_visible=area_under_curve(by_model[decided], visible[decided]),
        bank_auc_visible=area_under_curve(by_bank[decided], visible[decided]),
        recall=float(over[visible].mean()) if visible.any() else float("nan"),
        false_positive_rate=float(over[~touched].mean()) if not touched.all() else float("nan"),
    )


def stacked(windows: Sequence[Pixels]) -> Pixels:
    """Windows as one array (N, 256, 256)."""
    return cast("Pixels", np.stack(cast("Sequence[npt.NDArray[np.uint16]]", windows)))
