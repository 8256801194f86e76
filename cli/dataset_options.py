"""The options of ``darkscan dataset build``, and what they stand for."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.cli.mask_options import add_mask_options, read_mask_meaning
from darkscan.cli.options import add_hdu
from darkscan.drivers.simulation import PRESETS
from darkscan.pipeline.errors import InputError

if TYPE_CHECKING:
    from darkscan.network.datasets import Counts, LeftOut, MarkedImage, Options, Shares, Source
    from darkscan.network.datasets.marks import Marks
    from darkscan.network.datasets.mask_reading import MaskReader

_SPLITS = ("train", "validation", "test")
_MOST_WINDOWS = 10_000_000
_MOST_ELEMENTS = 100_000


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Adds every option of a build."""
    parser.add_argument("--out", type=Path, required=True, help="the data set to write")
    parser.add_argument("--force", action="store_true", help="overwrite an existing data set")
    images = parser.add_argument_group("images (several of these may be given)")
    images.add_argument("images", metavar="IMAGE", type=Path, nargs="*", help="an image file")
    images.add_argument(
        "--masks", type=Path, metavar="DIR", help="folder of the IMAGEs' masks: PNG, same stem"
    )
    images.add_argument(
        "--mask-suffix", default="", metavar="TEXT", help="what a mask's stem adds to its image's"
    )
    images.add_argument(
        "--pairs", type=Path, metavar="FILE", help="list of images and masks: IMAGE,MASK a line"
    )
    images.add_argument("--coco", type=Path, metavar="FILE", help="annotations of a COCO file")
    images.add_argument(
        "--coco-images", type=Path, metavar="DIR", help="where its images lie (default: beside it)"
    )
    images.add_argument(
        "--labelme", type=Path, nargs="+", metavar="FILE", default=[], help="labelme files"
    )
    images.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME",
        help="a label or category of scratches; again for more (default: all of them)",
    )
    images.add_argument(
        "--line-px", type=int, default=5, help="width of a scratch drawn as a line (default: 5)"
    )
    add_hdu(images)
    images.add_argument(
        "--crowd",
        choices=("void", "marks"),
        default="void",
        help="what COCO annotations with iscrowd are: regions that nobody judged, or marks as all "
        "others, as CVAT means its masks (default: void)",
    )
    images.add_argument(
        "--unsized",
        action="store_true",
        help="believe outlines that do not say how large their picture was",
    )
    images.add_argument(
        "--leave-out",
        action="store_true",
        help="leave images out whose marks do not fit or are not understood, and name them "
        "(default: refuse them)",
    )
    add_mask_options(parser.add_argument_group("what the pixels of masks mean"))
    images.add_argument("--simulated", type=int, metavar="N", help="N simulated elements")
    images.add_argument(
        "--preset",
        default="optic",
        help=f"how dirty they are, of {', '.join(sorted(PRESETS))}; several with commas "
        "in between take turns (default: optic)",
    )
    images.add_argument("--frame", type=int, default=2048, help="their side, px (default: 2048)")
    images.add_argument(
        "--bit-depth",
        type=int,
        metavar="B",
        help="bits of a grey level (default: 8, for 16-bit images the least of 10, 12, 14 and "
        "16 that holds their levels)",
    )
    windows = parser.add_argument_group("windows")
    windows.add_argument(
        "--windows",
        type=int,
        default=33377,
        metavar="N",
        help="how many, in the proportions of the paper's Table I (default: 33377, as there)",
    )
    windows.add_argument(
        "--counts",
        metavar="S/B,S/B,S/B",
        help="scratch/background windows of each split instead (Table I: "
        "16800/14120,582/414,754/707)",
    )
    windows.add_argument(
        "--split",
        default="80:12:20",
        metavar="T:V:T",
        help="shares of the images for train, validation, test; 0 leaves one out "
        "(default: 80:12:20, as the paper)",
    )
    windows.add_argument(
        "--scratch-shares",
        default="8:1:1",
        metavar="G:U:R",
        help="scratch windows by Gaussian, uniform and random sampling (default: 8:1:1)",
    )
    windows.add_argument(
        "--background-shares",
        default="1:6:3",
        metavar="G:U:R",
        help="background windows by the same (default: 1:6:3)",
    )
    windows.add_argument(
        "--spread",
        type=float,
        default=64.0,
        metavar="PX",
        help="standard deviation of Gaussian sampling (default: 64)",
    )
    windows.add_argument("--seed", type=int, default=1, help="which windows (default: 1)")


def read_options(arguments: argparse.Namespace) -> "Options":
    """How to build. Raises InputError naming the option that is wrong."""
    from darkscan.network.datasets import Options, Sampling

    for name, value, least, most in (
        ("--windows", arguments.windows, 6, _MOST_WINDOWS),
        ("--seed", arguments.seed, 0, 2**31),
        ("--spread", arguments.spread, 1, 10_000),
        ("--line-px", arguments.line_px, 1, 255),
        ("--bit-depth", arguments.bit_depth, 8, 16),
        ("--simulated", arguments.simulated, 1, _MOST_ELEMENTS),
        ("--frame", arguments.frame, 256, 16384),
    ):
        if value is not None and not least <= value <= most:
            raise InputError(f"must be from {least} to {most}, is {value}", field=name)
    split = _three(arguments.split, "--split")
    return Options(
        windows=arguments.windows,
        counts=_counts(arguments.counts, split),
        images=dict(zip(_SPLITS, split, strict=True)),
        sampling=Sampling(
            _shares(arguments.scratch_shares, "--scratch-shares"),
            _shares(arguments.background_shares, "--background-shares"),
            arguments.spread,
        ),
        seed=arguments.seed,
        bit_depth=arguments.bit_depth,
    )


