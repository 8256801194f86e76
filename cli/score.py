"""``darkscan score``: the score of every window of ordinary images."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from darkscan.cli.models import model_file
from darkscan.cli.options import add_hdu, checked_threads, require_writable
from darkscan.cli.output import say
from darkscan.cli.progress_bar import progress_bar
from darkscan.cli.scoring import ModelScorer, score_image
from darkscan.pipeline.errors import ExitCode, InputError, StorageError
from darkscan.pipeline.storage import write_atomically

if TYPE_CHECKING:
    from darkscan.drivers.images import Mosaic

_LARGEST_LEVEL = 2**16 - 1
_SUFFIX = ".npz"

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
PNG, TIFF, JPEG and FITS are read, grey or colour, of up to 16 bits (docs/formats.md);
fractions, gaps and wider ranges are brought to 16 bits, linearly, fine enough for their
noise.
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
    add_hdu(parser)
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
        mosaic = Mosaic([image], stretch=True, hdu=arguments.hdu)
        full_scale = _full_scale(arguments.full_scale, mosaic)
        with progress_bar(f"scoring {image.name}", "rows") as show:
            origins, scores = score_image(mosaic, scorer, full_scale, show)
        _write(out, origins, scores)
        _report(mosaic, scorer, scores, out)
    return ExitCode.OK


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
