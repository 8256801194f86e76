"""What a run wants of an engine, and whether one is fit for it."""

from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.scan import PixelType
from darkscan.stages.inference.conventions import Conventions, Precision
from darkscan.stages.inference.tensorrt.engines import Arithmetic
from darkscan.stages.inference.tensorrt.shapes import Shapes
from darkscan.stages.inference.whole_frames import fitted_shape


@dataclass(frozen=True)
class Wanted:
    """The frames and windows that an engine must take, and how exactly it must compute."""

    frame_shape: tuple[int, int] | None = None
    """Height and width of the frames with the context around them; left out, any will do."""

    pixel_type: PixelType | None = None
    """Left out, either will do."""

    stride: int | None = None
    """Step from window to window, pixels; left out, the model's."""

    context: int = 0
    """Pixels of its neighbours around each frame."""

    precision: Precision = "exact"

    @property
    def depth(self) -> int | None:
        """Bytes of a pixel, if it is known."""
        return None if self.pixel_type is None else np.dtype(self.pixel_type).itemsize

    def passes(self, shapes: Shapes, conventions: Conventions) -> int:
        """In how many passes an engine of a model takes a frame's windows; 0: not at all.

        A dense model takes all windows at once, and no others: they shape its adjustment.
        Raises InputError for frames smaller than a window.
        """
        if self.depth not in {None, shapes.depth}:
            return 0
        if self.frame_shape is None:
            return 1
        windows = len(window_origins(self._own_shape, conventions.window, self._step(conventions)))
        frame = (shapes.height, shapes.width)
        if conventions.form == "dense":
            return int(frame == fitted_shape(self.frame_shape) and windows == shapes.windows)
        return shapes.passes(windows) if frame == self.frame_shape else 0

    def rank(self, arithmetic: Arithmetic) -> int | None:
        """How much engines of an arithmetic are wanted, 0 the most; None: not at all.

        Those of "fp32" leave the file's types as they are: they are exact, eight-bit ones too.
        """
        exact = arithmetic == "fp32"
        if self.precision == "exact":
            return 0 if exact else None
        return int(exact)

    def frames(self, conventions: Conventions) -> str:
        """The frames, for people; nothing where any will do."""
        if self.frame_shape is None:
            return ""
        height, width = self._own_shape
        around = f" in a context of {self.context}" if self.context else ""
        step = self._step(conventions)
        finer = f" with a stride of {step}" if step != conventions.stride else ""
        return f"frames of {width}x{height}{around}{finer}"

    def options(self, conventions: Conventions) -> str:
        """What makes ``darkscan engine build`` build one."""
        options = []
        if self.frame_shape is not None:
            height, width = self._own_shape
            options.append(f"--frame {width}x{height}")
        if self.context:
            options.append(f"--context {self.context}")
        if self._step(conventions) != conventions.stride:
            options.append(f"--stride {self.stride}")
        if self.depth is not None:
            options.append(f"--depth {8 * self.depth}")
        if self.precision == "half" and conventions.precision == "float32":
            options.append("--precision fp16")
        return " ".join(options)

    @property
    def _own_shape(self) -> tuple[int, int]:
        """Height and width of the frames without their context."""
        assert self.frame_shape is not None, "asked only where it is known"
        height, width = self.frame_shape
        return height - 2 * self.context, width - 2 * self.context

    def _step(self, conventions: Conventions) -> int:
        return self.stride or conventions.stride
