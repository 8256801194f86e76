"""Step and stare: one frame at rest, at the place that the motion unit reads back."""

from darkscan.pipeline.messages import Arrived, Latched, Track
from darkscan.pipeline.scan import FrameFlag
from darkscan.pipeline.units import FrameId
from darkscan.stages.acquisition.darkroom import Darkroom, Exposure, Loss
from darkscan.stages.acquisition.intake import Block


class StepIntake:
    """An Intake of a single frame: the camera is triggered once, with its room leased before."""

    def __init__(self, darkroom: Darkroom, exposure: Exposure, place: Arrived, number: int) -> None:
        """``number``: which trigger since the camera was armed takes the frame, from 0."""
        self._darkroom = darkroom
        self._exposure: Exposure | None = exposure
        self._frame = exposure.frame
        self._place = place
        self._number = number
        self.losses: dict[FrameId, Loss] = {}

    @property
    def settled(self) -> bool:
        """Whether the frame is captured or lost."""
        return self._exposure is None

    def take(self, buffer: Block) -> None:
        """Captures the frame; one that comes late, from the place before, is no use here."""
        exposure = self._exposure
        if exposure is None or buffer.number < self._number:
            return
        if buffer.number > self._number:  # ours was skipped
            self._lose(FrameFlag.INCOMPLETE if buffer.incomplete else FrameFlag.LOST)
            return
        buffer.copy_into(exposure.pixels)
        self._darkroom.correct(exposure)
        self._darkroom.capture(
            exposure,
            self._place.position_mm,
            uncertainty_um=self._place.uncertainty_um,
            exposure_ns=buffer.timestamp_ns,
        )
        self._exposure = None

    def hear(self, message: Latched | Track) -> None:
        """At rest the record's readback is the place."""

    def finish(self) -> None:
        """The camera had its time."""
        self._lose(FrameFlag.LOST)

    def _lose(self, flag: FrameFlag) -> None:
        if self._exposure is not None:
            self._darkroom.discard(self._exposure)
            self._exposure = None
            self.losses[self._frame] = Loss(flag, "triggered, but it never came whole")
