r"""Says where a model breaks: the same windows and frames, worse and worse, against the line bank.

    python benchmarks/robustness.py --model default --data test.h5 --out out/robustness
    python benchmarks/robustness.py --model default --frames DIR --out out/robustness
    python benchmarks/robustness.py --model mine.onnx --data test.h5 \
        --images a.jpg b.fits --masks a-mask.png b-mask.png --out out/robustness

Windows alone: every condition of network/evaluation/conditions.py is laid over the same seeded
windows of the data set's test split and of each image, up to half of them scratched; both
detectors get the same pixels, window by window. At other pixel pitches images are resampled
whole and cut anew; windows of a data set, which stand alone, are cropped or mirrored to their
size. Their table gives AUC by any mask pixel and by the rule of training, which asks for some
length of a scratch (data sets' windows have it) and leaves out windows between the two, and
recall (by that rule) and false positive rate at the model's own threshold.

Whole frames: with --frames, a folder of frames and their polylines.json (see real_frames.py),
each frame is resampled or changed as a whole, and scored as a scan does it, neighbours
included; the line bank gets each of its windows alone. Windows are positive if 24 px or more of
a line lie in them, in pixels of the resampled frame. Where frames are so small that every window
holds a line, the ranking of frames tells more: that of their highest window, against the same
frames with their lines taken out, of which those with any window marked are the false frames.

Written are tables (Markdown, CSV) and figures. The last line names the conditions in which the
model's AUC, by any rule, is below the line bank's or below 0.95.
"""

import argparse
import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from degraded_frames import FRAME_HEADER, FrameRow, FrameSubject, measure_frames
from degraded_windows import (
    ENOUGH,
    HEADER,
    ImageSubject,
    Row,
    SplitSubject,
    Subject,
    measure,
)
from figures import exit_code_of, machine
from matplotlib.figure import Figure

from darkscan.cli.options import add_force_option, checked_threads, model_file, require_new
from darkscan.cli.progress import progress_bar
from darkscan.inference.scoring import ModelScorer
from darkscan.network.datasets.mask_reading import MaskReader
from darkscan.network.datasets.masks import check_stems
from darkscan.network.evaluation.conditions import CONDITIONS, FRAME_CONDITIONS
from darkscan.network.pictures import png
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_together

TABLE = "robustness.md"
WINDOWS, FRAMES = "robustness", "robustness-frames"

AnyRow = Row | FrameRow


def run(arguments: argparse.Namespace) -> None:
    """Runs the sweep. Raises InputError, StorageError."""
    _check(arguments)
    named = [TABLE] + [
        f"{name}.{suffix}"
        for name, given in (
            (WINDOWS, arguments.data or arguments.images),
            (FRAMES, arguments.frames),
        )
        if given
        for suffix in ("csv", "png")
    ]
    require_new(*(arguments.out / name for name in named), force=arguments.force)
    with model_file(arguments.model) as file:
        model = ModelScorer(file, threads=checked_threads(arguments.threads))
    steps = list(_steps(arguments, model))
    rows: list[AnyRow] = []
    with progress_bar("degrading", "conditions", len(steps)) as bar:
        for step in steps:
            rows.append(step())
            bar.advance()
            bar.say(f"{rows[-1].source} {rows[-1].line}")
    windows = [row for row in rows if isinstance(row, Row)]
    frames = [row for row in rows if isinstance(row, FrameRow)]
    contents: dict[str, bytes] = {}
    if windows:
        contents |= {f"{WINDOWS}.csv": to_csv(windows), f"{WINDOWS}.png": figure(windows)}
    if frames:
        contents |= {f"{FRAMES}.csv": to_csv(frames), f"{FRAMES}.png": figure(frames)}
    contents[TABLE] = to_markdown(rows, arguments, model).encode()
    write_together(arguments.out, contents)
    print(", ".join(str(arguments.out / name) for name in contents))
    print(verdict(rows))


