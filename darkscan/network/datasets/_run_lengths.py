"""Areas as COCO's run lengths (RLE): column by column, background first."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkscan.network.datasets.marks import MarksError, require_size
from darkscan.pipeline.core.arrays import Mask

_FIRST_LETTER = 48
_BITS = 5  # bits of a number in each letter; the sixth says that more follow
_LOW, _SIGN, _MORE = 0x1F, 0x10, 0x20
_LETTERS = 64
_WIDEST = 40  # bits of a run: more pixels than any image has


@dataclass(frozen=True)
class RunLengths:
    """An area of an image of ``shape`` (height, width), from the place ``name`` of a file.

    ``counts`` are the runs in pixels, or COCO's packed text of them.
    """

    name: str
    shape: tuple[int, int]
    counts: str | list[int]

    def decode(self, shape: tuple[int, int], file: Path) -> Mask:
        """The area (H, W) bool on an image of ``shape``.

        Raises MarksError naming ``file`` if the runs are for another size, damaged or empty.
        """
        require_size(self.shape, shape, file, f"{self.name}.size", "is for")
        height, width = shape
        runs = unpacked(self.counts) if isinstance(self.counts, str) else self.counts
        if min(runs, default=-1) < 0 or sum(runs) != height * width:
            problem = f"run lengths are damaged: they do not fill {width}x{height} pixels"
            raise MarksError(problem, file=file, field=self.name)
        if not sum(runs[1::2]):
            raise MarksError("marks no pixel", file=file, field=self.name)
        area = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return area.reshape(width, height).T.copy()


def unpacked(text: str) -> list[int]:
    """The runs in COCO's packed text, from the third on told as changes of the last but one.

    Each number is written in letters of five bits, the lowest first, in two's complement,
    as ``rleFrString`` of the COCO API reads it. Damaged text gives none, or runs that fit
    nothing.
    """
    runs: list[int] = []
    number, shift = 0, 0
    for letter in text:
        code = ord(letter) - _FIRST_LETTER
        if not 0 <= code < _LETTERS or shift > _WIDEST:
            return []
        number |= (code & _LOW) << shift
        shift += _BITS
        if code & _MORE:
            continue
        if code & _SIGN:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))  # noqa: PLR2004 - the third on
        number, shift = 0, 0
    return [] if shift else runs