def read_sources(arguments: argparse.Namespace) -> "tuple[list[Source], list[LeftOut]]":
    """The images to cut, and those left out. Raises InputError naming the file or option."""
    marked, left_out = _marked(arguments)
    sources: list[Source] = [*marked, *_simulated(arguments)]
    if left_out and not sources:
        problem = f"all images are left out, {left_out[0].name} as {left_out[0].reason}"
        raise InputError(problem, field="--leave-out")
    if not sources:
        problem = "no image is given: name images with --masks, or --pairs, --coco, --labelme "
        raise InputError(problem + "or --simulated")
    return sources, left_out


def _marked(arguments: argparse.Namespace) -> "tuple[list[MarkedImage], list[LeftOut]]":
    """The images with marks that can be used, and those without."""
    from darkscan.network.datasets import LeftOut, MarkedImage, MarksError
    from darkscan.network.datasets.mask_reading import MaskReader
    from darkscan.network.datasets.masks import check_stems

    given = bool(arguments.images) or arguments.pairs is not None
    masks = MaskReader(read_mask_meaning(arguments, masks_given=given))
    pairs = _pairs(arguments, masks)
    check_stems(image for image, _ in pairs)
    marked: list[MarkedImage] = []
    left_out: list[LeftOut] = []
    for image, marks in pairs:
        try:
            marked.append(MarkedImage(image, marks, arguments.line_px, arguments.hdu))
        except MarksError as error:
            if not arguments.leave_out:
                raise
            left_out.append(LeftOut(image.name, error.reason))
    masks.check_met()
    return marked, left_out


def _pairs(arguments: argparse.Namespace, masks: "MaskReader") -> "list[tuple[Path, Marks]]":
    """Every image with its marks."""
    from darkscan.network.datasets.coco import CocoOptions, read_coco
    from darkscan.network.datasets.labelme import read_labelme
    from darkscan.network.datasets.masks import masks_by_list, masks_by_name

    if arguments.images and arguments.masks is None:
        problem = "is given without --masks: where its scratches lie is unknown"
        raise InputError(problem, file=arguments.images[0])
    if arguments.masks is not None and not arguments.images:
        raise InputError("needs the images that the masks belong to", field="--masks")
    if arguments.label and arguments.coco is None and not arguments.labelme:
        raise InputError("masks have no labels: only --coco and --labelme do", field="--label")
    pairs: list[tuple[Path, Marks]] = []
    if arguments.images:
        pairs += masks_by_name(arguments.images, arguments.masks, arguments.mask_suffix, masks)
    if arguments.pairs is not None:
        pairs += masks_by_list(arguments.pairs, masks)
    if arguments.coco is not None:
        options = CocoOptions(
            arguments.coco_images, arguments.label, arguments.crowd, arguments.unsized
        )
        pairs += read_coco(arguments.coco, options)
    if arguments.labelme:
        pairs += read_labelme(arguments.labelme, arguments.label, unsized=arguments.unsized)
    if arguments.hdu is not None and not pairs:
        raise InputError("simulated images are in no FITS file", field="--hdu")
    return pairs


def _simulated(arguments: argparse.Namespace) -> "list[Source]":
    from darkscan.network.datasets import SimulatedImage

    presets = arguments.preset.split(",")
    for preset in presets:
        if preset not in PRESETS:
            known = ", ".join(PRESETS)
            raise InputError(f"unknown preset {preset!r}, known are {known}", field="--preset")
    depth = arguments.bit_depth or 8
    # Elements of neighbouring seeds of a build must not come again in the next build.
    first = arguments.seed * _MOST_ELEMENTS
    return [
        SimulatedImage(first + number, presets[number % len(presets)], arguments.frame, depth)
        for number in range(arguments.simulated or 0)
    ]


def _three(text: str, field: str) -> tuple[float, float, float]:
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"{number}:{number}:{number}", text.strip())
    if match is None or not any(float(part) for part in match.groups()):
        raise InputError(f"must be three numbers like 80:12:20, is {text!r}", field=field)
    first, second, third = (float(part) for part in match.groups())
    return first, second, third


def _shares(text: str, field: str) -> "Shares":
    from darkscan.network.datasets import Shares

    return Shares(*_three(text, field))


def _counts(text: str | None, split: tuple[float, float, float]) -> "dict[str, Counts] | None":
    from darkscan.network.datasets import Counts

    if text is None:
        return None
    pairs = re.findall(r"(\d+)/(\d+)", text)
    if not re.fullmatch(r"\s*\d+/\d+(\s*,\s*\d+/\d+){2}\s*", text) or (
        max(int(number) for pair in pairs for number in pair) > _MOST_WINDOWS
    ):
        problem = f"must be like 16800/14120,582/414,754/707, is {text!r}"
        raise InputError(problem, field="--counts")
    counts = {}
    for name, share, pair in zip(_SPLITS, split, pairs, strict=True):
        counts[name] = Counts(int(pair[0]), int(pair[1]))
        if share and not min(counts[name].scratch, counts[name].background):
            problem = f"{name} is to have no window of a class, and yet a share of the images"
            raise InputError(problem, field="--counts")
    return counts
