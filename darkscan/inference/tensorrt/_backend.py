"""TensorRT on an NVIDIA GPU: an engine on its device, and the backend that runs frames."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from darkscan.inference.backend import FrameWindows, Pending, Seen
from darkscan.inference.frame_windows import fitted
from darkscan.inference.model_job import ModelJob
from darkscan.inference.tensorrt._engines import Shapes
from darkscan.inference.tensorrt._library import Library, listener
from darkscan.inference.tensorrt._search import find_engine
from darkscan.pipeline.core.errors import DarkscanError

if TYPE_CHECKING:
    from darkscan.inference.device_frames import DeviceFrames, Slot

_OF_WINDOWS = ("origins", "gains", "offsets")


class OpenEngine:
    """An engine that takes windows of a frame in ``passes`` passes.

    The GPU must have been found to be there: without one the library crashes.
    """

    def __init__(self, library: Library, path: Path, shapes: Shapes, passes: int) -> None:
        """Raises DarkscanError, in one line, if the engine cannot be opened."""
        trt = library.trt
        self._library = library
        self._shapes = shapes
        self._passes = passes
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DarkscanError(f"{path}: cannot be read: {error.strerror}") from error
        self._runtime = trt.Runtime(listener(library))
        self._engine = self._runtime.deserialize_cuda_engine(content)
        if self._engine is None:
            reason = library.log.take()
            raise DarkscanError(f"{path}: cannot be opened, build it anew (--force): {reason}")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            reason = library.log.take()
            raise DarkscanError(f"{path}: finds no room on the device: {reason}")
        for name, shape in shapes.of_inputs.items():
            if not self._context.set_input_shape(name, shape):
                raise DarkscanError(f"{path}: takes no {name} of {shape}: {library.log.take()}")
        names = [self._engine.get_tensor_name(n) for n in range(self._engine.num_io_tensors)]
        self._outputs = {
            name: tuple(self._context.get_tensor_shape(name))
            for name in names
            if self._engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT
        }

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the inputs of all passes together."""
        windows = self._passes * self._shapes.windows
        return {**self._shapes._replace(windows=windows).of_inputs, "full_scale": ()}

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the outputs of all passes together."""
        return {name: (self._passes * n, *rest) for name, (n, *rest) in self._outputs.items()}

    def enqueue(self, slot: "Slot", stream: int) -> None:
        """Enqueues all passes over a slot's inputs. Raises DarkscanError if TensorRT refuses."""
        tensors = slot.inputs | slot.outputs
        for first in range(0, self._passes * self._shapes.windows, self._shapes.windows):
            for name, tensor in tensors.items():
                of_windows = name in _OF_WINDOWS or name in self._outputs
                part = tensor[first:] if of_windows else tensor
                if not self._context.set_tensor_address(name, part.data_ptr()):
                    raise DarkscanError(f"TensorRT: no {name}: {self._library.log.take()}")
            if not self._context.execute_async_v3(stream):
                raise DarkscanError(f"TensorRT cannot run: {self._library.log.take()}")


class TensorRTBackend:
    """Runs a model's engine on one GPU; of several that are fit, the one built last.

    Frames are of the job's format and have no more windows than its frame and stride give.
    Raises InputError if there is no GPU, library or engine for the job, DarkscanError for
    whatever TensorRT or CUDA refuses later.
    """

    def __init__(self, job: ModelJob, *, device: int, folder: Path | None = None) -> None:
        """``folder``: where engines are looked for; left out, where they are built."""
        found = find_engine(job, device, folder=folder)
        library, engine = found.library, found.engine
        self._dense = job.dense
        self._windows = engine.shapes.windows
        self.name = (
            f"{library.name} {library.version} on {found.device.name} (GPU {device}), "
            f"{engine.arithmetic}"
        )

        # Loads torch: not for callers that only ask whether there is a GPU.
        from darkscan.inference import device_frames

        self.ahead = device_frames.AHEAD
        with device_frames.on_device(device):
            opened = OpenEngine(library, found.path, engine.shapes, found.passes)
            self._frames: DeviceFrames | None = device_frames.DeviceFrames(
                device, opened.inputs, opened.outputs, opened.enqueue
            )

    def pin(self, memory: npt.NDArray[np.uint8]) -> bool:
        """See DeviceFrames.pin."""
        return self._open_frames().pin(memory)

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start."""
        count = len(windows.origins)
        if not count:
            return Seen.none
        if self._dense:
            # More windows would be as others to a dense model: they shape its adjustment.
            if count != self._windows:
                raise DarkscanError(
                    f"the engine takes {self._windows} windows a frame, not {count}: it was "
                    "built for another --frame, --context or --stride"
                )
            windows = fitted(windows)
        return self._open_frames().start(windows, full_scale, between_batches=between_batches)

    def close(self) -> None:
        """See Backend.close."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def _open_frames(self) -> "DeviceFrames":
        if self._frames is None:
            raise DarkscanError("the backend is closed")
        return self._frames
