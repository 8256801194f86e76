"""The [motion] table of a rig file: the axes, how they move, how places are measured."""

from typing import Literal

from pydantic import Field, model_validator

from darkscan.drivers.rig.base import PositiveMm, RangeMm
from darkscan.pipeline.configuration import Written
from darkscan.pipeline.units import Positive

Positions = Literal["readback", "latch", "encoder", "timestamps"]
"""How the place of a frame is known, see MotionSettings.positions."""


class CompareSettings(Written):
    """Names of the process variables of a position-compare output, which triggers the camera."""

    axis: str
    """Written before each strip: "x" or "y", the axis that is compared."""

    first: str
    """The first position that triggers, mm."""

    step: str
    """From trigger to trigger, mm, signed."""

    count: str
    """How many triggers a strip has; writing it clears the latches."""

    arm: str
    """1 arms, 0 disarms."""

    latches: str = ""
    """Waveform of the positions latched since arming, x y z x y z..., mm; left out: none."""


class AxisSettings(Written):
    """One motor record."""

    record: str = Field(min_length=1)
    """The motor record's name, without a field."""

    limits_mm: RangeMm | None = None
    """What a plan made without the motion unit takes for the soft limits. The record's own
    limits are checked before anything moves."""

    unit: Literal["mm"] | None = None
    """"mm" asserts that a record without a unit (EGU is empty) is in mm. One with another unit
    is refused."""


class MotionSettings(Written):
    """EPICS motor records of the three axes, and how they are driven in a scan."""

    x: AxisSettings
    y: AxisSettings
    z: AxisSettings | None = None
    """The focus axis; left out: the rig has none."""

    velocity_mm_s: PositiveMm
    """Speed along a strip and between places. A line scan's is what the line rate allows, at
    most this."""

    acceleration_mm_s2: PositiveMm
    """What the axes reach; it sets the over-scan at the ends of a strip."""

    settle_s: float = Field(default=0.1, ge=0, le=60)
    """From the end of a move to the exposure (step and stare), or from the end of the
    acceleration to the first trigger (on the fly and line scan)."""

    positions: Positions
    """readback: the record's, at rest (step and stare). latch: the compare output's latches (on
    the fly). timestamps: the camera's time stamps on the records' own, interpolated (on the
    fly); both clocks must be synchronized (PTP). encoder: each line's count, zeroed by the
    record at rest before a strip (line scan)."""

    uncertainty_um: Positive = 1.0
    """Of a measured position, one standard deviation, micrometres."""

    encoder_step_um: Positive | None = None
    """What a count of the camera's encoder input means (positions = "encoder", and line scan)."""

    encoder_axis_reversed: bool = False
    """Counts fall while the axis moves up."""

    compare: CompareSettings | None = None
    """The compare output that triggers the camera on the fly."""

    homed_bit: Literal["msta", "none"] = "msta"
    """Where it is seen that an axis is homed: bit 15 of MSTA, or not at all."""

    power_field: Literal["cnen", "none"] = "cnen"
    """Where it is seen that a drive is on: CNEN, where bit 12 of MSTA says that the record
    switches it; or not at all: drives that go on by themselves for each move."""

    connect_s: Positive = 5.0
    """The motion unit must answer within so long."""

    reconnect_s: float = Field(default=30.0, ge=0, le=3600)
    """A motion unit that is gone may come back within so long; then the scan ends."""

    @model_validator(mode="after")
    def _check(self) -> "MotionSettings":
        if self.positions == "latch" and (self.compare is None or not self.compare.latches):
            raise ValueError('positions = "latch" needs compare.latches')
        if self.positions == "encoder" and self.encoder_step_um is None:
            raise ValueError('positions = "encoder" needs encoder_step_um')
        return self
