"""A planned scan: every frame and where the axes stand for it, strip by strip."""

from typing import Literal

from pydantic import Field

from darkscan.pipeline.configuration import Settings
from darkscan.pipeline.messages import Axis, Compare, Place
from darkscan.pipeline.scan import FrameMeta, ScanInfo
from darkscan.pipeline.units import FiniteMm, FrameId


class PlannedFrame(Settings):
    """A frame of the plan."""

    meta: FrameMeta
    """Number, strip and place of pixel corner (0, 0) on the element; no time yet."""

    stage_mm: Place
    """Where the axes stand when it is taken; for line scan when its row 0 is."""


class ScanPlan(Settings):
    """A scan, before anything moves."""

    mode: Literal["step", "fly", "line"]
    axis: Axis
    """Along which strips run."""

    info: ScanInfo
    frames: tuple[PlannedFrame, ...]
    """By number, which is the order in which they are taken."""

    line_step_mm: float = Field(ge=0)
    """Line scan: how far the axis moves from row to row of a frame, signed; else 0."""

    rows: int = Field(ge=1)
    """Rows of a frame."""

    velocity_mm_s: float
    """Along a strip."""

    run_up_mm: float
    """Over-scan at each end of a strip: acceleration and settling."""

    seconds: float
    """How long the scan takes if it never waits."""

    strips: int
    strip_bytes: int
    """Pixels of the largest strip."""


class Pass(Settings):
    """One movement along a strip: all of its frames, or those that are to be taken again."""

    strip: int
    frames: tuple[FrameId, ...]
    """In the order in which they come."""

    start_mm: Place
    """Where the sweep begins, over-scan included; step and stare: the first frame's place."""

    end_mm: FiniteMm
    """Where it ends along the axis."""

    compare: Compare | None
    """On the fly: the triggers, one for each frame of the range from the first of ``frames`` to
    the last, those in between that are not wanted included; ``trigger_frames`` names them."""

    trigger_frames: tuple[FrameId, ...] = ()
    """On the fly: the frame of each trigger."""
