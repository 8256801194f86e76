"""The axes' way during a sweep, sample by sample."""

import asyncio
from collections.abc import Callable

import numpy as np

from darkscan.drivers.motion._channel_access import Sample
from darkscan.drivers.motion.history import Times
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.transport.messages import Place


class Track:
    """Collects the samples of the axis that moves; the others stand where they were."""

    def __init__(
        self, moving: int, start: Place, on_track: Callable[[Times, Float64Array], None]
    ) -> None:
        self._moving = moving
        self._place = [float(position) for position in start]
        self._on_track = on_track
        self._times: list[int] = []
        self._positions: list[list[float]] = []

    def take(self, axis: int, sample: Sample) -> None:
        """Takes note of a position of ``axis``."""
        self._place[axis] = float(sample.value)
        if axis == self._moving:
            self._times.append(sample.time_ns)
            self._positions.append(list(self._place))

    def tell(self) -> None:
        """Passes on the samples that have come since the last time."""
        if self._times:
            self._on_track(np.array(self._times, np.int64), np.array(self._positions))
            self._times, self._positions = [], []

    async def tell_every(self, seconds: float) -> None:
        """Calls ``tell`` every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.tell()
