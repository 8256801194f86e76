"""``darkscan score``: the score of every window of ordinary images."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from darkscan.cli.output import say
from darkscan.pipeline.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.errors import ExitCode, InputError, StorageError
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.recipe import Inspection
from darkscan.pipeline.storage import write_atomically

if TYPE_CHECKING:
    from darkscan.drivers.images import Mosaic
    from darkscan.stages.inference import Seen

_BATCH = 32
_LARGEST_LEVEL = 2**16 - 1
_MOST_THREADS = 1024
_SUFFIX = ".npz"
_SHIPPED = Path("default")  # stands for the shipped model file

_EPILOG = """\
examples:
  darkscan score plate.png --out scores.npz
  darkscan score tile-*.tif --out scores/         (scores/tile-1.scores.npz ...)
  darkscan score deep.fits --full-scale 65535 --model mine.onnx --out deep.npz

--out ending in .npz is the file to write, for one image; anything else is a folder, in
which every image gets its NAME.scores.npz. A file holds two arrays: origins (N, 2) int,
y and x of each window's first pixel, and scores (N,) float, the probability of scratch.
Windows start at every multiple of the stride, and once more flush with the far border.
An image smaller than a window is padded to one by reflection at its far borders.
PNG, TIFF, JPEG and FITS are read, grey or colour, of 8 or 16 bits; fractions, gaps and
wider ranges are brought to 16 bits, linearly, fine enough for their noise.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "score",
        help="score every window of ordinary images",
        description="Writes the score of each window of images of any size, on the full grid.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="an image file")
    parser.add_argument(
        "--out", type=Path, required=True, help="FILE.npz for one image, or a folder"
    )
    parser.add_argument("--model", type=Path, help="a model file (default: the shipped one)")
    parser.add_argument("--threads", type=int, help="of the network (default: all cores)")
    parser.add_argument(
        "--full-scale",
        type=int,
        metavar="G",
        help="the camera's largest grey level (default: 255 for 8-bit images, for others that "
        "of the least of 10, 12, 14 and 16 bits that holds the highest level)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from darkscan.drivers.images import Mosaic

    outputs = _outputs(arguments.images, arguments.out)
    require_writable(arguments.out)
    threads = checked_threads(arguments.threads)
    with model_file(arguments.model) as model:
        scorer = ModelScorer(model, threads=threads)
    for image, out in zip(arguments.images, outputs, strict=True):
        mosaic = Mosaic([image], stretch=True)
        full_scale = _full_scale(arguments.full_scale, mosaic)
        with progress_bar(f"scoring {image.name}", "rows") as show:
            origins, scores = score_image(mosaic, scorer, full_scale, show)
        _write(out, origins, scores)
        _report(mosaic, scorer, scores, out)
    return ExitCode.OK


class ModelScorer:
    """Scores windows with a model file, on the CPU and without torch."""

    def __init__(self, file: Path, *, threads: int) -> None:
        """Loads the model. Raises InputError if it is none, or none for our windows."""
        from darkscan.stages.inference import OnnxRuntimeBackend, read_conventions

        self.info = read_conventions(file).fit(Inspection(), file=file)
        self._backend = OnnxRuntimeBackend(file, threads=threads, batch=_BATCH)

    def frame(
        self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float
    ) -> npt.NDArray[np.float32]:
        """Probabilities (N,) of the windows of a frame (H, W) whose first pixels are given.

        Windows that overlap know of each other, as in a scan.
        """
        from darkscan.stages.inference import scores_in_context

        seen = self.alone(pixels, origins, full_scale)
        return scores_in_context(seen, origins, self.info.window)

    def alone(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> "Seen":
        """What the model sees in each of the windows by itself."""
        gains, offsets = gains_and_offsets(*window_extrema(pixels, origins, self.info.window))
        return self._backend.see(pixels, origins, gains, offsets, round(full_scale))

    def __call__(self, windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
        """Probabilities (N,) of windows (N, side, side): one below the other, a frame."""
        count, height, width = windows.shape
        if not count:
            return np.empty(0, np.float32)
        origins = np.stack([np.arange(count) * height, np.zeros(count)], axis=1).astype(np.int32)
        return self.frame(windows.reshape(count * height, width), origins, full_scale)


def score_image(
    mosaic: "Mosaic",
    scorer: ModelScorer,
    full_scale: int,
    show: Callable[[int, int], None],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Origins (N, 2), y and x, and scores (N,) of all windows of an image.

    Row of windows by row of windows, so that of a large image only a band is in the
    network's hands; then each window learns what those it overlaps saw. A side shorter
    than a window is padded by reflection at its end.
    ``show`` is told the rows that are done, and how many there are.
    """
    from darkscan.stages.inference import Seen, scores_in_context

    height, width = mosaic.shape
    window, stride = scorer.info.window, scorer.info.stride
    padding = (max(0, window - height), max(0, window - width))
    origins = window_origins((height + padding[0], width + padding[1]), window, stride)
    rows = np.unique(origins[:, 0])
    band: Pixels = np.empty((min(window, height), width), np.dtype(mosaic.pixel_type))
    parts = []
    for done, y in enumerate(rows.tolist(), start=1):
        mosaic.read_into(y, 0, band)
        padded = cast("Pixels", np.pad(band, ((0, padding[0]), (0, padding[1])), mode="reflect"))
        within = origins[origins[:, 0] == y] - np.array([y, 0], np.int32)
        parts.append(scorer.alone(padded, within, full_scale))
        show(done, len(rows))
    scores, lines = zip(*parts, strict=True)
    known = [part for part in lines if part is not None]
    seen = Seen(np.concatenate(scores), np.concatenate(known) if known else None)
    return origins.astype(np.int64), scores_in_context(seen, origins, scorer.info.window)


@contextmanager
def model_file(given: Path | None) -> Iterator[Path]:
    """The model file that was given, or the shipped one for none and for ``default``."""
    shipped = files("darkscan") / "models" / "default.onnx"
    with as_file(shipped) if given in {None, _SHIPPED} else nullcontext(given) as path:
        yield path


@contextmanager
def progress_bar(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on a terminal, nothing elsewhere; tell it (done, total)."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def checked_threads(given: int | None) -> int:
    """How many threads to use. Raises InputError for an impossible number."""
    if given is None:
        return len(os.sched_getaffinity(0))
    if not 1 <= given <= _MOST_THREADS:
        raise InputError(f"must be from 1 to {_MOST_THREADS}, is {given}", field="--threads")
    return given


def require_writable(out: Path) -> None:
    """Raises StorageError, before any work, if nothing could be written at ``out``."""
    above = out if out.is_dir() else out.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise StorageError(out, f"{above} is not a directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError(out, f"{above} is not writable")


def _outputs(images: Sequence[Path], out: Path) -> list[Path]:
    """The file of each image. Raises InputError if two images would share one."""
    if out.suffix == _SUFFIX:
        if out.is_dir():
            raise StorageError(out, "is a directory")
        if len(images) > 1:
            problem = f"must be a folder for {len(images)} images, not one {_SUFFIX} file"
            raise InputError(problem, file=out, field="--out")
        return [out]
    if out.exists() and not out.is_dir():
        problem = f"must end in {_SUFFIX} or be a folder"
        raise InputError(problem, file=out, field="--out")
    named: dict[Path, Path] = {}
    for image in images:
        target = out / f"{image.stem}.scores{_SUFFIX}"
        if target in named:
            problem = f"has the same name as {named[target]}: both would be {target.name}"
            raise InputError(problem, file=image)
        named[target] = image
    return list(named)


def _full_scale(given: int | None, mosaic: "Mosaic") -> int:
    if given is None:
        return int(2**mosaic.bit_depth - 1)
    if not max(1, mosaic.highest) <= given <= _LARGEST_LEVEL:
        problem = (
            f"must be from the image's highest level, {mosaic.highest}, "
            f"to {_LARGEST_LEVEL}, is {given}"
        )
        raise InputError(problem, file=mosaic.paths[0], field="--full-scale")
    return given


def _write(out: Path, origins: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> None:
    content = io.BytesIO()
    np.savez(content, origins=origins, scores=scores)
    write_atomically(out, content.getvalue())


def _report(
    mosaic: "Mosaic", scorer: ModelScorer, scores: npt.NDArray[np.float32], out: Path
) -> None:
    name, window = mosaic.paths[0].name, scorer.info.window
    height, width = mosaic.shape
    if min(height, width) < window:
        say(f"{name}: {width}x{height} pixels, padded to {window} by reflection")
    if mosaic.stretched:
        say(f"{name}: {mosaic.stretched}")
    over = int((scores >= scorer.info.threshold).sum())
    say(
        f"{name}: {len(scores)} window{'s'[: len(scores) > 1]}, {over} at or over the threshold "
        f"{scorer.info.threshold:.4f}, highest {scores.max():.4f} -> {out}"
    )
