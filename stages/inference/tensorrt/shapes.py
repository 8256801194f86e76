"""The one shape of frame and windows that an engine is built for."""

from typing import NamedTuple, Self

from darkscan.pipeline.grid import window_origins
from darkscan.stages.inference.conventions import Conventions
from darkscan.stages.inference.feeding import even_parts
from darkscan.stages.inference.whole_frames import fitted_shape

_MOST_WINDOWS = 256  # in one pass: a 2048x2048 frame has 225
_WINDOWS_APART = 64  # of passes: their addresses must be multiples of 256 bytes


class Shapes(NamedTuple):
    """A frame of height x width pixels of ``depth`` bytes, and ``windows`` of it at once."""

    height: int
    width: int
    depth: int
    windows: int

    @classmethod
    def of_frames(
        cls,
        conventions: Conventions,
        frame_shape: tuple[int, int],
        depth: int,
        *,
        context: int = 0,
        stride: int | None = None,
    ) -> Self:
        """For the frames (height, width) of a scan, their pixels ``depth`` bytes.

        ``context``: how many pixels of its neighbours surround each frame. ``stride``: from
        window to window, pixels; left out, the model's. A dense model takes the frame enlarged
        to what it can see, and all windows at once; a windowed one takes them in passes of one
        size. Raises InputError for a frame smaller than a window.
        """
        surrounded = (frame_shape[0] + 2 * context, frame_shape[1] + 2 * context)
        stride = stride or conventions.stride
        windows = len(window_origins(frame_shape, conventions.window, stride))
        if conventions.form == "dense":
            return cls(*fitted_shape(surrounded), depth, windows)
        if windows > _MOST_WINDOWS:
            part = even_parts(windows, _MOST_WINDOWS)
            windows = part + -part % _WINDOWS_APART
        return cls(*surrounded, depth, windows)

    def passes(self, windows: int) -> int:
        """In how many passes so many windows of a frame go; 0 if they cannot be parted so."""
        passes = -(-windows // self.windows)
        return passes if passes == 1 or self.windows % _WINDOWS_APART == 0 else 0

    @property
    def of_inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input of the model that could be of another."""
        windows = self.windows
        return {
            "frame": (self.height, self.width, self.depth),
            "origins": (windows, 2),
            "gains": (windows,),
            "offsets": (windows,),
        }

    def __str__(self) -> str:
        return f"{self.width}x{self.height}, {8 * self.depth} bits, {self.windows} windows"
