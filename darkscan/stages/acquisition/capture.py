"""From a camera's buffer to a captured frame: corrected, placed, entered into the account."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from darkscan.drivers.planning import PlannedFrame, ScanPlan
from darkscan.drivers.rig import Geometry
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import LONGEST_NOTE, FrameFlag, FrameMeta
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import FrameRef
from darkscan.stages.acquisition.custody import Account


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
    """A frame in the making: leased, and perhaps written, but not captured."""

    frame: FrameId
    pixels: Pixels
    ref: FrameRef
    started_ns: int


class Darkroom:
    """Leases room for frames and captures them at their measured place."""

    def __init__(
        self, account: Account, plan: ScanPlan, geometry: Geometry, correction: Correction | None
    ) -> None:
        self._account = account
        self._geometry = geometry
        self._correction = correction
        self._planned = {planned.meta.frame: planned for planned in plan.frames}

    def planned(self, frame: FrameId) -> PlannedFrame:
        """What the plan says of a frame."""
        return self._planned[frame]

    def lease(self, frame: FrameId) -> Exposure | None:
        """Room to write a frame to; None if none is left, or the frame needs none any more."""
        if self._account.knows(frame):
            return None
        room = self._account.lease(frame)
        return None if room is None else Exposure(frame, *room, started_ns=time.monotonic_ns())

    def discard(self, exposure: Exposure) -> None:
        """Gives the room of a frame back that will not be captured."""
        self._account.give_back(exposure.ref)

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
        content = self._planned[exposure.frame].meta.model_dump()
        content |= {
            "position_mm": (x, y, stage_mm[2]),
            "uncertainty_um": uncertainty_um,
            "exposure_ns": max(exposure_ns, 0),
        }
        self._account.capture(FrameMeta.model_validate(content), exposure.ref, exposure.started_ns)

    def lose(self, frame: FrameId, loss: Loss) -> None:
        """A frame is given up: it ends as not inspected, at its planned place."""
        note = "".join(c if c.isprintable() else " " for c in loss.note)[:LONGEST_NOTE]
        meta = self._planned[frame].meta.model_copy(
            update={"flags": int(loss.flags | FrameFlag.LOST), "note": note}
        )
        self._account.lose(meta, meta.problem)
