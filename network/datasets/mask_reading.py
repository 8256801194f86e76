"""Reads masks: which pixels are scratches', and of which nobody said what they show."""

import functools
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from darkscan.drivers.images import Channels, read_channels
from darkscan.network.datasets.marks import Drawing, MarksError, require_size
from darkscan.network.datasets.truth import Mask
from darkscan.pipeline.errors import InputError

_MOST_MARKED = 0.5  # of the pixels: more is the ground, not scratches
_COLOURS = 3
_LISTED = 6  # levels in a message
_WIDEST_BYTES = 2  # of a channel of a colour
_USUAL_VOID = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}

Colour = tuple[int, int, int]
Values = npt.NDArray[np.integer[Any] | np.floating[Any]]
Level = float | Colour
"""What a pixel holds: a grey level, or red, green and blue."""


@dataclass(frozen=True)
class MaskMeaning:
    """What pixels of masks mean, where it does not go without saying.

    ``values`` are the levels of scratches; ``above`` is the level that theirs exceed.
    ``void`` are levels of pixels not to be judged, None where nothing was said of them.
    ``alpha``: "marks" if all that is not wholly transparent is a scratch, "ignore" if
    transparency means nothing.
    """

    values: tuple[Level, ...] = ()
    above: float | None = None
    void: tuple[Level, ...] | None = None
    alpha: Literal["marks", "ignore"] | None = None


class MaskReader:
    """Reads masks that belong together: they are marked with one level, or by one meaning.

    Without a meaning, pixels that are not black are scratches'. Masks that hold several
    levels, or one that another mask does not mark with, may be labels: they are refused.
    """

    def __init__(self, meaning: MaskMeaning | None = None) -> None:
        self.meaning = meaning or MaskMeaning()
        self._met: set[Level] = set()
        self._first: tuple[str, Path] | None = None
        self._masks, self._scratched = 0, 0

    def read(self, path: Path, shape: tuple[int, int]) -> Drawing:
        """The marks of a mask of an image of (height, width).

        Raises InputError if it cannot be read, MarksError if it is of another size, or it
        is not certain what it marks.
        """
        channels = read_channels(path)
        require_size(channels.values.shape[:2], shape, path, "mask")
        mask, void = self._marked(channels, path)
        if mask.mean() > _MOST_MARKED:
            problem = f"marks {mask.mean():.0%} of the pixels: black must be where no scratch is "
            raise MarksError(problem + "(--mask-values 0 reads black on white)", file=path)
        self._masks += 1
        self._scratched += bool(mask.any())
        remark = "only pixels that are not judged" if void.any() else "black mask"
        return Drawing(mask, void=void if void.any() else None, remark=remark)

    def check_met(self) -> None:
        """Raises InputError if a level that scratches were said to have is in none of the masks."""
        if not self._masks:
            return
        missing = [_text(value) for value in self.meaning.values if value not in self._met]
        if missing:
            raise InputError(f"no mask holds {_listed(missing)}", field="--mask-values")
        if self.meaning.above is not None and not self._scratched:
            problem = f"no mask holds a level above {self.meaning.above:g}"
            raise InputError(problem, field="--mask-above")

    def _marked(self, channels: Channels, path: Path) -> tuple[Mask, Mask]:
        """Which pixels (H, W) are scratches', and which are not judged."""
        meaning = self.meaning
        _check_losses(channels, meaning, path)
        if meaning.alpha == "marks":
            if channels.alpha is None:
                raise MarksError(
                    "has no transparency to mark with", file=path, field="--mask-alpha"
                )
            mask = channels.values[..., channels.alpha] != 0
            return mask, np.zeros_like(mask)
        _check_alpha(channels, meaning, path)
        pixels = _Pixels(channels.seen, path, palette_indices(path))
        void = pixels.among(meaning.void or ())
        if meaning.above is not None:
            return (pixels.brightest > meaning.above) & ~void, void
        if meaning.values:
            self._met |= {value for value in meaning.values if pixels.among([value]).any()}
            self._check_void(pixels, void, path)
            return pixels.among(meaning.values) & ~void, void
        pixels.check_palette(path)
        mask = (pixels.brightest != 0) & ~void
        self._check_levels(pixels.levels(mask), path)
        return mask, void

    def _check_levels(self, levels: list[str], path: Path) -> None:
        """Raises MarksError if marks have several levels, InputError if masks have different."""
        if len(levels) > 1:
            problem = f"marks with {len(levels)} levels ({_listed(levels)}): say which are "
            problem += "scratches (--mask-values, --mask-above), which are not to be judged "
            raise MarksError(problem + "(--mask-void)", file=path, field="mask")
        if not levels:
            return
        level, first = self._first = self._first or (levels[0], path)
        if levels[0] != level:
            problem = f"marks with {levels[0]}, but {first} with {level}: if these are labels, "
            problem += "say which are scratches (--mask-values); --mask-above 0 takes all"
            raise InputError(problem, file=path, field="mask")

    def _check_void(self, pixels: "_Pixels", void: Mask, path: Path) -> None:
        """Raises MarksError if the highest level, mostly that of void pixels, was not named."""
        usual = _USUAL_VOID.get(pixels.dtype)
        black_is_scratch = {0, (0, 0, 0)} & set(self.meaning.values)
        if self.meaning.void is not None or usual is None or black_is_scratch:
            return
        rest = pixels.among([usual]) & ~void & ~pixels.among(self.meaning.values)
        if rest.any():
            problem = f"holds {usual} as well, often the level of pixels not to be judged: say "
            problem += f"--mask-void {usual}, or --mask-void none if it means that nothing is there"
            raise MarksError(problem, file=path, field="mask")


