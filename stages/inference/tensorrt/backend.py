"""TensorRT on an NVIDIA GPU, with engines that ``darkscan engine build`` made for it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.errors import DarkscanError
from darkscan.stages.inference.backend import FrameWindows, Pending, Seen
from darkscan.stages.inference.tensorrt.finding import find_engine
from darkscan.stages.inference.tensorrt.opening import OpenEngine
from darkscan.stages.inference.tensorrt.wanted import Wanted
from darkscan.stages.inference.whole_frames import fitted

if TYPE_CHECKING:
    from darkscan.stages.inference.device_frames import DeviceFrames


class TensorRTBackend:
    """Runs a model's engine on one GPU; of several that are fit, the one built last.

    Frames are of the shape (height, width) that is wanted, enlarged if the model is dense,
    and have no more windows than that shape and stride give. Raises InputError if there is no
    GPU, library or engine for it, DarkscanError for whatever TensorRT or CUDA refuses later.
    """

    def __init__(
        self, model: Path, wanted: Wanted, *, device: int, folder: Path | None = None
    ) -> None:
        """``folder``: where engines are looked for; left out, where they are built."""
        found = find_engine(model, device, wanted, folder=folder)
        conventions, library, engine = found.conventions, found.library, found.engine
        self._dense = conventions.form == "dense"
        self._windows = engine.shapes.windows
        self.name = (
            f"{library.name} {library.version} on {found.device.name} (GPU {device}), "
            f"{engine.arithmetic}"
        )

        # With torch, which is not for those who only ask whether there is a GPU.
        from darkscan.stages.inference import device_frames

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
            return lambda: Seen(np.empty(0, np.float32), None)
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
