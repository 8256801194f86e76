"""What classification asks of whatever runs the model."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels

FloatArray = npt.NDArray[np.float32]


class Seen(NamedTuple):
    """What a model sees in N windows, each for itself.

    ``scores`` (N,) float32 probability of scratch; ``lines`` (N, cells, cells) float32
    probability that a scratch crosses a cell, None if the model has no line map.
    """

    scores: FloatArray
    lines: FloatArray | None


class Backend(Protocol):
    """Runs one model on one device."""

    def see(
        self,
        frame: Pixels,
        origins: npt.NDArray[np.int32],
        gains: FloatArray,
        offsets: FloatArray,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Seen:
        """Scores N windows of a frame.

        frame: (H, W) uint8 or uint16; origins: (N, 2), first pixel (y, x) of each window;
        gains, offsets: (N,), the brightness adjustment; full_scale: the camera's largest
        grey level. ``between_batches`` is called between two passes of the network.
        The scores depend on nothing else: not on threads, load or what ran before.
        """
