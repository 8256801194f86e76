"""``darkscan dataset``: labelled windows to train and judge networks on."""

import argparse
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from darkscan.cli.dataset_options import add_build_options, read_options, read_sources
from darkscan.cli.mask_options import MASKS
from darkscan.cli.progress import progress_bar, say
from darkscan.network.datasets import Dataset, build_dataset, contact_sheet, save_sheet
from darkscan.network.datasets.rule import RIM_PX, VISIBLE_PX
from darkscan.pipeline.core.errors import ExitCode, InputError

_EPILOG = """\
examples:
  darkscan dataset build --simulated 112 --windows 3000 --out data.h5
  darkscan dataset build plates/*.png --masks plates/masks --out data.h5
  darkscan dataset build --coco annotations.json --label scratch --out data.h5
  darkscan dataset build --labelme plates/*.json --label scratch --split 0:0:1 --out test.h5
  darkscan dataset info data.h5
  darkscan dataset sheet data.h5 --out sheet.png
"""

_BUILD_EPILOG = (
    f"""\
A window of 256x256 px is
  scratch      if at least {VISIBLE_PX:g} px of one scratch's centre line lie within it less a rim
               of {RIM_PX:g} px;
  background   if no scratch pixel and no centre line lies anywhere in it;
  left out     otherwise: what a scratch touches only at the rim is neither; so is what
               holds a pixel that nobody judged.

Marks are held against their picture: where sizes differ, or marks cannot be understood (a box
alone, an outline without area, a mask of several levels), the image is refused; --leave-out
leaves such images out and names them. It never counts as clean what is not understood.

Sampling: Gaussian about points of the scratches, uniform on the grid that an inspection
looks at, and random; random windows also stand in for what the other two cannot give.
Splits are made an image at a time: no image is in two. The same options and images give
the same bytes. docs/reference/datasets.md has the format of the file and of what marks scratches.

"""
    + MASKS
    + """

examples:
  darkscan dataset build --simulated 40 --preset optic,dirty --windows 6000 --out data.h5
  darkscan dataset build plates/*.tif --masks masks --mask-suffix _scratches --out data.h5
  darkscan dataset build --pairs pairs.csv --counts 2000/2000,200/200,200/200 --out data.h5
  darkscan dataset build plates/*.png --masks labels --mask-values 1 --mask-void 255 --out data.h5
"""
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan dataset`` and its options."""
    parser = commands.add_parser(
        "dataset",
        help="build a data set of labelled windows, describe or show one",
        description="Builds data sets of labelled windows from simulated elements and from "
        "images with marked scratches, describes them and shows them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="build a data set",
        description="Cuts labelled windows out of images with marked scratches, or out of "
        "simulated elements, and writes them to one HDF5 file.",
        epilog=_BUILD_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_build_options(build)
    build.set_defaults(run=_build)
    info = actions.add_parser(
        "info", help="say what is in a data set", description="Says what is in a data set."
    )
    info.add_argument("dataset", metavar="DATASET", type=Path, help="the data set")
    info.add_argument("--verify", action="store_true", help="read all of it and check its hash")
    info.set_defaults(run=_info)
    sheet = actions.add_parser(
        "sheet",
        help="draw windows of a data set",
        description="Draws windows of each split and class, raw and beside that equalised.",
    )
    sheet.add_argument("dataset", metavar="DATASET", type=Path, help="the data set")
    sheet.add_argument("--out", type=Path, required=True, help="the PNG to write")
    sheet.add_argument("--columns", type=int, default=6, help="windows a row (default: 6)")
    sheet.add_argument("--seed", type=int, default=1, help="which windows (default: 1)")
    sheet.set_defaults(run=_sheet)


def _build(arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    if out.exists():
        _check_replaceable(out, force=arguments.force)
    elif not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent}", file=out, field="--out")

    options = read_options(arguments)
    sources, left_out = read_sources(arguments)
    with progress_bar("sampling", "images") as show:
        show(0, len(sources))
        reports = build_dataset(
            sources, out, options, lambda done: show(done, len(sources)), left_out
        )
    for name, report in reports.items():
        wanted, found = report.wanted, report.found
        for kind, number, target in (
            ("scratch", found.scratch, wanted.scratch),
            ("background", found.background, wanted.background),
        ):
            if number < target:
                say(f"{name}: only {number} of {target} {kind} windows could be drawn")
        if report.left_out:
            say(f"{name}: {report.left_out} windows left out: neither scratch nor background")
    dataset = Dataset.open(out)
    _describe(dataset)
    dataset.close()
    sheet = out.with_suffix(".png")
    say(f"next: darkscan dataset {shlex.join(['sheet', str(out), '--out', str(sheet)])}")
    return ExitCode.OK


def _info(arguments: argparse.Namespace) -> int:
    dataset = Dataset.open(arguments.dataset)
    if arguments.verify:
        dataset.verify()
    _describe(dataset)
    manifest = dataset.manifest
    say(f"rule        {manifest['rule']}")
    sampling = manifest["sampling"]
    for kind in ("scratch", "background"):
        shares = ", ".join(f"{name} {share:g}" for name, share in sampling[kind].items())
        say(f"sampling    {kind}: {shares}")
    say(f"            spread {sampling['spread_px']:g} px, seed {manifest['seed']}")
    for name in dataset.splits:
        for line in _kinds(dataset, name):
            say(line)
    dataset.close()
    return ExitCode.OK


def _sheet(arguments: argparse.Namespace) -> int:
    for name, value, least, most in (
        ("--columns", arguments.columns, 1, 50),
        ("--seed", arguments.seed, 0, 2**63),
    ):
        if not least <= value <= most:
            raise InputError(f"must be from {least} to {most}, is {value}", field=name)
    if arguments.out.suffix.lower() != ".png":
        raise InputError("must end in .png", file=arguments.out, field="--out")

    dataset = Dataset.open(arguments.dataset)
    sheet = contact_sheet(dataset, arguments.columns, arguments.seed)
    dataset.close()
    save_sheet(sheet, arguments.out)
    say(f"{arguments.out}: {sheet.shape[1]}x{sheet.shape[0]} pixels")
    return ExitCode.OK


def _check_replaceable(out: Path, *, force: bool) -> None:
    if not force:
        raise InputError("exists already; --force overwrites it", file=out, field="--out")

    try:
        Dataset.open(out).close()
    except InputError as error:
        problem = "is no data set, and only data sets are overwritten with --force"
        raise InputError(problem, file=out, field="--out") from error


def _describe(dataset: Dataset) -> None:
    depth = dataset.manifest["bit_depth"]
    megabytes = dataset.path.stat().st_size / 1e6
    say(f"{dataset.path}: windows of 256x256 px, {depth} bits, {megabytes:.1f} MB")
    say(f"hash        {dataset.hash}")
    for name in dataset.splits:
        windows = dataset.split(name)
        scratches = int((windows.labels == 1).sum())
        images = len(dataset.sources(name))
        say(
            f"{name:<12}{len(windows)} windows: {scratches} scratch, "
            f"{len(windows) - scratches} background, of {images} image{'s'[: images != 1]}"
        )
    _describe_unused(dataset.manifest)


def _describe_unused(manifest: Mapping[str, Any]) -> None:
    """Says which images count as clean, as nothing is marked in them, and which are left out."""
    unmarked = manifest.get("unmarked", {})
    if unmarked:
        count = sum(unmarked.values())
        reasons = ", ".join(f"{reason} {number}" for reason, number in unmarked.items())
        nothing = f"image{'s'[: count != 1]}, nothing is marked in them: {reasons}"
        say(f"{'clean':<12}{count} {nothing}")
    left_out = manifest.get("left_out", [])
    if left_out:
        say(f"{'left out':<12}{len(left_out)} image{'s'[: len(left_out) != 1]}, by their marks:")
    for image in left_out:
        say(f"{'':<12}{image['name']}: {image['reason']}")


def _kinds(dataset: Dataset, split: str) -> Iterator[str]:
    """Lines that count a split's windows by sampling method and by what they show."""
    windows = dataset.split(split)
    for title, column in (("methods", windows.method), ("shows", windows.kind)):
        for label, name in ((1, "scratch"), (0, "background")):
            values, counts = np.unique(column[windows.labels == label], return_counts=True)
            parts = [
                f"{value or 'unknown'} {count}" for value, count in zip(values, counts, strict=True)
            ]
            yield f"{split:<12}{title}, {name}: {', '.join(parts)}"
    known = windows.cnr[(windows.labels == 1) & np.isfinite(windows.cnr)]
    if len(known):
        low, middle, high = np.percentile(known, [10, 50, 90])
        yield f"{split:<12}CNR of scratches: p10 {low:.1f}, median {middle:.1f}, p90 {high:.1f}"
