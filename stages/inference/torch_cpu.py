"""Torch on the CPU: the reference that the other backends are compared with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darkscan.stages.inference.backend import FrameWindows, Pending, Seen
from darkscan.stages.inference.feeding import (
    Feed,
    constant_feed,
    joined,
    on_threads,
    part_of,
    window_feed,
)
from darkscan.stages.inference.onnx_runtime import read_conventions
from darkscan.stages.inference.torch_program import Program, read_network
from darkscan.stages.inference.whole_frames import fitted

_MOST_SHAPES = 4


class TorchBackend:
    """Runs a model file on ``threads`` cores: ``batch`` windows at a time, or a whole frame."""

    def __init__(self, model: Path, *, threads: int, batch: int) -> None:
        """Raises InputError if torch cannot run the model. Threads are the whole process's."""
        self.name = f"torch on the CPU, {on_threads(threads)}"
        self.ahead = 1
        torch.set_num_threads(threads)
        self._dense = read_conventions(model).form == "dense"
        self._network = read_network(model)
        self._batch = batch
        self._wanted = ("scores", *({"lines"} & set(self._network.outputs)))
        self._programs: dict[tuple[torch.Size, ...], Program] = {}

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start; the frame is done when this returns."""
        seen = self._see(windows, full_scale, between_batches)
        return lambda: seen

    def close(self) -> None:
        """See Backend.close."""
        self._programs.clear()

    def _see(
        self, windows: FrameWindows, full_scale: int, between_batches: Callable[[], Any]
    ) -> Seen:
        if self._dense:
            windows = fitted(windows)
        count = len(windows.origins)
        constant = constant_feed(windows.frame, full_scale)
        step = count if self._dense else self._batch
        parts = []
        for first in range(0, count, max(1, step)):
            feed = constant | window_feed(part_of(windows, first, step))
            parts.append(self._pass(feed))
            between_batches()
        return joined(parts, lines="lines" in self._wanted)

    @torch.inference_mode()
    def _pass(self, feed: Feed) -> list[Any]:
        # Torch takes no read-only arrays, as the ring's are: those are copied.
        inputs = {name: torch.from_numpy(np.require(a, None, "W")) for name, a in feed.items()}
        key = tuple(tensor.shape for tensor in inputs.values())
        if key not in self._programs:
            while len(self._programs) >= _MOST_SHAPES:
                del self._programs[next(iter(self._programs))]
            self._programs[key] = Program(self._network, inputs, self._wanted)
        return [output.numpy() for output in self._programs[key](inputs)]
