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
    ) -> None:
        """``history``: places by time stamps; None: by the compare output's latches.

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
        trigger = buffer.number if buffer.counter is None else buffer.counter - 1
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
