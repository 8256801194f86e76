"""The values of an image file as they are stored, before they become grey levels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.errors import InputError

Values = npt.NDArray[np.integer[Any] | np.floating[Any]]

MOST_PIXELS = 2**30
_DIMENSIONS = 3


@dataclass(frozen=True)
class Channels:
    """An image's values, channel by channel, and what its file says of them."""

    values: Values
    """(height, width, channels), in the file's type and native byte order: grey, or red, green
    and blue; then alpha.

    Palettes are looked up: these are their colours."""
    alpha: int | None = None
    """Which of the channels is alpha (opacity): the last one, or None if there is none."""
    lossy: bool = False
    """Whether the file's compression changes values: black may have become nearly black."""
    bits: int | None = None
    """Significant bits of a level, where the file packs levels in fewer than a byte or two."""
    undefined: npt.NDArray[np.bool_] | None = None
    """(height, width), true where the file says that a pixel has no value; None: nowhere."""

    def __post_init__(self) -> None:
        if self.values.ndim != _DIMENSIONS:
            raise ValueError(f"channels have the shape {self.values.shape}")

    @property
    def colour(self) -> bool:
        """Whether there are colours."""
        return bool(self.seen.shape[2] > 1)

    @property
    def alpha_varies(self) -> bool:
        """Whether there is an alpha channel with more than one value."""
        if self.alpha is None or not self.values.size:
            return False
        opacity = self.values[..., self.alpha]
        return bool((opacity != opacity[0, 0]).any())

    @property
    def seen(self) -> Values:
        """The channels (height, width, 1 or 3) without alpha."""
        return self.values[..., : self.alpha]


def require_size(width: int, height: int, path: Path) -> None:
    """Raises InputError for an image without pixels, or with more than are read."""
    if width < 1 or height < 1:
        raise InputError(f"is damaged: its size is given as {width}x{height} pixels", file=path)
    if width * height > MOST_PIXELS:
        problem = f"holds {width}x{height} pixels, which is more than are read (2^30): "
        raise InputError(problem + "cut it into tiles", file=path)


def not_read(
    what: str, path: Path, mend: str = "convert it to a PNG or a plain TIFF"
) -> InputError:
    """The refusal of a sound file of a kind that is not read; ``mend`` is what to do."""
    return InputError(f"is not read: {what}; {mend}", file=path)


def damaged(why: object, path: Path) -> InputError:
    """The refusal of a file that is not what it says it is."""
    return InputError(f"is damaged: {why}", file=path)