def _steps(arguments: argparse.Namespace, model: ModelScorer) -> Iterator[Callable[[], AnyRow]]:
    """What is to be measured, each row when it is called."""
    seed = arguments.seed
    for subject in _subjects(arguments):
        for condition in CONDITIONS:
            yield partial(measure, subject, condition, model, seed)
    if arguments.frames is not None:
        of_frames = FrameSubject.of(arguments.frames)
        for condition in FRAME_CONDITIONS:
            yield partial(measure_frames, of_frames, condition, model, seed)


def to_csv(rows: Sequence[AnyRow]) -> bytes:
    """The rows as CSV, under the names of their fields."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0]._fields)
    writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows)
    return text.getvalue().encode()


def to_markdown(rows: Sequence[AnyRow], arguments: argparse.Namespace, model: ModelScorer) -> str:
    """The rows as a table for each source, after what they were measured with."""
    name, about = Path(arguments.model).name, model.info
    lines = [
        "# Where the model breaks",
        "",
        f"Model {name} ({about.hash}), seed {arguments.seed}, on {machine()}.",
        f"Recall and false positive rate at its threshold, {about.threshold:.4f}.",
        f"Bold: below the line bank, or below {ENOUGH}.",
    ]
    for source in dict.fromkeys(row.source for row in rows):
        of_source = [row for row in rows if row.source == source]
        header = HEADER if isinstance(of_source[0], Row) else FRAME_HEADER
        lines += ["", f"## {source}", "", of_source[0].counts, "", header]
        lines += ["|---|" + "---:|" * (header.count("|") - 2)]
        lines += [row.line for row in of_source]
    return "\n".join([*lines, "", verdict(rows)]) + "\n"


def verdict(rows: Sequence[AnyRow]) -> str:
    """One line: the conditions in which the model falls short, by source."""
    parts = []
    tests: dict[str, Callable[[AnyRow], bool]] = {
        "the line bank": lambda row: row.below_bank(),
        f"AUC {ENOUGH}": lambda row: row.below_enough(),
    }
    for words, falls_short in tests.items():
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


def figure(rows: Sequence[AnyRow]) -> bytes:
    """Window AUC (of windows alone: any mask pixel), the model's against the bank's, as PNG."""
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
        axes.set(title=source, xlabel="window AUC")
        axes.grid(axis="x", alpha=0.3)
        axes.margins(y=0.015)
    panels[0].set_yticks(range(len(conditions)), conditions)
    panels[0].invert_yaxis()
    handles = panels[0].get_legend_handles_labels()
    drawing.legend(*handles, loc="outside lower center", ncols=2)
    return png(drawing)


def _check(arguments: argparse.Namespace) -> None:
    """Raises InputError for options that do not go together."""
    images, masks = arguments.images, arguments.masks
    if len(images) != len(masks):
        raise InputError(f"{len(masks)} masks for {len(images)} images", field="--masks")
    for name in ("windows", "image_windows"):
        if getattr(arguments, name) < 2:
            raise InputError("must be 2 or more", field=f"--{name.replace('_', '-')}")
    if arguments.data is None and arguments.frames is None and not images:
        raise InputError("give --data, --images or --frames", field="--data")
    check_stems(images)


def _subjects(arguments: argparse.Namespace) -> list[Subject]:
    seed = arguments.seed
    data = [] if arguments.data is None else [arguments.data]
    pairs = zip(arguments.images, arguments.masks, strict=True)
    reader = MaskReader()
    return [
        *(SplitSubject.of(file, arguments.windows, seed) for file in data),
        *(ImageSubject.of(*pair, reader, arguments.image_windows, seed) for pair in pairs),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default", help="a file, or a shipped one by its name")
    parser.add_argument("--data", type=Path, help="a data set with a test split")
    parser.add_argument("--images", type=Path, nargs="+", default=[], help="with --masks")
    parser.add_argument("--masks", type=Path, nargs="+", default=[], help="one for each image")
    parser.add_argument("--frames", type=Path, metavar="DIR", help="frames and polylines.json")
    parser.add_argument("--windows", type=int, default=600, help="of the data set")
    parser.add_argument("--image-windows", type=int, default=300, help="of each image")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="of the model (default: all cores)")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    add_force_option(parser)
    return parser.parse_args()


def main() -> int:
    """Runs the sweep, writes its files and tells the rows as they come."""
    arguments = _arguments()
    return exit_code_of(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