class _Pixels:
    """What the pixels of a mask hold: grey levels, colours, or indices of a palette's colours."""

    def __init__(self, seen: Values, path: Path, indices: Values | None) -> None:
        if seen.dtype.kind == "f" and not np.isfinite(seen).all():
            raise MarksError("holds values that are not finite", file=path, field="mask")
        first, *others = (np.ascontiguousarray(part) for part in np.moveaxis(seen, 2, 0))
        if all(np.array_equal(first, other) for other in others):
            others = []
        elif seen.dtype.kind != "u" or seen.dtype.itemsize > _WIDEST_BYTES:
            raise MarksError(f"holds colours of {seen.dtype}", file=path, field="mask")
        self.dtype = seen.dtype
        self._indices = indices
        self._channels = [first, *others]
        self._highest: Values = np.maximum.reduce(self._channels)
        self.brightest = self._highest if indices is None else indices
        """The highest channel, or the index, of each pixel (H, W)."""

    def among(self, values: Iterable[Level]) -> Mask:
        """The pixels (H, W) that hold one of the values."""
        found = np.zeros(self.brightest.shape, np.bool_)
        for value in values:
            if self._indices is not None and not isinstance(value, tuple):
                found |= self._indices == value
                continue
            colour = value if isinstance(value, tuple) else (value,) * _COLOURS
            # Grey pixels hold a colour only if it is grey as well.
            channels = self._channels * (_COLOURS // len(self._channels))
            equal = (part == wanted for part, wanted in zip(channels, colour, strict=True))
            found |= functools.reduce(np.logical_and, equal)
        return found

    def levels(self, mask: Mask) -> list[str]:
        """What the pixels of a mask (H, W) hold, as a user would write it."""
        if self._indices is not None or len(self._channels) == 1:
            return [_text(level) for level in np.unique(self.brightest[mask]).tolist()]
        bits = 8 * self.dtype.itemsize
        red, green, blue = (channel[mask].astype(np.int64) for channel in self._channels)
        codes = np.unique((red << 2 * bits) | (green << bits) | blue).tolist()
        most = 2**bits - 1
        return [_text((code >> 2 * bits, code >> bits & most, code & most)) for code in codes]

    def check_palette(self, path: Path) -> None:
        """Raises MarksError if a palette's colour 0 is not its only black one."""
        if self._indices is None:
            return
        odd = self._indices[(self._indices != 0) != (self._highest != 0)]
        if odd.size:
            index = int(odd[0])
            shown = "black, as where no scratch is" if index else "another colour than black"
            problem = f"its palette shows {index} as {shown}: say which numbers are scratches "
            raise MarksError(problem + "(--mask-values)", file=path, field="mask")


def palette_indices(path: Path) -> Values | None:
    """The numbers (H, W) uint8 of the palette's colours that pixels have; None without palette."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how large an image may be is the reader's business
            with Image.open(path) as image:
                return np.asarray(image) if image.mode == "P" else None
    except (OSError, ValueError, Image.DecompressionBombError):
        return None  # of a kind without palettes


def _check_alpha(channels: Channels, meaning: MaskMeaning, path: Path) -> None:
    """Raises MarksError if it is not certain what transparency means."""
    if channels.alpha is None or meaning.alpha == "ignore":
        return
    unseen = not channels.values[..., channels.alpha].any() and bool(channels.seen.any())
    if channels.alpha_varies or unseen:
        problem = "is transparent in places: say whether what is drawn on it is the scratches "
        problem += "(--mask-alpha marks), or transparency means nothing (--mask-alpha ignore)"
        raise MarksError(problem, file=path, field="mask")


def _check_losses(channels: Channels, meaning: MaskMeaning, path: Path) -> None:
    """Raises MarksError if compression blurred levels that are to be told apart."""
    if channels.lossy and (meaning.above is None or meaning.void):
        problem = "is JPEG or compressed as JPEG is, which changes levels about every mark: save "
        problem += "it as PNG, or say the level that scratches exceed (--mask-above 127)"
        raise MarksError(problem, file=path, field="mask")


def _text(value: Level) -> str:
    """A level as a user writes it."""
    if isinstance(value, tuple):
        digits = 2 if max(value) < 2**8 else 4
        return "#" + "".join(f"{part:0{digits}x}" for part in value)
    return str(value) if isinstance(value, int) else f"{value:g}"


def _listed(levels: list[str]) -> str:
    shown = ", ".join(levels[:_LISTED])
    return shown + (", ..." if len(levels) > _LISTED else "")
