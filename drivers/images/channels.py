"""The values of an image file as they are stored, before they become grey levels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.integer[Any] | np.floating[Any]]


@dataclass(frozen=True)
class Channels:
    """An image's values, channel by channel, and what its file says of them."""

    values: Values
    """(height, width, channels), in the file's type: grey, or red, green and blue; then alpha.

    Palettes are looked up: these are their colours."""
    alpha: int | None = None
    """Which of the channels is alpha (opacity, or transparency's mask); None: there is none."""
    lossy: bool = False
    """Whether the file's compression changes values: black may have become nearly black."""

    @property
    def colour(self) -> bool:
        """Whether there are colours."""
        return self.values.shape[2] - (self.alpha is not None) > 1

    @property
    def alpha_varies(self) -> bool:
        """Whether there is an alpha channel with more than one value."""
        if self.alpha is None:
            return False
        opacity = self.values[..., self.alpha]
        return bool(opacity.size > 0 and (opacity != opacity[0, 0]).any())

    @property
    def seen(self) -> Values:
        """The channels (height, width, 1 or 3) without alpha."""
        if self.alpha is None:
            return self.values
        return np.delete(self.values, self.alpha, axis=2)
