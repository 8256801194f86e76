"""An engine on its device: opened, its shapes looked up, its passes enqueued."""

from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.pipeline.errors import DarkscanError
from darkscan.stages.inference.tensorrt.library import Library, listener
from darkscan.stages.inference.tensorrt.shapes import Shapes

if TYPE_CHECKING:
    from darkscan.stages.inference.device_frames import Slot

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
