"""``darkscan compare``: methods side by side on the same frames, in a figure and a table."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkscan.cli.mask_options import MASKS, add_mask_options, read_mask_meaning
from darkscan.cli.options import add_force_option, add_hdu, checked_threads, model_file, require_new
from darkscan.cli.progress import progress_bar, say
from darkscan.drivers.images import Mosaic
from darkscan.inference.scoring import ModelScorer
from darkscan.network.classical import STRIDE_PX, WINDOW_PX, FrameMethod, NetworkMethod, methods
from darkscan.network.classical.figure import (
    EQUALISED,
    RAW,
    Column,
    Tile,
    draw,
    equalised_tile,
    marks_tile,
    raw_tile,
)
from darkscan.network.classical.marked_windows import label_windows, mask_of_lines, touching
from darkscan.network.classical.table import Scored, rows, to_csv, to_markdown
from darkscan.network.datasets.mask_reading import MaskMeaning, MaskReader
from darkscan.network.datasets.rule import VISIBLE_PX
from darkscan.network.evaluation.network_scorer import NetworkScorer
from darkscan.network.metrics import area_under_curve
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.files import write_together
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.names import printable
from darkscan.runs.in_process import by_windows
from darkscan.simulation.element import SimulatedScan, simulate_element

_FIGURE, _CSV, _MARKDOWN = "comparison.png", "comparison.csv", "comparison.md"
_FRAME_PX = 2048
_MOST_SIMULATED = 100
_BATCH = 32
_EVEN = 0.5  # the probability from which on a checkpoint's network says scratch

_EPILOG = (
    """\
examples:
  darkscan compare --simulated 5 --model default --out comparison/
  darkscan compare plate.png --mask plate-mask.png --out comparison/
  darkscan compare a.tif b.fits --methods otsu,rules,line-bank --model mine.onnx \\
      --checkpoint retinanet=r/checkpoint.pt --out comparison/

comparison.png has a column for each frame and a row for each method, as the paper's
Fig. 8: detected pixels, or the outline of positive windows, over the dimmed frame. With
masks, scratches are outlined in red on the raw frame, and comparison.csv and comparison.md
give window AUC, and precision, recall and F1 at each method's own threshold: a model
file's, 0.5 for a checkpoint.

"""
    + MASKS
    + """

methods: otsu            Otsu's threshold; score: longest elongated component, px
         rules           weak-scratch rules of reference [6]; score: line pixels
         rules-four      with the doubtful fourth rule as well
         rules-adaptive  with the first threshold from the local mean
         line-bank       16 oriented lines of 31 px; score: 99.7th percentile, sigmas
         gabor-bank      16 oriented Gabor functions, likewise
