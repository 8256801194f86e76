"""Turns the buffers of a pass in motion into frames: area frames on the fly, and line scans."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkscan.drivers.camera.lines import Assembled, LineAssembler
from darkscan.drivers.motion.history import History
from darkscan.drivers.planning import LiveScan, Pass, ScanPlan
from darkscan.drivers.planning.plan import AXES
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import FrameFlag
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Arrived, Latched, Track
from darkscan.stages.acquisition._capture import Exposure, FrameWriter, Loss
from darkscan.stages.acquisition._collector import Block, Collector

_NANOSECONDS = 1_000
_LATE_PERIODS = 0.5
_TOLERANCE_PX = 5.0


@dataclass(frozen=True)
class Triggering:
    """How frames are triggered in motion, and when their places are believed."""

    axis: int
    """The axis that moves: 0 for x, 1 for y."""

    exposure_us: float
    uncertainty_um: float
    """Of a latched place, one standard deviation."""

    tolerance_mm: float
    """A place further than this from its trigger's is not believed."""

    counts_triggers: bool = True
    """Whether the camera's own count of triggers may be believed."""

    period_s: float = 0.0
    """The time from trigger to trigger. Where the count is not believed it tells that a trigger
    was missed; 0: nothing does."""


@dataclass(frozen=True)
class _Waiting:
    """A frame that was written and waits for its place."""

    exposure: Exposure
    trigger: int
    timestamp_ns: int


class FlyCollector:
    """Collects frames that are triggered in motion."""

    def __init__(
        self,
        writer: FrameWriter,
        the_pass: Pass,
        triggering: Triggering,
        history: History | None,
    ) -> None:
        """``history``: places come by time stamps; None: by the compare output's latches."""
        assert the_pass.compare is not None, "a pass on the fly has triggers"
        self._writer = writer
        self._frames = the_pass.trigger_frames
        self._wanted = set(the_pass.frames)
        self._compare = the_pass.compare
        self._triggering = triggering
        self._half_exposure_ns = triggering.exposure_us * _NANOSECONDS / 2
        self._period_ns = triggering.period_s * 1e9
        self._history = history
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
        exposure = self._writer.lease(self._frames[trigger])
        if exposure is None:
            self._lose(trigger, FrameFlag.NO_ROOM)
            return
        buffer.copy_into(exposure.pixels)
        self._writer.correct(exposure)
        self._waiting.append(_Waiting(exposure, trigger, buffer.timestamp_ns))
        self._place()

    def _trigger_of(self, block: Block) -> int:
        """Which trigger took a frame; loses count where one seems to have been missed."""
        counter = block.counter
        if self._triggering.counts_triggers and counter is not None and counter > 0:
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
            self._writer.discard(waiting.exposure)
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
            off = place[self._triggering.axis] - planned
            if not math.isfinite(off) or abs(off) > self._triggering.tolerance_mm:
                self._writer.discard(waiting.exposure)
                note = f"measured {off:+.3f} mm from where it was triggered"
                self._lose(waiting.trigger, FrameFlag.UNPLACED, note)
                continue
            self._writer.capture(
                waiting.exposure,
                place,
                uncertainty_um=uncertainty,
                exposure_ns=waiting.timestamp_ns,
            )
        self._waiting = still

    def _find(self, waiting: _Waiting) -> tuple[Sequence[float], float] | None:
        if self._history is None:
            place = self._latches.get(waiting.trigger)
            return None if place is None else (place, self._triggering.uncertainty_um)
        found = self._history.at(waiting.timestamp_ns + round(self._half_exposure_ns))
        return None if found is None else (found[0].tolist(), found[1])

    def _lose(self, trigger: int, flag: FrameFlag, note: str = "") -> None:
        frame = self._frames[trigger]
        if frame in self._wanted:
            self.losses[frame] = Loss(flag, note)


