"""What classification asks of whatever runs the model."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels

FloatArray = npt.NDArray[np.float32]


class Backend(Protocol):
    """Runs one model on one device."""

    def scores(
        self,
        frame: Pixels,
        origins: npt.NDArray[np.int32],
        gains: FloatArray,
        offsets: FloatArray,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> FloatArray:
        """Scores windows of a frame: (N,) float32, probability of scratch.

        frame: (H, W) uint8 or uint16; origins: (N, 2), first pixel (y, x) of each window;
        gains, offsets: (N,), the brightness adjustment; full_scale: the camera's largest
        grey level. ``between_batches`` is called between two passes of the network.
        The scores depend on nothing else: not on threads, load or what ran before.
        """
