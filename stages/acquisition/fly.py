"""On the fly: the compare output triggers the camera, the axes' places come a little later."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from darkscan.drivers.motion.history import History
from darkscan.drivers.planning import Pass
from darkscan.pipeline.messages import Latched, Track
from darkscan.pipeline.scan import FrameFlag
from darkscan.pipeline.units import FrameId
from darkscan.stages.acquisition.darkroom import Darkroom, Exposure, Loss
from darkscan.stages.acquisition.intake import Block

_NANOSECONDS = 1_000
_LATE_PERIODS = 0.5


@dataclass(frozen=True)
class _Waiting:
    """A frame that was written and waits for its place."""

    exposure: Exposure
    trigger: int
    timestamp_ns: int


class FlyIntake:
    """An Intake of frames that are triggered in motion."""

    def __init__(
        self,
        darkroom: Darkroom,
        the_pass: Pass,
        *,
        axis: int,
        exposure_us: float,
        uncertainty_um: float,
        history: History | None,
        tolerance_mm: float,
        counts_triggers: bool = True,
        period_s: float = 0.0,
    ) -> None:
        """``history``: places by time stamps; None: by the compare output's latches.

        ``counts_triggers``: the camera's counter may be believed; else ``period_s``, the time
        from trigger to trigger, tells that one was missed (0: nothing does).
        ``tolerance_mm``: a place further than this from its trigger's is not believed.
        """
        assert the_pass.compare is not None, "a pass on the fly has triggers"
        self._darkroom = darkroom
        self._frames = the_pass.trigger_frames
        self._wanted = set(the_pass.frames)
        self._compare = the_pass.compare
        self._axis = axis
        self._half_exposure_ns = exposure_us * _NANOSECONDS / 2
        self._uncertainty_um = uncertainty_um
        self._history = history
        self._tolerance_mm = tolerance_mm
        self._counts_triggers = counts_triggers
        self._period_ns = period_s * 1e9
        self._before: tuple[int, int] | None = None  # trigger and time stamp of the last frame
        self._lost_count = False
        self._latches: dict[int, Sequence[float]] = {}
        self._waiting: list[_Waiting] = []
        self._last = -1
        self.losses: dict[FrameId, Loss] = {}

    @property
    def settled(self) -> bool:
        """Whether every trigger is accounted for and every frame placed."""
        return self._last >= len(self._frames) - 1 and not self._waiting

    def take(self, buffer: Block) -> None:
        """Copies a frame; numbers that the camera skipped are frames lost."""
        # The camera's count of triggers is the truth where it has one: a trigger that comes
        # while it is busy takes no frame number.
        trigger = self._trigger_of(buffer)
        if self._lost_count:
            return
        for skipped in range(self._last + 1, min(trigger, len(self._frames))):
            late = trigger - skipped <= buffer.incomplete
            self._lose(skipped, FrameFlag.INCOMPLETE if late else FrameFlag.LOST)
        self._last = max(self._last, trigger)
        if trigger >= len(self._frames) or self._frames[trigger] not in self._wanted:
            return
        exposure = self._darkroom.lease(self._frames[trigger])
        if exposure is None:
            self._lose(trigger, FrameFlag.NO_ROOM)
            return
        buffer.copy_into(exposure.pixels)
        self._darkroom.correct(exposure)
        self._waiting.append(_Waiting(exposure, trigger, buffer.timestamp_ns))
        self._place()

    def _trigger_of(self, block: Block) -> int:
        """Which trigger took a frame; loses count where one seems to have been missed."""
        counter = block.counter
        if self._counts_triggers and counter is not None and counter > 0:
            return counter - 1
        now = (block.number, block.timestamp_ns)
        if self._before is not None and self._period_ns and block.timestamp_ns:
            apart = (now[1] - self._before[1]) / self._period_ns
            if apart > now[0] - self._before[0] + _LATE_PERIODS:
                self._lost_count = True
                note = f"{apart:.1f} triggers after the last: the camera missed one"
                for rest in range(block.number, len(self._frames)):
                    self._lose(rest, FrameFlag.UNPLACED, note)
                self._last = len(self._frames)
        self._before = now
        return block.number

    def hear(self, message: Latched | Track) -> None:
        """Places arrive; frames that waited for them are captured."""
        if isinstance(message, Latched):
            for number, place in enumerate(message.positions_mm.tolist(), start=message.first):
                self._latches[number] = place
        elif self._history is not None:
            self._history.add(message.times_ns, message.positions_mm)
        self._place()

    def finish(self) -> None:
        """No more frames and no more places come."""
        for waiting in self._waiting:
            self._darkroom.discard(waiting.exposure)
            self._lose(waiting.trigger, FrameFlag.UNPLACED, "no place came for it")
        self._waiting.clear()
        for trigger in range(self._last + 1, len(self._frames)):
            self._lose(trigger, FrameFlag.LOST, "the camera stopped before it")
        self._last = len(self._frames)

    def _place(self) -> None:
        still: list[_Waiting] = []
        for waiting in self._waiting:
            found = self._find(waiting)
            if found is None:
                still.append(waiting)
                continue
            place, uncertainty = found
            planned = self._compare.first_mm + waiting.trigger * self._compare.step_mm
            off = place[self._axis] - planned
            if not math.isfinite(off) or abs(off) > self._tolerance_mm:
                self._darkroom.discard(waiting.exposure)
                note = f"measured {off:+.3f} mm from where it was triggered"
                self._lose(waiting.trigger, FrameFlag.UNPLACED, note)
                continue
            self._darkroom.capture(
                waiting.exposure,
                place,
                uncertainty_um=uncertainty,
                exposure_ns=waiting.timestamp_ns,
            )
        self._waiting = still

    def _find(self, waiting: _Waiting) -> tuple[Sequence[float], float] | None:
        if self._history is None:
            place = self._latches.get(waiting.trigger)
            return None if place is None else (place, self._uncertainty_um)
        found = self._history.at(waiting.timestamp_ns + round(self._half_exposure_ns))
        return None if found is None else (found[0].tolist(), found[1])

    def _lose(self, trigger: int, flag: FrameFlag, note: str = "") -> None:
        frame = self._frames[trigger]
        if frame in self._wanted:
            self.losses[frame] = Loss(flag, note)
