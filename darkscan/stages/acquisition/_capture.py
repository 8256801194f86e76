"""From a camera's buffer to a captured frame: corrected, placed, and taken into custody."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from darkscan.drivers.planning import PlannedFrame, ScanPlan
from darkscan.drivers.rig import Geometry
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import LONGEST_NOTE, FrameFlag
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import FrameRef
from darkscan.stages.acquisition._custody import Custody


class Correction(Protocol):
    """A dark and flat field."""

    def correct(self, pixels: Pixels) -> None:
        """Corrects a frame in place."""


@dataclass(frozen=True)
class Loss:
    """Why a frame has no pixels, or no place."""

    flags: FrameFlag
    note: str = ""


@dataclass
class Exposure:
    """A frame that has its slot, and perhaps its pixels, but is not captured yet."""

    frame: FrameId
    pixels: Pixels
    ref: FrameRef
    started_ns: int


class FrameWriter:
    """Writes frames into slots of the ring and captures them at their measured place."""

    def __init__(
        self, custody: Custody, plan: ScanPlan, geometry: Geometry, correction: Correction | None
    ) -> None:
        self._custody = custody
        self._geometry = geometry
        self._correction = correction
        self._planned = {planned.meta.frame: planned for planned in plan.frames}

    def planned(self, frame: FrameId) -> PlannedFrame:
        """The plan's entry of a frame."""
        return self._planned[frame]

    def lease(self, frame: FrameId) -> Exposure | None:
        """Room to write a frame to; None if none is left, or the frame needs none any more."""
        if self._custody.knows(frame):
            return None
        room = self._custody.lease(frame)
        return None if room is None else Exposure(frame, *room, started_ns=time.monotonic_ns())

    def discard(self, exposure: Exposure) -> None:
        """Frees the slot of a frame that will not be captured."""
        self._custody.give_back(exposure.ref)

    def correct(self, exposure: Exposure) -> None:
        """Takes the sensor's and the optics' own pattern out of a frame just written."""
        if self._correction is not None:
            self._correction.correct(exposure.pixels)

    def capture(
        self,
        exposure: Exposure,
        stage_mm: Sequence[float],
        *,
        uncertainty_um: float,
        exposure_ns: int,
    ) -> None:
        """Sends a frame on its way, taken where the axes stood at ``stage_mm`` (x, y, z)."""
        x, y = self._geometry.stage_to_element.element_at(stage_mm[:2]).tolist()
        meta = updated(
            self._planned[exposure.frame].meta,
            position_mm=(x, y, stage_mm[2]),
            uncertainty_um=uncertainty_um,
            exposure_ns=max(exposure_ns, 0),
        )
        self._custody.capture(meta, exposure.ref, exposure.started_ns)

    def lose(self, frame: FrameId, loss: Loss) -> None:
        """A frame is given up: it ends as not inspected, at its planned place."""
        note = "".join(c if c.isprintable() else " " for c in loss.note)
        if len(note) > LONGEST_NOTE:
            note = note[: LONGEST_NOTE - 3] + "..."
        meta = updated(self._planned[frame].meta, flags=int(loss.flags | FrameFlag.LOST), note=note)
        self._custody.lose(meta, meta.problem)
