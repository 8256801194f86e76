"""The base of the backends on a processor: a frame is computed where it lies, pass by pass."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any

from darkscan.inference.backend import OUTPUTS, FrameWindows, Pending, Seen
from darkscan.inference.conventions import Conventions
from darkscan.inference.frame_windows import Feed, constant_feed, fitted, joined, part_of
from darkscan.pipeline.core.arrays import Float32Array


class CpuBackend(ABC):
    """Runs a model on some cores: ``batch`` windows at a time, or a whole frame."""

    def __init__(
        self, library: str, conventions: Conventions, outputs: Collection[str], *, batch: int
    ) -> None:
        """``library``: what runs the model, for people; ``outputs``: those that it has."""
        self.name = library
        self.ahead = 1
        self._dense = conventions.form == "dense"
        self._batch = batch
        self._wanted = tuple(name for name in OUTPUTS if name in outputs)

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

    @abstractmethod
    def close(self) -> None:
        """See Backend.close."""

    @abstractmethod
    def _pass(self, constant: Feed, part: FrameWindows, places: int) -> list[Float32Array]:
        """The wanted outputs, in their order, of one pass of the network.

        constant: the inputs that all passes of the frame share; ``part`` has ``places``
        windows, in a frame's last pass as many as are left.
        """

    def _windows_a_pass(self, count: int) -> int:
        """How many of a frame's ``count`` windows, one or more, pass a windowed network at once."""
        return min(count, self._batch)

    def _see(
        self, windows: FrameWindows, full_scale: int, between_batches: Callable[[], Any]
    ) -> Seen:
        if self._dense:
            windows = fitted(windows)
        count = len(windows.origins)
        if not count:
            return Seen.none()
        constant = constant_feed(windows.frame, full_scale)
        # Batches never mix frames, so a frame's scores do not depend on its neighbours.
        # A whole frame's pass is not divided: most of it would be done again for each part.
        places = count if self._dense else self._windows_a_pass(count)
        parts = []
        for first in range(0, count, places):
            parts.append(self._pass(constant, part_of(windows, first, places), places))
            between_batches()
        return joined(parts, self._wanted)
