"""Torch on the CPU: the reference that the other backends are compared with."""

from pathlib import Path

import numpy as np
import torch

from darkscan.inference.backend import FrameWindows
from darkscan.inference.cpu_backend import CpuBackend
from darkscan.inference.frame_windows import Feed, on_threads, window_feed
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.inference.pytorch._program import Program, read_network
from darkscan.pipeline.core.arrays import Float32Array

_MOST_SHAPES = 4


class TorchBackend(CpuBackend):
    """A model file on torch with ``threads`` threads; see CpuBackend."""

    def __init__(self, model: Path, *, threads: int, batch: int) -> None:
        """Raises InputError if torch cannot run the model. Threads are the whole process's."""
        torch.set_num_threads(threads)
        conventions = read_conventions(model)
        self._network = read_network(model)
        super().__init__(
            f"torch on the CPU, {on_threads(threads)}",
            conventions,
            self._network.outputs,
            batch=batch,
        )
        self._programs: dict[tuple[torch.Size, ...], Program] = {}

    def close(self) -> None:
        """See Backend.close."""
        self._programs.clear()

    @torch.inference_mode()
    def _pass(self, constant: Feed, part: FrameWindows, places: int) -> list[Float32Array]:  # noqa: ARG002
        feed = constant | window_feed(part)
        # Torch takes no read-only arrays, as the ring's are: those are copied.
        inputs = {name: torch.from_numpy(np.require(a, None, "W")) for name, a in feed.items()}
        key = tuple(tensor.shape for tensor in inputs.values())
        if key not in self._programs:
            while len(self._programs) >= _MOST_SHAPES:
                del self._programs[next(iter(self._programs))]
            self._programs[key] = Program(self._network, inputs, self._wanted)
        return [output.numpy() for output in self._programs[key](inputs)]
