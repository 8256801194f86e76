"""Torch on an NVIDIA GPU: the next frame is uploaded while the present one is computed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkscan.inference.backend import OUTPUTS, FrameWindows, Pending, Seen
from darkscan.inference.device_frames import AHEAD, DeviceFrames, Slot, on_device
from darkscan.inference.frame_windows import even_parts, fitted, fitted_shape
from darkscan.inference.model_job import ModelJob
from darkscan.inference.pytorch._program import Network, Program, read_network

_FILLS_A_GPU = 256  # windows in a pass: fewer leave most of it idle in the last layers
_CELLS = 32  # cells along each side of a window's line map
_OF_WINDOWS = {"origins", "gains", "offsets"}  # the inputs with a row for each window


class CudaBackend:
    """Runs a model file on one GPU, a whole frame from one upload.

    It is set up for the job's frames and windows; for others, and for more windows, it sets
    itself up anew when they come. The job's precision "exact" computes in float32, without the
    GPU's TF32; "half" runs the convolutions in float16, and brightness adjustment, sums and
    heads in float32.
    """

    def __init__(self, job: ModelJob, *, device: int, batch: int) -> None:
        """Raises InputError if torch cannot run the model, DarkscanError if the GPU fails.

        ``batch``: the windows that pass a windowed network at once, more where they leave most
        of the GPU idle.
        """
        self._dense = job.dense
        self._network = read_network(job.file)
        self._half = torch.float16 if job.precision == "half" else None
        self._most = max(batch, _FILLS_A_GPU)
        self._device = device
        with on_device(device):
            gpu = torch.cuda.get_device_name(device)
        self.name = f"torch on {gpu}{', float16' if self._half else ''}"
        self.ahead = AHEAD
        # The same frame gives the same scores, whatever ran before and in every worker.
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self._memory: list[npt.NDArray[np.uint8]] = []
        surrounded = job.frames.surrounded
        shape = fitted_shape(surrounded) if self._dense else surrounded
        self._shape = (*shape, job.frames.dtype.itemsize)
        self._windows = len(job.origins())
        self._frames = self._set_up()

    def pin(self, memory: npt.NDArray[np.uint8]) -> bool:
        """Lets frames that lie in ``memory`` be uploaded from where they are.

        Otherwise, and where CUDA refuses (False), each is copied once more on the host. The
        memory must stay mapped until ``close``.
        """
        self._memory.append(memory)
        return self._frames.pin(memory)

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start; returns once the frame's upload and work are under way."""
        if self._dense:
            windows = fitted(windows)
        frame, count = windows.frame, len(windows.origins)
        if not count:
            nothing = Seen.none()
            return lambda: nothing
        shape = (*frame.shape, frame.itemsize)
        # Windows that are only there to fill places would shape a dense model's adjustment.
        fits = count == self._windows if self._dense else count <= self._windows
        if shape != self._shape or not fits:
            self._frames.close()
            self._shape, self._windows = shape, count
            self._frames = self._set_up()
        return self._frames.start(windows, full_scale, between_batches=between_batches)

    def close(self) -> None:
        """See Backend.close."""
        self._frames.close()

    def _set_up(self) -> DeviceFrames:
        """Buffers for frames of the present shape, and the captured work on them."""
        step = self._windows if self._dense else even_parts(self._windows, self._most)
        places = -(-self._windows // step) * step
        inputs = {
            "frame": self._shape,
            "origins": (places, 2),
            "gains": (places,),
            "offsets": (places,),
            "full_scale": (),
        }
        outputs: dict[str, tuple[int, ...]] = {"scores": (places,)}
        for name in OUTPUTS[1:]:
            if name in self._network.outputs:
                outputs[name] = (places, _CELLS, _CELLS)
        compute = _InParts(self._network, tuple(outputs), step, self._half)
        frames = DeviceFrames(self._device, inputs, outputs, compute)
        for memory in self._memory:
            frames.pin(memory)
        return frames


class _InParts:
    """The network on all windows of a slot, ``step`` at a time."""

    def __init__(
        self, network: Network, wanted: tuple[str, ...], step: int, half: torch.dtype | None
    ) -> None:
        self._network = network
        self._wanted = wanted
        self._step = step
        self._half = half
        self._program: Program | None = None

    @torch.no_grad()
    def __call__(self, slot: Slot, _stream: int) -> None:
        for first in range(0, len(slot.inputs["origins"]), self._step):
            part = slice(first, first + self._step)
            inputs = {
                name: tensor[part] if name in _OF_WINDOWS else tensor
                for name, tensor in slot.inputs.items()
            }
            for name, output in zip(self._wanted, self._run(inputs), strict=True):
                slot.outputs[name][part].copy_(output)

    def _run(self, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
        if self._program is None:
            self._program = Program(self._network, inputs, self._wanted, half=self._half)
        return self._program(inputs)
