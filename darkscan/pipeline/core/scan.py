"""The description of a scan and of its frames, and the interface of whatever gives frames."""

from collections.abc import Sequence
from enum import IntFlag
from typing import Literal, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.units import (
    ElementMm,
    FiniteMm,
    FrameId,
    Nanoseconds,
    OneLine,
    PitchUm,
)

LONGEST_NOTE = 120
"""Characters of a frame's note."""

PixelType = Literal["uint8", "uint16"]


class ScanInfo(BaseModel):
    """A scan: the element, the region to inspect, and the camera's frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    element: OneLine = Field(min_length=1, description="the element's name or serial number")
    side: OneLine = Field(default="front", min_length=1, description="the inspected side")
    element_size_mm: tuple[ElementMm, ElementMm] = Field(description="width and height, mm")
    region_mm: tuple[FiniteMm, FiniteMm, ElementMm, ElementMm] = Field(
        description="x, y, width and height of what the scan set out to inspect"
    )
    pitch_um: PitchUm = Field(description="nominal size of a pixel on the element")
    pixel_to_stage: PixelToStage = Field(description="calibrated mm per pixel step")
    frame_shape: tuple[int, int] = Field(description="height and width of every frame, pixels")
    pixel_type: PixelType = Field(description="how the camera's grey levels are stored")
    bit_depth: int = Field(ge=1, le=16, description="significant bits of a grey level")
    frames_planned: int = Field(ge=1, description="how many frames the scan set out to take")
    rig: OneLine = Field(
        default="", description="the rig that took the scan, or what stood in for it"
    )
    recipe: OneLine = Field(default="", description="the recipe the scan was taken for")
    calibration: OneLine = Field(default="", description="name and hash of the calibration")
    source: OneLine = Field(default="", description="where the pixels come from")

    @model_validator(mode="after")
    def _check(self) -> Self:
        height, width = self.frame_shape
        if height < 1 or width < 1:
            raise ValueError(f"frame_shape must be positive, is {height}x{width}")
        if self.bit_depth > self.dtype.itemsize * 8:
            raise ValueError(f"bit_depth {self.bit_depth} does not fit {self.pixel_type}")
        x, y, across, down = self.region_mm
        element_width, element_height = self.element_size_mm
        if min(x + across, y + down) <= 0 or x >= element_width or y >= element_height:
            raise ValueError(f"region_mm {self.region_mm} lies beside the element")
        return self

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """The pixels' dtype."""
        return np.dtype(np.uint8) if self.pixel_type == "uint8" else np.dtype(np.uint16)

    @property
    def full_scale(self) -> int:
        """The largest grey level the camera can give."""
        return int(2**self.bit_depth - 1)

    @property
    def frame_bytes(self) -> int:
        """The size of one frame's pixels."""
        return self.frame_shape[0] * self.frame_shape[1] * self.dtype.itemsize


class FrameFlag(IntFlag):
    """The state of a frame as the camera or the recorder tells it."""

    GOOD = 0
    LOST = 1  # the camera never delivered it: no pixels
    INCOMPLETE = 2  # delivered with missing lines or packets
    UNPLACED = 4  # its position could not be measured
    MISSING = 8  # lost because the recording was interrupted before it; LOST is set, too
    NOT_TAKEN = 16  # the scan ended before it; LOST is set, too
    NO_ROOM = 32  # the camera delivered it when no slot was free; LOST is set, too
    DAMAGED = 64  # the recording no longer holds it whole; LOST is set, too


_REASONS = {
    FrameFlag.INCOMPLETE: "the camera delivered it with missing lines",
    FrameFlag.UNPLACED: "its position was not measured",
    FrameFlag.NOT_TAKEN: "not taken: the scan ended before it",
    FrameFlag.NO_ROOM: "no room was left in memory when it came",
    FrameFlag.DAMAGED: "the recording is damaged",
}


class FrameMeta(BaseModel):
    """One frame without its pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame: FrameId = Field(ge=0, description="the frame's number in its scan")
    strip: int = Field(ge=0, description="which pass of the stage took it")
    position_mm: tuple[FiniteMm, FiniteMm, FiniteMm] = Field(
        description="measured place (x, y, z) of the frame's pixel corner (0, 0) on the element"
    )
    exposure_ns: Nanoseconds = Field(ge=0, description="start of exposure on the camera's clock")
    flags: int = Field(default=0, ge=0, description="FrameFlag bits")
    uncertainty_um: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="of x and y, one standard deviation"
    )
    note: OneLine = Field(
        default="", max_length=LONGEST_NOTE, description="why it is not usable, if more is known"
    )

    @property
    def usable(self) -> bool:
        """Whether the frame has whole pixels and a place."""
        return self.flags == FrameFlag.GOOD

    @property
    def problem(self) -> str:
        """Why the frame is not usable, in words; empty if it is.

        It stands in the map: a scan and its recording say the same.
        """
        flags = FrameFlag(self.flags)
        if FrameFlag.MISSING in flags:
            return "the recording was interrupted before it"
        reasons = [reason for flag, reason in _REASONS.items() if flag in flags]
        if not reasons and FrameFlag.LOST in flags:
            reasons = ["the camera lost it"]
        if self.flags and not reasons:
            reasons = [f"flags {self.flags}"]
        return "; ".join(reasons) + (f" ({self.note})" if self.note and reasons else "")


class FrameSource(Protocol):
    """A scan whose frames can be read in any order, as often as needed."""

    @property
    def info(self) -> ScanInfo:
        """The description of the scan."""

    @property
    def frames(self) -> Sequence[FrameMeta]:
        """Every planned frame in scan order; those without pixels are flagged so."""

    def read_into(self, index: int, out: Pixels) -> None:
        """Writes the pixels of ``frames[index]`` into ``out`` (height, width), once."""

    def close(self) -> None:
        """Lets go of the files behind it."""
