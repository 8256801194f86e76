"""The tables of a rig file: [camera], [motion] and [simulation]."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from darkscan.pipeline.core.scan import PixelType
from darkscan.pipeline.core.settings import Written
from darkscan.pipeline.core.units import ElementMm, Finite, FiniteMm, Millimetres, Positive

# TOML has arrays, not tuples.
PointMm = Annotated[tuple[FiniteMm, FiniteMm], Field(strict=False)]
"""[x, y], mm."""

SpotMm = Annotated[tuple[FiniteMm, FiniteMm, FiniteMm], Field(strict=False)]
"""[x, y, z], mm."""

SizeMm = Annotated[tuple[ElementMm, ElementMm], Field(strict=False)]
"""[width, height], mm."""

RegionMm = Annotated[tuple[FiniteMm, FiniteMm, ElementMm, ElementMm], Field(strict=False)]
"""[x, y, width, height], mm."""

RangeMm = Annotated[tuple[FiniteMm, FiniteMm], Field(strict=False)]
"""[low, high], mm."""

PositiveMm = Annotated[Millimetres, Field(allow_inf_nan=False, gt=0)]
PixelFormat = Literal["Mono8", "Mono10", "Mono10p", "Mono12", "Mono12p", "Mono12Packed", "Mono16"]
"""The PFNC names that darkscan reads; p and Packed are the two ways of packing."""

BIT_DEPTHS: dict[PixelFormat, int] = {
    "Mono8": 8,
    "Mono10": 10,
    "Mono10p": 10,
    "Mono12": 12,
    "Mono12p": 12,
    "Mono12Packed": 12,
    "Mono16": 16,
}
Positions = Literal["readback", "latch", "encoder", "timestamps"]
"""How the place of a frame is known, see MotionSettings.positions."""

SIMULATED = "simulated"
"""The producer that needs no camera: the simulated rig's."""

SIMULATED_PRODUCER = "DARKSCAN_SIMULATED_PRODUCER"
"""The environment variable by which a simulated rig that runs names its producer's file."""

NodeValue = bool | int | float | str
"""The value of a camera's node."""


class CameraSettings(Written):
    """Which camera takes the frames, and how it is set before a scan."""

    producer: str = Field(min_length=1)
    """The GenTL producer, a .cti file (relative ones start from the rig file's folder), or
    "simulated"."""

    serial: str = ""
    """The camera's serial number; needed where the producer finds more than one camera."""

    kind: Literal["area", "line"]
    """Area-array or line-scan."""

    pixel_format: PixelFormat = "Mono8"
    """PFNC name of the grey levels' format. Nothing is cut to 8 bits on the way."""

    width: int = Field(ge=256, le=65_536)
    """Pixels across a frame or a line."""

    height: int = Field(ge=1, le=65_536)
    """Rows of a frame (area), or lines that the camera delivers at once (line)."""

    exposure_us: Positive
    """Exposure time, microseconds."""

    rate_hz: Positive
    """The most frames (area) or lines (line) a second that the camera can take."""

    link_mb_per_s: Positive | None = None
    """The capacity of the camera's link, 10^6 bytes a second; left out: not checked."""

    buffers: int = Field(default=16, ge=4, le=1024)
    """Buffers the producer fills in turn."""

    id_wraps_at: int = Field(default=0, ge=0)
    """The largest frame number before the camera begins again at 1 (numbers then begin at 1,
    too); GigE Vision 1.x: 65535. 0: it never does."""

    trigger_source: str = ""
    """Where frame or line triggers come from; left out: "Software" for step and stare, "Line0"
    on the fly, "Encoder0" for line scan."""

    trigger_counter: bool = False
    """Whether the camera's counter chunk (ChunkCounterValue) counts triggers from 1 since the
    acquisition began; set the counter up in [camera.nodes]. On the fly a trigger that the camera
    was too busy for is then known for what it is."""

    frame_timeout_s: Positive = 2.0
    """A triggered frame that has not come after so long is lost."""

    reconnect_s: float = Field(default=30.0, ge=0, le=3600)
    """A camera that is gone may come back within so long; then the scan ends."""

    nodes: Annotated[dict[str, NodeValue], Field(strict=False)] = Field(default_factory=dict)
    """Further nodes of the camera to set before the scan, by their own names."""

    names: dict[str, str] = Field(default_factory=dict)
    """This camera's name for a node of the Standard Features Naming Convention; "" for one that
    it has not, and that may be left alone."""

    @property
    def bit_depth(self) -> int:
        """Significant bits of a grey level."""
        return BIT_DEPTHS[self.pixel_format]

    @property
    def pixel_type(self) -> PixelType:
        """How a grey level is stored in the ring."""
        return "uint8" if self.bit_depth == 8 else "uint16"  # noqa: PLR2004

    @model_validator(mode="after")
    def _check(self) -> "CameraSettings":
        if self.kind == "area" and self.height < 256:  # noqa: PLR2004 - a window
            raise ValueError(f"height {self.height} of an area camera is less than a window's 256")
        return self


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
    """An axis, driven by an EPICS motor record."""

    record: str = Field(min_length=1)
    """The motor record's name, without a field."""

    limits_mm: RangeMm | None = None
    """The soft limits for a plan that is made without the motion unit. The record's own
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
    """The axes' acceleration; it sets the over-scan at the ends of a strip."""

    settle_s: float = Field(default=0.1, ge=0, le=60)
    """From the end of a move to the exposure (step and stare), or from the end of the
    acceleration to the first trigger (on the fly and line scan)."""

    positions: Positions
    """readback: the record's, at rest (step and stare). latch: the compare output's latches (on
    the fly). timestamps: the camera's time stamps on the records' own, interpolated (on the
    fly); both clocks must be synchronized (PTP). encoder: each line's count, zeroed by the
    record at rest before a strip (line scan)."""

    uncertainty_um: Positive = 1.0
    """Uncertainty of a measured position, one standard deviation, micrometres."""

    encoder_step_um: Positive | None = None
    """The travel of one count at the camera's encoder input (positions = "encoder", line scan)."""

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


class SimulationSettings(Written):
    """A simulated element before a simulated camera on a simulated motion unit.

    What is set here is the truth, which a calibration has to find; the rig file's other
    tables say what the rig is taken for.
    """

    preset: str = "optic"
    """How much is on the element: optic, clean, dirty or weak; or "dot-grid", the calibration
    target, or "blank", an element with nothing on it."""

    seed: int = Field(default=1, ge=0)
    """The seed that draws the element."""

    dot_spacing_mm: Positive = 2.0
    """Between the dots of a dot grid."""

    camera_rotation_mrad: Finite = 0.0
    """The camera's true rotation about its axis, from x towards y."""

    pitch_error: Finite = Field(default=0.0, gt=-0.5, lt=0.5)
    """The true pitch is the stated one times 1 + this."""

    axis_skew_mrad: Finite = 0.0
    """The angle by which the y axis leans towards x."""

    vignetting: float = Field(default=0.0, ge=0, lt=1)
    """The share of light that is lost in the corners of a frame, or at the ends of a line."""

    hot_pixels: int = Field(default=0, ge=0, le=10_000)
    """Sensor-fixed bright spots."""

    readback_noise_um: float = Field(default=0.5, ge=0)
    """Noise of the positions that the motion unit reports, one standard deviation."""

    time_scale: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How much faster than stated the simulated axes move and settle: tests are in a hurry."""

    noise: Literal["sensor", "none"] = "sensor"
    """Whether the simulated sensor is noisy."""