class LineCollector:
    """Collects the frames of a strip of lines.

    Rows are the plan's rows of the strip, ``plan.line_step_mm`` apart; frames keep that grid
    whichever way the axis runs and wherever lines are missing, so nothing that follows a gap
    is shifted.
    """

    def __init__(
        self,
        writer: FrameWriter,
        plan: ScanPlan,
        the_pass: Pass,
        zero: Arrived,
        *,
        encoder_step_mm: float,
    ) -> None:
        """``zero``: where the axes stood when the camera's encoder was reset.

        ``encoder_step_mm``: what a count means, signed.
        """
        self._writer = writer
        self._axis = AXES[plan.axis]
        self._zero = zero
        self._count_mm = encoder_step_mm
        self._row_mm = plan.line_step_mm
        planned = [writer.planned(frame) for frame in the_pass.frames]
        starts = {one.meta.frame: one.strip_row for one in planned}
        first = planned[0]
        self._starts = starts
        self._origin_mm = first.stage_mm[self._axis] - first.strip_row * self._row_mm
        self._assembler = LineAssembler(
            [(f, starts[f]) for f in the_pass.frames], plan.rows, self._lease
        )
        self._exposures: dict[FrameId, Exposure] = {}
        self._open = set(the_pass.frames)
        self._shift_rows = 0.0
        self._uncounted = 0
        self._shift_known = False
        self.losses: dict[FrameId, Loss] = {}

    @property
    def settled(self) -> bool:
        """Whether every frame of the strip is whole, or can no longer become so."""
        return not self._open

    def take(self, buffer: Block) -> None:
        """Copies a block's rows to the frames they belong to."""
        if buffer.encoder is None:
            self._uncounted += 1  # its lines have no place: as if they had not come
            return
        along_mm = self._zero.position_mm[self._axis] + buffer.encoder * self._count_mm
        rows = (along_mm - self._origin_mm) / self._row_mm
        if not self._shift_known:
            # The encoder's zero does not lie on the plan's rows; all lines share the rest.
            self._shift_rows = float(rows[0] - np.rint(rows[0]))
            self._shift_known = True
        for done in self._assembler.add(buffer, np.rint(rows - self._shift_rows).astype(np.int64)):
            self._close(done)

    def hear(self, message: Latched | Track) -> None:
        """The encoder tells enough."""

    def finish(self) -> None:
        """No more lines come."""
        for done in self._assembler.finish():
            self._close(done)
        for frame in sorted(self._open):
            self.losses[frame] = Loss(FrameFlag.LOST, "no line of it came")
        self._open.clear()

    def _lease(self, frame: FrameId) -> Pixels | None:
        exposure = self._writer.lease(frame)
        if exposure is None:
            return None
        self._exposures[frame] = exposure
        return exposure.pixels

    def _close(self, done: Assembled) -> None:
        self._open.discard(done.frame)
        exposure = self._exposures.pop(done.frame, None)
        if exposure is not None and done.pixels_ready:
            self._writer.correct(exposure)
            self._writer.capture(
                exposure,
                self._stage_of(done.frame),
                uncertainty_um=self._zero.uncertainty_um,
                exposure_ns=done.first_line_ns,
            )
            return
        if exposure is not None:
            self._writer.discard(exposure)
        if done.no_room:
            self.losses[done.frame] = Loss(FrameFlag.NO_ROOM)
        else:
            note = f"{done.missing_rows} lines missing"
            if self._uncounted:
                note += f"; {self._uncounted} blocks came without encoder counts"
            self.losses[done.frame] = Loss(FrameFlag.INCOMPLETE, note)

    def _stage_of(self, frame: FrameId) -> tuple[float, float, float]:
        """Where the axes stood for a frame's row 0."""
        place: list[float] = list(self._zero.position_mm)
        place[self._axis] = (
            self._origin_mm + (self._starts[frame] + self._shift_rows) * self._row_mm
        )
        return place[0], place[1], place[2]


class PassCollectors:
    """Begins the collector of each pass."""

    def __init__(self, scan: LiveScan, writer: FrameWriter) -> None:
        self._scan = scan
        self._writer = writer

    def begin(self, the_pass: Pass, start: Arrived) -> Collector:
        """The collector of a pass whose axes stand still at its start."""
        rig, plan = self._scan.rig, self._scan.plan
        motion = rig.motion
        if plan.mode == "line":
            assert motion.encoder_step_um is not None, "the rig file is checked for it"
            sign = -1.0 if motion.encoder_axis_reversed else 1.0
            return LineCollector(
                self._writer,
                plan,
                the_pass,
                start,
                encoder_step_mm=sign * motion.encoder_step_um / 1000.0,
            )
        haste = 1.0 if rig.simulation is None else rig.simulation.time_scale
        triggering = Triggering(
            axis=AXES[plan.axis],
            exposure_us=rig.camera.exposure_us,
            uncertainty_um=motion.uncertainty_um,
            tolerance_mm=_TOLERANCE_PX * plan.info.pitch_um / 1000.0,
            counts_triggers=rig.camera.trigger_counter,
            period_s=plan.frame_step_mm / plan.velocity_mm_s / haste,
        )
        by_time = motion.positions == "timestamps"
        history = History(motion.uncertainty_um) if by_time else None
        return FlyCollector(self._writer, the_pass, triggering, history)
