"""Acquisition from a recording: frames as fast as slots come free, or as they were taken."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from darkscan.drivers.recording import DamagedFrameError
from darkscan.pipeline.core.scan import FrameSource
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.station import Station
from darkscan.stages.acquisition._custody import Custody

_log = structlog.get_logger(__name__)


class ReplayAcquisition:
    """Feeds the frames of a source to preprocessing."""

    def __init__(
        self,
        run_dir: Path,
        spec: RunSpec,
        source: FrameSource,
        station: Station,
        look_back: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """``look_back``: called when all frames were read; what the map has to say of them."""
        self._station = station
        self._source = source
        self._look_back = look_back
        self._warnings: tuple[str, ...] | None = None
        self._recorded_speed = spec.speed == "recorded"
        self._custody = Custody(run_dir, spec, station, source.frames, read=source.read_into)
        self._todo = deque(
            index for index, meta in enumerate(source.frames) if not self._custody.knows(meta.frame)
        )
        self._began = time.monotonic()
        self._index = {meta.frame: index for index, meta in enumerate(source.frames)}
        todo = (source.frames[index] for index in self._todo)
        self._first_exposure_ns = next((meta.exposure_ns for meta in todo if meta.usable), 0)

    def run(self) -> None:
        """Works until it is told to stop; merging's map ends the run, not this."""
        while not self._station.stopping:
            for message in self._custody.messages():
                _log.warning("unexpected message", kind=type(message).__name__)
            self._custody.resend_overdue()
            for frame in self._custody.unsettled():
                self._todo.append(self._index[frame])
                self._warnings = None
            if self._todo and self._may_take():
                self._take(self._todo.popleft())
            else:
                if not self._todo:
                    self._end_if_settled()
                self._station.wait(self._seconds_to_next())
            sums = self._custody.sums
            self._station.beat(sums.captured, sums=sums, queue=len(self._todo))

    def _end_if_settled(self) -> None:
        if self._warnings is None:
            self._warnings = self._look_back()
        self._custody.end_if_settled(self._warnings)

    def _may_take(self) -> bool:
        if self._custody.stop is not None or not self._source.frames[self._todo[0]].usable:
            return True
        return bool(self._custody.free) and self._seconds_to_next() <= 0

    def _seconds_to_next(self) -> float:
        """How long the recording says to wait for the next frame; unknown is a while."""
        if not self._todo or not self._custody.free:
            return 1.0
        if not self._recorded_speed:
            return 0.0
        exposure_ns = self._source.frames[self._todo[0]].exposure_ns
        since_first = (exposure_ns - self._first_exposure_ns) / 1e9
        return self._began + since_first - time.monotonic()

    def _take(self, index: int) -> None:
        meta = self._source.frames[index]
        if self._custody.stop is not None:
            self._custody.lose(meta, f"not taken: {self._custody.stop.reason}")
            return
        if not meta.usable:
            self._custody.lose(meta, meta.problem)
            return
        started = time.monotonic_ns()
        room = self._custody.lease(meta.frame)
        assert room is not None, "a frame is taken when there is room"
        pixels, ref = room
        try:
            self._source.read_into(index, pixels)
        except DamagedFrameError as error:
            self._custody.give_back(ref)
            self._custody.lose(meta, error.reason)
            return
        except Exception:  # noqa: BLE001 - a frame that breaks us must not stop the scan
            # The map says that it cannot be read; why in detail may differ from run to run.
            _log.exception("frame cannot be read", frame=meta.frame)
            self._custody.give_back(ref)
            self._custody.lose(meta, "its pixels cannot be read")
            return
        self._custody.capture(meta, ref, started)
