"""The buffers of one pass become frames: what every kind of scan has in common."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.messages import Latched, Track
from darkscan.pipeline.units import FrameId
from darkscan.stages.acquisition.darkroom import Loss


class Block(Protocol):
    """What an intake needs of a camera's buffer."""

    @property
    def number(self) -> int:
        """Of the frames or blocks since the camera was armed, from 0; lost ones count."""

    @property
    def incomplete(self) -> int:
        """How many just before this one came incomplete."""

    @property
    def timestamp_ns(self) -> int:
        """On the camera's clock."""

    @property
    def encoder(self) -> npt.NDArray[np.int64] | None:
        """Each line's count (rows,) since the camera was armed."""

    @property
    def counter(self) -> int | None:
        """Triggers that the camera has seen since it was armed, this frame's included."""

    def copy_into(self, out: Pixels, rows: slice = ..., *, reverse: bool = False) -> None:
        """Writes rows of it into ``out`` (n, width)."""


class Intake(Protocol):
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
