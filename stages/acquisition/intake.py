"""The buffers of one pass become frames: what every kind of scan has in common."""

from typing import Protocol

from darkscan.drivers.camera import Buffer
from darkscan.pipeline.messages import Latched, Track
from darkscan.pipeline.units import FrameId
from darkscan.stages.acquisition.darkroom import Loss


class Intake(Protocol):
    """Writes what the camera delivers into the ring, and captures what has a place."""

    @property
    def losses(self) -> dict[FrameId, Loss]:
        """Frames of the pass that were lost so far, and why."""

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected: every frame was captured or is lost."""

    def take(self, buffer: Buffer) -> None:
        """The camera delivered something; copied once, here."""

    def hear(self, message: Latched | Track) -> None:
        """The motion unit tells where the axes were."""

    def finish(self) -> None:
        """The pass is over: what was not captured is lost now."""
