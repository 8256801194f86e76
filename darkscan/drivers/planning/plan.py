"""A planned scan: every frame and where the axes stand for it, strip by strip."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import Settings
from darkscan.pipeline.core.units import Finite, FiniteMm, FrameId
from darkscan.pipeline.transport.messages import Axis, Compare, Place

AXES: dict[Axis, Literal[0, 1]] = {"x": 0, "y": 1}
"""Where an axis stands in a Place."""

_NAME = "scan.json"


class PlannedFrame(Settings):
    """A frame of the plan."""

    meta: FrameMeta
    """Number, strip and place of pixel corner (0, 0) on the element; no time yet."""

    stage_mm: Place
    """Where the axes stand when it is taken; for line scan when its row 0 is."""

    strip_row: int = Field(default=0, ge=0)
    """Line scan: its row 0 among the strip's rows, which are counted in the direction in which
    rows ascend on the element; else 0."""


class ScanPlan(Settings):
    """A scan, before anything moves."""

    mode: Literal["step", "fly", "line"]
    axis: Axis
    """Along which strips run."""

    info: ScanInfo
    frames: tuple[PlannedFrame, ...]
    """By number, which is the order in which they are taken."""

    line_step_mm: Finite = 0.0
    """Line scan: how far the axis moves from row to row of a frame, signed; else 0."""

    encoder_divider: int = Field(default=0, ge=0)
    """Line scan: how many encoder counts make a line; else 0."""

    frame_step_mm: float = Field(gt=0)
    """From frame to frame along a strip: how far the axis moves."""

    pixel_mm: float = Field(gt=0)
    """How far the axis moves for the element to wander by one pixel."""

    rows: int = Field(ge=1)
    """Rows of a frame."""

    velocity_mm_s: float
    """Along a strip; step and stare: between places."""

    velocity_set_by: str = "motion.velocity_mm_s"
    """The field of the rig file that keeps the velocity from being higher."""

    run_up_mm: float
    """Over-scan at each end of a strip: acceleration and settling."""

    overlap_px: tuple[int, int]
    """The overlap of neighbouring frames within a strip, and of neighbouring strips."""

    focused: bool = False
    """Whether z follows the element's plane; else the z axis is to stay where it stands."""

    defocus_um: float = 0.0
    """How far z is from the element's plane at the worst place of a frame."""

    seconds: float
    """How long the scan takes from its first place on if it never waits."""

    strips: int
    strip_bytes: int
    """Pixels of the largest strip."""

    strip_seconds: float
    """How long the frames of the largest strip take to come."""


class Pass(Settings):
    """One movement along a strip, for all its frames or for those to be taken again."""

    strip: int
    frames: tuple[FrameId, ...]
    """In the order in which they come."""

    axis: Axis
    direction: Literal[1, -1]
    """Whether the axis moves up or down."""

    start_mm: Place
    """Where the sweep begins, over-scan included; step and stare: the first frame's place."""

    end_mm: FiniteMm
    """Where it ends along the axis."""

    reach_mm: tuple[Place, Place]
    """The lowest and the highest positions of the axes on the way."""

    focused: bool
    """Whether z is part of the way; else the z axis is to stay where it stands."""

    compare: Compare | None = None
    """On the fly: the triggers, one for each frame of the range from the first of ``frames`` to
    the last, those in between that are not wanted included; ``trigger_frames`` names them."""

    trigger_frames: tuple[FrameId, ...] = ()
    """On the fly: the frame of each trigger."""


class LiveScan(Settings):
    """A rig, how its places are measured, and the plan it carries out."""

    rig: Rig
    rig_file: Path
    """Named in errors."""

    geometry: Geometry
    corrects: bool = True
    """Whether frames are corrected by the rig's flat field, if it has one."""

    forced: bool = False
    """Whether an expired or foreign calibration is used all the same."""

    plan: ScanPlan

    def write(self, run_dir: Path) -> None:
        """Leaves the description where ``read`` finds it."""
        (run_dir / _NAME).write_text(self.model_dump_json(), encoding="utf-8")

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Reads what ``write`` left. Raises InputError if the run is no rig's scan."""
        path = run_dir / _NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"holds no scan of a rig: {error.strerror}", file=run_dir) from error
        except ValidationError as error:
            raise InputError("holds no scan of a rig", file=path) from error


@contextmanager
def naming(rig_file: Path) -> Iterator[None]:
    """Adds the rig file's name to InputErrors about one of its keys that are raised inside."""
    try:
        yield
    except InputError as error:
        table = (error.field or "").partition(".")[0]
        if error.file is not None or table not in Rig.model_fields:
            raise
        raise InputError(error.problem, file=rig_file, field=error.field) from error
