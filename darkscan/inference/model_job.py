"""A model's job: the file, the frames it is run on, and how exactly it computes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from darkscan.inference.conventions import Conventions, Precision
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import PixelType, ScanInfo


@dataclass(frozen=True)
class FrameFormat:
    """The frames of a scan as a model is given them: each within a margin of its surroundings."""

    shape: tuple[int, int]
    """Height and width of the frame proper, pixels."""

    pixel_type: PixelType
    full_scale: int
    """The camera's largest grey level."""

    margin_px: int = 0
    """Pixels added on each of the four sides: the neighbours' pixels, or the frame mirrored."""

    @classmethod
    def of_scan(cls, scan: ScanInfo, margin_px: int = 0) -> Self:
        """The format of a scan's frames with a margin around each."""
        return cls(scan.frame_shape, scan.pixel_type, scan.full_scale, margin_px)

    @property
    def surrounded(self) -> tuple[int, int]:
        """Height and width of a frame with its margin, pixels."""
        height, width = self.shape
        return height + 2 * self.margin_px, width + 2 * self.margin_px

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """The pixels' dtype."""
        return np.dtype(np.uint8) if self.pixel_type == "uint8" else np.dtype(np.uint16)

    def inner(self, surrounded: Pixels) -> Pixels:
        """The frame proper (H, W), a view of the frame with its margin."""
        height, width = self.shape
        margin = self.margin_px
        return surrounded[margin : margin + height, margin : margin + width]


@dataclass(frozen=True)
class ModelJob:
    """A model file and the frames and windows that it is run on."""

    file: Path
    conventions: Conventions
    """The model file's own statements."""

    frames: FrameFormat
    stride: int
    """Step from window to window, pixels: the recipe's, see ``Conventions.fit``."""

    precision: Precision = "exact"

    @classmethod
    def read(
        cls,
        file: Path,
        frames: FrameFormat,
        *,
        stride: int | None = None,
        precision: Precision = "exact",
    ) -> Self:
        """The job of a model file, with the model's own stride if none is given.

        Raises InputError if the file is no darkscan model.
        """
        conventions = read_conventions(file)
        return cls(file, conventions, frames, stride or conventions.stride, precision)

    @property
    def dense(self) -> bool:
        """Whether the whole frame passes the network once, and not each window by itself."""
        return self.conventions.form == "dense"

    def with_shape(self, shape: tuple[int, int]) -> Self:
        """The same job on frames of another height and width, pixels without the margin."""
        return replace(self, frames=replace(self.frames, shape=shape))

    def origins(self) -> npt.NDArray[np.int32]:
        """The first pixel (y, x) of each window, (N, 2), within the frame with its margin.

        Raises InputError if a frame is smaller than a window.
        """
        origins = window_origins(self.frames.shape, self.conventions.window, self.stride)
        return origins + np.int32(self.frames.margin_px)
