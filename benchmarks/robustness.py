r"""Says where a model breaks: the same windows, worse and worse, against the line bank.

    python benchmarks/robustness.py --model default --data test.h5 --out out/robustness
    python benchmarks/robustness.py --model mine.onnx --data test.h5 \
        --images a.jpg b.fits --masks a-mask.png b-mask.png --out out/robustness

Every condition of network/evaluation/degradations.py is laid over the same seeded windows of
the data set's test split and of each image, up to half of them scratched; both detectors get
the same pixels, window by window. At other pixel pitches images are resampled whole and cut
anew; windows of a data set, which stand alone, are cropped or mirrored to their size.

The table (Markdown, CSV) and the figure give AUC by any mask pixel and by the 40 px rule of
training, which leaves out windows between the two (a data set has none), and recall (40 px)
and false positive rate at the model's own threshold. The last line names the conditions in
which the model's AUC, by either rule, is below the line bank's or below 0.95.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from figures import machine
from matplotlib.figure import Figure
from quick_bank import QuickBank

from darkscan.cli.models import model_file
from darkscan.cli.options import checked_threads, require_writable
from darkscan.cli.progress_bar import progress_bar
from darkscan.cli.scoring import ModelScorer
from darkscan.drivers.images import Mosaic
from darkscan.network.classical import (
    STRIDE_PX,
    WINDOW_PX,
    FilterBank,
    line_kernel,
    methods,
    score_windows,
)
from darkscan.network.classical.truth import Flags, WindowLabels, label_windows
from darkscan.network.datasets import Dataset
from darkscan.network.datasets.facts import CELL_PX
from darkscan.network.datasets.mask_reading import MaskReader
from darkscan.network.datasets.masks import check_stems
from darkscan.network.evaluation import degradations as physics
from darkscan.network.evaluation.degradations import CONDITIONS, PITCHES, Condition, Grey
from darkscan.network.pictures import png
from darkscan.network.validation import area_under_curve
from darkscan.pipeline.errors import ExitCode, InputError, StorageError
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.storage import write_together

ENOUGH = 0.95
HEADER = "| condition | AUC | line bank | AUC, 40 px | line bank, 40 px | recall | FPR |"


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
    mask: Flags
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


def evenly(positive: Flags, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
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
    scratched_40px: int
    model_auc_40px: float
    bank_auc_40px: float
    recall: float
    false_positive_rate: float

    def below_bank(self) -> bool:
        """Whether the bank's AUC is the higher one, by either rule."""
        return self.model_auc < self.bank_auc or self.model_auc_40px < self.bank_auc_40px

    def below_enough(self) -> bool:
        """Whether the model's AUC is below 0.95, by either rule."""
        return min(self.model_auc, self.model_auc_40px) < ENOUGH

    @property
    def line(self) -> str:
        """Of a Markdown table; bold where the model falls short."""
        bold = "**" * (self.below_bank() or self.below_enough())
        return (
            f"| {bold}{self.condition}{bold} | {self.model_auc:.4f} | {self.bank_auc:.4f} "
            f"| {self.model_auc_40px:.4f} | {self.bank_auc_40px:.4f} "
            f"| {self.recall:.3f} | {self.false_positive_rate:.4f} |"
        )


def measure(
    subject: Subject, condition: Condition, model: ModelScorer, bank: FilterBank, seed: int
) -> Row:
    """Scores a subject's windows, changed, by both detectors."""
    rng = np.random.default_rng(seed)
    sample = subject.sample(condition.pitch)
    greys = [condition.change(Grey(w, sample.full_scale), rng) for w in sample.windows]
    windows, full_scale = stacked([grey.levels for grey in greys]), greys[0].full_scale
    by_model = model(windows, full_scale)
    by_bank = score_windows(bank, windows, full_scale)
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
        scratched_40px=int(visible.sum()),
        model_auc_40px=area_under_curve(by_model[decided], visible[decided]),
        bank_auc_40px=area_under_curve(by_bank[decided], visible[decided]),
        recall=float(over[visible].mean()) if visible.any() else float("nan"),
        false_positive_rate=float(over[~touched].mean()) if not touched.all() else float("nan"),
    )


def run(arguments: argparse.Namespace) -> None:
    """Runs the sweep. Raises InputError, StorageError."""
    require_writable(arguments.out)
    given = None if arguments.model == "default" else Path(arguments.model)
    with model_file(given) as file:
        model = ModelScorer(file, threads=checked_threads(arguments.threads))
    bank = QuickBank("line-bank", methods()["line-bank"].threshold, line_kernel)
    subjects = _subjects(arguments)
    print(f"source {HEADER}")
    rows: list[Row] = []
    total = len(subjects) * len(CONDITIONS)
    with progress_bar("degrading", "conditions") as show:
        for subject in subjects:
            for condition in CONDITIONS:
                rows.append(measure(subject, condition, model, bank, arguments.seed))
                show(len(rows), total)
                print(f"{subject.name} {rows[-1].line}", flush=True)
    contents = {
        "robustness.csv": to_csv(rows).encode(),
        "robustness.md": to_markdown(rows, arguments, model.info.hash).encode(),
        "robustness.png": figure(rows),
    }
    write_together(arguments.out, contents)
    print(", ".join(str(arguments.out / name) for name in contents))
    print(verdict(rows))


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV, under the names of their fields."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows)
    return text.getvalue()


