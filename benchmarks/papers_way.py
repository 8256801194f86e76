"""What all speed is measured against: the paper's network as one would first run it.

ResNet18 with BA, SA and CA at full width, in torch, eager, float32, channels last, 32 windows
cut out at a time. Its speed does not depend on its weights, so they are fresh.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from darkscan.network.variants import build
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.grid import window_origins

WINDOW, STRIDE, BATCH = 256, 128, 32
PAPER = "torch eager, the paper's network, batch 32"
_WINDOWS = 64

Way = Callable[[], float]


def timed(windows: int, work: Callable[[], object]) -> Way:
    """A way that gives windows/s; warmed up once."""
    work()

    def run() -> float:
        start = time.perf_counter()
        work()
        return windows / (time.perf_counter() - start)

    return run


def papers_way(frame: Pixels) -> Way:
    """Windows/s of the paper's network on some of a frame's windows."""
    network = build("afn", 1.0).eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    origins = window_origins((frame.shape[0], frame.shape[1]), WINDOW, STRIDE)[:_WINDOWS]

    @torch.inference_mode()
    def work() -> None:
        for first in range(0, _WINDOWS, BATCH):
            windows = np.stack(
                [frame[y : y + WINDOW, x : x + WINDOW] for y, x in origins[first : first + BATCH]]
            )
            network.classify(torch.from_numpy(windows.astype(np.float32)))  # type: ignore[operator]

    return timed(_WINDOWS, work)
