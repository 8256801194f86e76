"""The [simulation] table of a rig file: what stands in for the instrument."""

from typing import Annotated, Literal

from pydantic import Field

from darkscan.pipeline.configuration import Written
from darkscan.pipeline.units import Finite, Positive


class SimulationSettings(Written):
    """A simulated element before a simulated camera on a simulated motion unit.

    What is set here is the truth, which a calibration has to find; the rig file's other
    tables say what the rig is taken for.
    """

    preset: str = "optic"
    """How much is on the element: optic, clean, dirty or weak; or "dot-grid", the calibration
    target, or "blank", an element with nothing on it."""

    seed: int = Field(default=1, ge=0)
    """Which element."""

    dot_spacing_mm: Positive = 2.0
    """Between the dots of a dot grid."""

    camera_rotation_mrad: Finite = 0.0
    """Of the camera about its axis, from x towards y."""

    pitch_error: Finite = Field(default=0.0, gt=-0.5, lt=0.5)
    """The true pitch is the stated one times 1 + this."""

    axis_skew_mrad: Finite = 0.0
    """By which the y axis leans towards x."""

    vignetting: float = Field(default=0.0, ge=0, lt=1)
    """The share of light that is lost in the corners of a frame, or at the ends of a line."""

    hot_pixels: int = Field(default=0, ge=0, le=10_000)
    """Sensor-fixed bright spots."""

    readback_noise_um: float = Field(default=0.5, ge=0)
    """Of the positions that the motion unit reports, one standard deviation."""

    time_scale: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How much faster than stated the simulated axes move and settle: tests are in a hurry."""

    noise: Literal["sensor", "none"] = "sensor"
    """Whether the simulated sensor is noisy."""
