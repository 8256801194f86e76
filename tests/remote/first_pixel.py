"""The computing process of a worker in tests: scores windows by their first pixel.

    python first_pixel.py MODE RUN_DIR PARENT

MODE: plain; loops (computes for ever, deaf to signals); loads (never done with loading); dies;
hungry (takes more memory with every look).
"""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from darkscan.inference import FrameWindows, Pending, Seen
from darkscan.inference.worker_backend import WorkerBackend
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.station import Station, die_with
from darkscan.stages.classification.stage import Classification


class FirstPixel:
    """Scores windows by their first pixel."""

    name = "first pixel"
    ahead = 1

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        if self.mode == "loops":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                between_batches()
                time.sleep(0.05)
        if self.mode == "dies":
            signal.raise_signal(signal.SIGKILL)
        firsts = windows.frame[windows.origins[:, 0], windows.origins[:, 1]]
        return lambda: Seen((firsts / full_scale).astype(np.float32), None)

    def close(self) -> None:
        pass


def main() -> None:
    mode, folder, parent = sys.argv[1:]
    die_with(int(parent))
    run_dir = Path(folder)
    station = Station(run_dir, "classification", 0)
    if mode == "loads":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    if mode == "cannot":
        raise InputError("does not work here")
    station.beat(0, now=True, doing="first pixel")
    worker = WorkerBackend(FirstPixel(mode))
    Classification(run_dir, RunSpec.read(run_dir), worker, station).run()


if __name__ == "__main__":
    main()
