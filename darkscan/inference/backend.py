"""The interface between classification and the library that runs the model."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema

OUTPUTS = ("scores", "lines", "kinds")
"""The outputs of a model that are used, where it has them; float32, N windows first."""


class Seen(NamedTuple):
    """The model's outputs for N windows, each seen for itself.

    ``scores`` (N,) float32 probability of scratch; ``lines`` (N, cells, cells) float32
    probability that a scratch crosses a cell, None if the model has no line map; ``kinds``
    (N, cells, cells) float32 the number of each cell's likeliest kind plus its probability,
    None if the model does not tell kinds.
    """

    scores: Float32Array
    lines: Float32Array | None
    kinds: Float32Array | None = None

    @classmethod
    def of(cls, outputs: Mapping[str, Float32Array]) -> Self:
        """From a model's outputs by their names."""
        return cls(outputs["scores"], outputs.get("lines"), outputs.get("kinds"))

    @classmethod
    def none(cls) -> Self:
        """Of no window at all."""
        return cls(np.empty(0, np.float32), None)

    def part(self, some: slice | npt.NDArray[np.intp]) -> "Seen":
        """Of some of the windows."""
        return Seen(*(None if each is None else each[some] for each in self))  # type: ignore[arg-type]


class FrameWindows(NamedTuple):
    """The windows of one frame, as a backend is given them.

    ``frame`` (H, W) uint8 or uint16, C-contiguous; ``origins`` (N, 2) int32, first pixel
    (y, x) of each window; ``gains`` and ``offsets`` (N,) float32, the brightness adjustment.
    """

    frame: Pixels
    origins: npt.NDArray[np.int32]
    gains: Float32Array
    offsets: Float32Array

    @classmethod
    def adjusted(cls, frame: Pixels, origins: npt.NDArray[np.int32], window: int) -> Self:
        """Windows of ``window`` pixels with the adjustment that preprocessing would find."""
        return cls(frame, origins, *gains_and_offsets(*window_extrema(frame, origins, window)))


Pending = Callable[[], Seen]
"""A frame under way: called, it waits until the frame is done and gives its scores and lines."""


def _nothing() -> None:
    pass


class Backend(Protocol):
    """Runs one model on one device."""

    name: str
    """The library that runs the model, and where: for people."""

    ahead: int
    """Frames that are best started before the first is asked back: 1 where they are
    computed one after the other anyway, more where the next one's upload overlaps."""

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = _nothing,
    ) -> Pending:
        """Begins to score the windows of a frame; the frame must stay until it is done.

        full_scale: the camera's largest grey level. ``between_batches`` is called between
        two passes of the network, here or in the pending call. The scores depend on nothing
        else: not on threads, load or what ran before.
        """

    def close(self) -> None:
        """Frees the device."""


@runtime_checkable
class FetchesFrames(Protocol):
    """A backend whose device can fetch frames by itself from memory that was made known to it."""

    def pin(self, memory: npt.NDArray[np.uint8]) -> bool:
        """Makes memory known to the device; False if it cannot, and frames are copied first.

        The memory must stay mapped until the backend is closed.
        """


def see(backend: Backend, windows: FrameWindows, full_scale: int) -> Seen:
    """Scores the windows of one frame and waits for them."""
    return backend.start(windows, full_scale)()
