"""Line scan: blocks of lines become frames, each row where the encoder says it lies."""

import numpy as np

from darkscan.drivers.camera.lines import Assembled, LineAssembler
from darkscan.drivers.planning import Pass, ScanPlan
from darkscan.drivers.planning.plan import AXES
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.messages import Arrived, Latched, Track
from darkscan.pipeline.scan import FrameFlag
from darkscan.pipeline.units import FrameId
from darkscan.stages.acquisition.darkroom import Darkroom, Exposure, Loss
from darkscan.stages.acquisition.intake import Block


class LineIntake:
    """An Intake of a strip of lines.

    Rows are the plan's rows of the strip, ``plan.line_step_mm`` apart; frames keep that grid
    whichever way the axis runs and wherever lines are missing, so nothing that follows a gap
    is shifted.
    """

    def __init__(
        self,
        darkroom: Darkroom,
        plan: ScanPlan,
        the_pass: Pass,
        zero: Arrived,
        *,
        encoder_step_mm: float,
    ) -> None:
        """``zero``: where the axes stood when the camera's encoder was reset.

        ``encoder_step_mm``: what a count means, signed.
        """
        self._darkroom = darkroom
        self._axis = AXES[plan.axis]
        self._zero = zero
        self._count_mm = encoder_step_mm
        self._row_mm = plan.line_step_mm
        planned = [darkroom.planned(frame) for frame in the_pass.frames]
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
        exposure = self._darkroom.lease(frame)
        if exposure is None:
            return None
        self._exposures[frame] = exposure
        return exposure.pixels

    def _close(self, done: Assembled) -> None:
        self._open.discard(done.frame)
        exposure = self._exposures.pop(done.frame, None)
        if exposure is not None and done.pixels_ready:
            self._darkroom.correct(exposure)
            self._darkroom.capture(
                exposure,
                self._stage_of(done.frame),
                uncertainty_um=self._zero.uncertainty_um,
                exposure_ns=done.first_line_ns,
            )
            return
        if exposure is not None:
            self._darkroom.discard(exposure)
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