def to_markdown(rows: Sequence[Row], arguments: argparse.Namespace, model: str) -> str:
    """The rows as a table for each source, after what they were measured with."""
    lines = [
        "# Where the model breaks",
        "",
        f"Model {Path(arguments.model).name} ({model}), seed {arguments.seed}, on {machine()}.",
        "AUC by any mask pixel and by the 40 px rule; recall (40 px rule) and false positive rate",
        "at the model's own threshold. Bold: below the line bank, or below 0.95.",
    ]
    for source in dict.fromkeys(row.source for row in rows):
        of_source = [row for row in rows if row.source == source]
        first = of_source[0]
        lines += [
            "",
            f"## {source}",
            "",
            f"Scratched: {first.scratched} of {first.windows}, {first.scratched_40px} by 40 px.",
            "",
            HEADER,
            "|---|" + "---:|" * 6,
        ]
        lines += [row.line for row in of_source]
    return "\n".join([*lines, "", verdict(rows)]) + "\n"


def verdict(rows: Sequence[Row]) -> str:
    """One line: the conditions in which the model falls short, by source."""
    parts = []
    for words, falls_short in (
        ("the line bank", Row.below_bank),
        (f"AUC {ENOUGH}", Row.below_enough),
    ):
        named = []
        for source in dict.fromkeys(row.source for row in rows):
            of_source = [row for row in rows if row.source == source]
            short = [row.condition for row in of_source if falls_short(row)]
            rest = [row.condition for row in of_source if not falls_short(row)]
            if short and len(short) <= len(rest):
                named.append(f"{source}: {', '.join(short)}")
            elif short:
                named.append(f"{source}: everywhere" + f" but {', '.join(rest)}" * bool(rest))
        parts.append(f"below {words}: {'; '.join(named) or 'nowhere'}")
    return " | ".join(parts)


def figure(rows: Sequence[Row]) -> bytes:
    """AUC (any mask pixel) in every condition, the model's against the bank's, as PNG."""
    sources = list(dict.fromkeys(row.source for row in rows))
    conditions = list(dict.fromkeys(row.condition for row in rows))
    size = 3.2 + 3.4 * len(sources), 1.4 + 0.23 * len(conditions)
    drawing = Figure(figsize=size, dpi=130, layout="constrained")
    panels = drawing.subplots(1, len(sources), sharey=True, squeeze=False)[0]
    for axes, source in zip(panels, sources, strict=True):
        of_source = [row for row in rows if row.source == source]
        places = np.arange(len(of_source))
        model = [row.model_auc for row in of_source]
        bank = [row.bank_auc for row in of_source]
        colours = ["tab:red" if m < b else "0.7" for m, b in zip(model, bank, strict=True)]
        axes.hlines(places, bank, model, color=colours, linewidth=1.2)
        axes.plot(bank, places, "o", mfc="white", mec="tab:orange", label="line bank")
        axes.plot(model, places, "o", color="tab:blue", label="model")
        axes.axvline(ENOUGH, color="grey", linestyle="--", linewidth=0.8)
        axes.set(title=source, xlabel="window AUC, any mask pixel")
        axes.grid(axis="x", alpha=0.3)
        axes.margins(y=0.015)
    panels[0].set_yticks(range(len(conditions)), conditions)
    panels[0].invert_yaxis()
    handles = panels[0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside lower center", ncols=2)
    return png(drawing)


def stacked(windows: Sequence[Pixels]) -> Pixels:
    """Windows as one array (N, 256, 256)."""
    return cast("Pixels", np.stack(cast("Sequence[npt.NDArray[np.uint16]]", windows)))


def _subjects(arguments: argparse.Namespace) -> list[Subject]:
    images, masks, seed = arguments.images, arguments.masks, arguments.seed
    if len(images) != len(masks):
        raise InputError(f"{len(masks)} masks for {len(images)} images", field="--masks")
    for name in ("windows", "image_windows"):
        if getattr(arguments, name) < 2:
            raise InputError("must be 2 or more", field=f"--{name.replace('_', '-')}")
    if arguments.data is None and not images:
        raise InputError("give --data, --images or both", field="--data")
    check_stems(images)
    data = [] if arguments.data is None else [arguments.data]
    pairs = zip(images, masks, strict=True)
    reader = MaskReader()
    return [
        *(SplitSubject.of(file, arguments.windows, seed) for file in data),
        *(ImageSubject.of(*pair, reader, arguments.image_windows, seed) for pair in pairs),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default", help="a model file (default: the shipped)")
    parser.add_argument("--data", type=Path, help="a data set with a test split")
    parser.add_argument("--images", type=Path, nargs="+", default=[], help="with --masks")
    parser.add_argument("--masks", type=Path, nargs="+", default=[], help="one for each image")
    parser.add_argument("--windows", type=int, default=600, help="of the data set")
    parser.add_argument("--image-windows", type=int, default=300, help="of each image")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="of the model (default: all cores)")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    return parser.parse_args()


def main() -> int:
    """Runs the sweep, writes its files and tells the rows as they come."""
    try:
        run(_arguments())
    except (InputError, StorageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