"""
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan compare`` and its options."""
    parser = commands.add_parser(
        "compare",
        help="compare classical methods and networks on frames",
        description="Runs classical methods, model files and checkpoints on the same frames "
        "and lays their results out in a figure and, with masks, in a table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("frames", metavar="FRAME", type=Path, nargs="*", help="an image file")
    parser.add_argument(
        "--mask",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="the mask of each FRAME, in their order",
    )
    add_hdu(parser)
    add_mask_options(parser)
    parser.add_argument(
        "--simulated", type=int, metavar="N", help="N simulated frames instead of FRAMEs"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the simulated ones (default: 1)")
    parser.add_argument(
        "--methods", metavar="A,B,...", help="which, in this order (default: all; none: '')"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help="a model file, or default for the shipped one; may be repeated",
    )
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FILE",
        help="trained networks",
    )
    parser.add_argument("--threads", type=int, help="of the networks (default: all cores)")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    add_force_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compares the methods and writes figure and table."""
    files = (arguments.out / name for name in (_FIGURE, _CSV, _MARKDOWN))
    require_new(*files, force=arguments.force)
    methods = _methods(arguments)
    frames = _frames(arguments)
    columns: list[Column] = []
    scored: list[Scored] = []
    steps = len(frames) * len(methods)
    with progress_bar("comparing", "methods x frames") as show:
        for frame in frames:
            done = len(columns) * len(methods)
            column, found = _compare(frame, methods, partial(_add, show, done, steps))
            columns.append(column)
            scored += found
    contents = _contents(methods, columns, scored)
    write_together(arguments.out, contents)
    say(", ".join(str(arguments.out / name) for name in contents))
    return ExitCode.OK


def _add(show: Callable[[int, int], None], done: int, steps: int, more: int) -> None:
    show(done + more, steps)


@dataclass(frozen=True)
class _Frame:
    """A frame to compare on.

    ``mask`` (H, W) bool says where its scratches are, if known, ``void`` (H, W) bool which
    pixels nobody judged, if any.
    """

    name: str
    pixels: Pixels
    full_scale: int
    mask: npt.NDArray[np.bool_] | None
    void: npt.NDArray[np.bool_] | None = None

    def judged(self, origins: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which windows at ``origins`` (N, 2) hold no pixel that nobody judged: (N,)."""
        if self.void is None:
            return np.ones(len(origins), np.bool_)
        return ~touching(self.void, origins)


def _compare(
    frame: _Frame, methods: Sequence[FrameMethod], show: Callable[[int], None]
) -> tuple[Column, list[Scored]]:
    """A frame's column of the figure and its rows of the table."""
    pixels = frame.pixels
    origins = window_origins((pixels.shape[0], pixels.shape[1]), WINDOW_PX, STRIDE_PX)
    judged = frame.judged(origins)
    labels = None if frame.mask is None else label_windows(frame.mask, origins[judged])
    tiles: list[Tile] = [raw_tile(pixels, frame.full_scale, frame.mask), equalised_tile(pixels)]
    notes, scored = ["", ""], []
    for number, method in enumerate(methods):
        show(number)
        marks, scores = method.examine(pixels, origins, frame.full_scale)
        tiles.append(marks_tile(pixels, marks))
        if labels is None:
            notes.append("")
            continue
        scores = scores[judged]
        scored.append(Scored(frame.name, method.name, method.threshold, scores, labels))
        area = area_under_curve(scores, labels.touched)
        notes.append("" if np.isnan(area) else f"AUC {area:.3f}")
    show(len(methods))
    return Column(frame.name, tiles, notes), scored


def _contents(
    methods: Sequence[FrameMethod], columns: list[Column], scored: list[Scored]
) -> dict[str, bytes]:
    """The files to write, by name; the table is told as well."""
    names = [method.name.replace("-", "-\n", 1) for method in methods]
    contents = {_FIGURE: draw([RAW, EQUALISED, *names], columns)}
    table = rows(scored)
    for row in table:
        figures = (row.touched.auc, row.visible.auc, row.touched.f1)
        shown = ["-" if np.isnan(figure) else f"{figure:.4f}" for figure in figures]
        areas = f"AUC {shown[0]} ({VISIBLE_PX:g} px: {shown[1]})"
        say(f"{row.frame}: {row.method}: {areas}, F1 {shown[2]}")
    if table:
        contents |= {_CSV: to_csv(table).encode(), _MARKDOWN: to_markdown(table).encode()}
    return contents


def _methods(arguments: argparse.Namespace) -> list[FrameMethod]:
    """The methods asked for, classical ones first. Raises InputError."""
    known = methods()
    given = ",".join(known) if arguments.methods is None else arguments.methods
    chosen = []
    for name in filter(None, given.split(",")):
        if name not in known:
            problem = f"is unknown: {name!r}; known are {', '.join(known)}"
            raise InputError(problem, field="--methods")
        chosen.append(known[name])
    threads = checked_threads(arguments.threads)
    chosen += [_model(file, threads) for file in arguments.model]
    chosen += [_checkpoint(text, threads) for text in arguments.checkpoint]
    names = [method.name for method in chosen]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two of them are called {name!r}", field="methods")
    if not names:
        raise InputError("none is left to compare", field="--methods")
    return chosen


def _model(given: str, threads: int) -> FrameMethod:
    with model_file(Path(given)) as file:
        scorer = ModelScorer(file, threads=threads)
        return NetworkMethod(printable(file.name), scorer.info.threshold, scorer.frame)


def _checkpoint(text: str, threads: int) -> FrameMethod:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise InputError(f"must be like NAME=FILE, is {text!r}", field="--checkpoint")
    scorer = NetworkScorer(Path(file), threads=threads)
    return NetworkMethod(printable(name), _EVEN, by_windows(scorer, WINDOW_PX, _BATCH))


def _frames(arguments: argparse.Namespace) -> list[_Frame]:
    """All frames, read or simulated. Raises InputError."""
    files, masks, count = arguments.frames, arguments.mask, arguments.simulated
    if (count is None) == (not files):
        raise InputError("give either FRAMEs or --simulated N", field="FRAME")
    if masks and len(masks) != len(files):
        raise InputError(f"{len(masks)} masks for {len(files)} frames", field="--mask")
    if arguments.hdu is not None and not files:
        raise InputError("simulated frames are in no FITS file", field="--hdu")
    if count is None:
        meaning = read_mask_meaning(arguments, masks_given=bool(masks))
        return _read_all(files, masks, meaning, arguments.hdu)
    read_mask_meaning(arguments, masks_given=False)
    for name, value, least, most in (
        ("--simulated", count, 1, _MOST_SIMULATED),
        ("--seed", arguments.seed, 0, 2**63 - _MOST_SIMULATED),
    ):
        if not least <= value <= most:
            raise InputError(f"must be from {least} to {most}, is {value}", field=name)
    with progress_bar("simulating", "frames") as show:
        return list(_simulated(arguments.seed, count, show))


def _read_all(
    files: Sequence[Path], masks: Sequence[Path], meaning: MaskMeaning, hdu: str | None
) -> list[_Frame]:
    """The frames with what their masks say. Raises InputError."""
    reader = MaskReader(meaning)
    given: Sequence[Path | None] = masks or [None] * len(files)
    frames = [_read(file, mask, reader, hdu) for file, mask in zip(files, given, strict=True)]
    reader.check_met()
    return frames


def _read(file: Path, mask: Path | None, reader: MaskReader, hdu: str | None) -> _Frame:
    """A frame with what its mask says. Raises InputError."""
    image = Mosaic([file], stretch=True, hdu=hdu)
    height, width = image.shape
    if min(height, width) < WINDOW_PX:
        problem = f"{width}x{height} pixels are less than a window of {WINDOW_PX}"
        raise InputError(problem, file=file)
    pixels: Pixels = np.empty(image.shape, np.dtype(image.pixel_type))
    image.read_into(0, 0, pixels)
    frame = _Frame(printable(file.name), pixels, 2**image.bit_depth - 1, None)
    if mask is None:
        return frame
    drawing = reader.read(mask, (height, width))
    frame = replace(frame, mask=drawing.mask, void=drawing.void)
    origins = window_origins((height, width), WINDOW_PX, STRIDE_PX)
    unjudged = int((~frame.judged(origins)).sum())
    if unjudged == len(origins):
        problem = "leaves no window to judge: each holds a pixel of --mask-void"
        raise InputError(problem, file=mask, field="mask")
    if unjudged:
        say(f"{mask}: {unjudged} of {len(origins)} windows hold pixels that nobody judged")
    return frame


def _simulated(seed: int, count: int, show: Callable[[int, int], None]) -> Iterator[_Frame]:
    """Frames of elements of their size, of the seeds from ``seed`` on, and their masks."""
    for number in range(count):
        truth = simulate_element((_FRAME_PX, _FRAME_PX), seed + number)
        scan = SimulatedScan(truth)
        pixels: Pixels = np.empty(scan.info.frame_shape, scan.info.dtype)
        scan.read_into(0, pixels)
        lines = [(trace.vertices, trace.fwhm_px) for trace in truth.scratches]
        mask = mask_of_lines(lines, scan.info.frame_shape)
        show(number + 1, count)
        yield _Frame(f"simulated {seed + number}", pixels, scan.info.full_scale, mask)
