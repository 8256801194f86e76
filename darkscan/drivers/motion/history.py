"""The places of the axes at any time, interpolated between the samples of the records."""

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array

Times = npt.NDArray[np.int64]

_NS = 1e-9
_KEPT = 20_000  # samples
_MM_TO_UM = 1000.0


class History:
    """Samples of the three axes on the records' clock, and places interpolated between them.

    ``uncertainty_um`` is one standard deviation of a sample.
    """

    def __init__(self, uncertainty_um: float) -> None:
        self._uncertainty_um = uncertainty_um
        self._times: Times = np.empty(0, np.int64)
        self._positions: Float64Array = np.empty((0, 3))

    def add(self, times_ns: npt.ArrayLike, positions_mm: npt.ArrayLike) -> None:
        """Takes (N,) times, ns, and (N, 3) positions, mm; drops those not newer."""
        times = np.asarray(times_ns, np.int64)
        positions = np.asarray(positions_mm, np.float64).reshape(-1, 3)
        known = self._times[-1] if len(self._times) else np.iinfo(np.int64).min
        latest = np.maximum.accumulate(np.concatenate([[known], times]))
        newer = latest[1:] > latest[:-1]
        self._times = np.concatenate([self._times, times[newer]])[-_KEPT:]
        self._positions = np.concatenate([self._positions, positions[newer]])[-_KEPT:]

    def clear(self) -> None:
        """Forgets all samples."""
        self._times, self._positions = self._times[:0], self._positions[:0]

    def at(self, time_ns: int) -> tuple[Float64Array, float] | None:
        """Position (3,), mm, and its uncertainty, um; None where no two samples enclose the time.

        The axes are taken to move evenly from sample to sample; how far they bend there is
        seen from the neighbouring samples, and adds to the uncertainty.
        """
        after = int(np.searchsorted(self._times, time_ns))
        if after < len(self._times) and self._times[after] == time_ns:
            return self._positions[after].copy(), self._uncertainty_um
        if not 0 < after < len(self._times):
            return None
        begin, end = self._times[after - 1], self._times[after]
        share = (time_ns - int(begin)) / int(end - begin)
        position = self._positions[after - 1] * (1 - share) + self._positions[after] * share
        bend_um = self._bend(after) * share * (1 - share) * 4.0 * _MM_TO_UM
        return position, float(np.hypot(self._uncertainty_um, bend_um))

    def _bend(self, after: int) -> float:
        """How far the path may lie off the line in the middle of two samples, mm."""
        first, last = max(after - 2, 0), min(after + 2, len(self._times))
        times = (self._times[first:last] - self._times[first]) * _NS
        places = self._positions[first:last]
        duration = float(self._times[after] - self._times[after - 1]) * _NS
        if len(times) == 2:  # noqa: PLR2004 - nothing is known of what was before and after
            return float(np.linalg.norm(places[1] - places[0])) / 2.0
        speeds = np.diff(places, axis=0) / np.diff(times)[:, None]
        changes = 2.0 * np.diff(speeds, axis=0) / (times[2:] - times[:-2])[:, None]
        return float(np.linalg.norm(changes, axis=1).max()) * duration**2 / 8.0
