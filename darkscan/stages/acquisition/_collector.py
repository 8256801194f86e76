"""Collectors turn the camera's buffers of one pass into frames; here at rest, step by step."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import FrameFlag
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Arrived, Latched, Track
from darkscan.stages.acquisition._capture import Exposure, FrameWriter, Loss


class Block(Protocol):
    """A camera's buffer, as far as a collector needs it."""

    @property
    def number(self) -> int:
        """The number of its frame or block since the camera was armed, from 0; lost ones count."""

    @property
    def incomplete(self) -> int:
        """How many buffers just before this one came incomplete."""

    @property
    def timestamp_ns(self) -> int:
        """Its time on the camera's clock."""

    @property
    def encoder(self) -> npt.NDArray[np.int64] | None:
        """Each line's count (rows,) since the camera was armed."""

    @property
    def counter(self) -> int | None:
        """Triggers that the camera has seen since it was armed, this frame's included."""

    def copy_into(self, out: Pixels, rows: slice = ..., *, reverse: bool = False) -> None:
        """Writes rows of it into ``out`` (n, width)."""


class Collector(Protocol):
    """Writes what the camera delivers into the ring, and captures what has a place."""

    @property
    def losses(self) -> dict[FrameId, Loss]:
        """Frames of the pass that were lost so far, and why."""

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected: every frame was captured or is lost."""

    def take(self, buffer: Block) -> None:
        """The camera delivered something; copied once, here."""

    def hear(self, message: Latched | Track) -> None:
        """The motion unit tells where the axes were."""

    def finish(self) -> None:
        """The pass is over: what was not captured is lost now."""


class StepCollector:
    """Collects a single frame: the camera is triggered once, its slot was leased before."""

    def __init__(
        self, writer: FrameWriter, exposure: Exposure, place: Arrived, number: int
    ) -> None:
        """``number``: which trigger since the camera was armed takes the frame, from 0."""
        self._writer = writer
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
        if buffer.number > self._number:  # the camera skipped this frame
            self._lose(FrameFlag.INCOMPLETE if buffer.incomplete else FrameFlag.LOST)
            return
        buffer.copy_into(exposure.pixels)
        self._writer.correct(exposure)
        self._writer.capture(
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
            self._writer.discard(self._exposure)
            self._exposure = None
            self.losses[self._frame] = Loss(flag, "triggered, but it never came whole")
