"""The [camera] table of a rig file: which camera, and how it is set."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from darkscan.pipeline.configuration import Written
from darkscan.pipeline.scan import PixelType
from darkscan.pipeline.units import Positive

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

SIMULATED = "simulated"
"""The producer that needs no camera: the simulated rig's."""

NodeValue = bool | int | float | str


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
    """What the camera's link carries, 10^6 bytes a second; left out: not checked."""

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
    """What this camera calls a node of the Standard Features Naming Convention; "" for one that
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
