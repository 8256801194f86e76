"""The options that say what the pixels of masks mean."""

import argparse
import math
import re
from typing import TYPE_CHECKING

from darkscan.pipeline.errors import InputError

if TYPE_CHECKING:
    from darkscan.network.datasets.mask_reading import Level, MaskMeaning

MASKS = """\
A mask is a lossless image of the same size, black where there is no scratch; all its marks
have one level or colour. Where that is not so, say what the pixels mean: labels
(--mask-values 1,2), soft edges or JPEG (--mask-above 127), pixels that nobody judged
(--mask-void 255), strokes on a transparent ground (--mask-alpha marks)."""

_OPTIONS = ("mask_values", "mask_above", "mask_void", "mask_alpha")


def add_mask_options(parser: "argparse._ActionsContainer") -> None:
    """Adds the options of every command that reads masks."""
    parser.add_argument(
        "--mask-values",
        metavar="V,V",
        help="levels of scratches in masks, or colours as '#ff0000'; all others are none",
    )
    parser.add_argument(
        "--mask-above", type=float, metavar="V", help="scratches have a level above this one"
    )
    parser.add_argument(
        "--mask-void",
        metavar="V,V",
        help="levels of pixels that nobody judged: windows with any of them count for nothing; "
        "none: there are no such levels",
    )
    parser.add_argument(
        "--mask-alpha",
        choices=("marks", "ignore"),
        help="marks: all that is not wholly transparent is a scratch; ignore: transparency means "
        "nothing",
    )


def read_mask_meaning(arguments: argparse.Namespace, *, masks_given: bool) -> "MaskMeaning":
    """What was said of the pixels of masks. Raises InputError naming the option that is wrong."""
    from darkscan.network.datasets.mask_reading import MaskMeaning

    values, above, void = arguments.mask_values, arguments.mask_above, arguments.mask_void
    for name in _OPTIONS:
        if getattr(arguments, name) is not None and not masks_given:
            problem = "says what masks mean, but no mask is given"
            raise InputError(problem, field="--" + name.replace("_", "-"))
    if above is not None and not math.isfinite(above):
        raise InputError(f"must be a number, is {above}", field="--mask-above")
    if values is not None and above is not None:
        raise InputError("is given with --mask-values: choose one", field="--mask-above")
    levels = () if values is None else _levels(values, "--mask-values")
    unjudged = None if void is None else () if void == "none" else _levels(void, "--mask-void")
    if arguments.mask_alpha == "marks" and (levels or unjudged or above is not None):
        problem = "marks is given: then levels of masks mean nothing, and none can be named"
        raise InputError(problem, field="--mask-alpha")
    for level in set(levels) & set(unjudged or ()):
        raise InputError(f"{level} is among --mask-values as well", field="--mask-void")
    return MaskMeaning(levels, above, unjudged, arguments.mask_alpha)


def _levels(text: str, field: str) -> "tuple[Level, ...]":
    return tuple(_level(word.strip(), field) for word in text.split(","))


def _level(word: str, field: str) -> "Level":
    if re.fullmatch("#([0-9a-fA-F]{6}|[0-9a-fA-F]{12})", word):
        digits = len(word) // 3
        red, green, blue = (int(word[1 + n * digits : 1 + (n + 1) * digits], 16) for n in range(3))
        return red, green, blue
    if re.fullmatch(r"-?\d{1,10}", word):
        return int(word)
    raise InputError(
        f"must be levels like 1,2 or colours like '#ff0000', has {word!r}", field=field
    )
