"""From a frame's pixels to the element's millimetres.

Pixel coordinates are continuous: (0, 0) is the outer corner of a frame's first
pixel, x to the right, y down, so a window at (x0, y0) covers [x0, x0 + 256).
Element coordinates are millimetres from the element's top left corner, seen
from the inspected side, x to the right, y down.
"""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.units import Finite


class PixelToStage(BaseModel):
    """The linear part of a frame's placement: millimetres for each pixel step.

    ``element_mm = position_mm + matrix @ (x_px, y_px)``, where ``position_mm`` is the
    measured place of the frame's pixel corner (0, 0). The matrix holds pitch,
    rotation, skew and flips; a calibration measures it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    xx: Finite = Field(description="mm along x for one pixel to the right")
    xy: Finite = Field(description="mm along x for one pixel down")
    yx: Finite = Field(description="mm along y for one pixel to the right")
    yy: Finite = Field(description="mm along y for one pixel down")

    @classmethod
    def from_pitch(
        cls,
        pitch_um: float,
        *,
        rotation_mrad: float = 0.0,
        flip_x: bool = False,
        flip_y: bool = False,
    ) -> Self:
        """Builds the matrix of a square pixel, turned from x towards y, then flipped."""
        pitch_mm = pitch_um / 1000.0
        cos, sin = math.cos(rotation_mrad / 1000.0), math.sin(rotation_mrad / 1000.0)
        sign_x, sign_y = (-1.0 if flip_x else 1.0), (-1.0 if flip_y else 1.0)
        return cls(
            xx=sign_x * pitch_mm * cos,
            xy=-sign_x * pitch_mm * sin,
            yx=sign_y * pitch_mm * sin,
            yy=sign_y * pitch_mm * cos,
        )

    @property
    def matrix(self) -> Float64Array:
        """(2, 2) float64, mm per pixel."""
        return np.array([[self.xx, self.xy], [self.yx, self.yy]])

    @property
    def pixel_area_mm2(self) -> float:
        """The area of one pixel on the element, mm2."""
        return abs(self.xx * self.yy - self.xy * self.yx)

    def place(self, points_px: npt.ArrayLike, position_mm: Sequence[float]) -> Float64Array:
        """Places (..., 2) pixel points (x, y) of a frame on the element, in mm."""
        points = np.asarray(points_px, dtype=np.float64)
        return points @ self.matrix.T + np.asarray(position_mm[:2], dtype=np.float64)


class StageToElement(BaseModel):
    """Where pixel corner (0, 0) of a frame lies on the element for a position of the axes.

    ``element_mm = matrix @ (stage_x, stage_y) + (x, y)``. The matrix holds the axes' signs,
    scales and skew; a calibration measures it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    xx: Finite = Field(description="element x for each mm of the x axis")
    xy: Finite = Field(description="element x for each mm of the y axis")
    yx: Finite = Field(description="element y for each mm of the x axis")
    yy: Finite = Field(description="element y for each mm of the y axis")
    x: Finite = Field(description="element x where both axes stand at zero, mm")
    y: Finite = Field(description="element y where both axes stand at zero, mm")

    @property
    def matrix(self) -> Float64Array:
        """(2, 2) float64."""
        return np.array([[self.xx, self.xy], [self.yx, self.yy]])

    def element_at(self, stage_mm: npt.ArrayLike) -> Float64Array:
        """Element places (..., 2), mm, for positions (..., 2) of the x and y axes."""
        stage = np.asarray(stage_mm, dtype=np.float64)
        places: Float64Array = stage @ self.matrix.T + np.array([self.x, self.y])
        return places

    def stage_for(self, element_mm: npt.ArrayLike) -> Float64Array:
        """Positions (..., 2) of the x and y axes that lead to places (..., 2), mm."""
        element = np.asarray(element_mm, dtype=np.float64)
        offsets: Float64Array = element - np.array([self.x, self.y])
        return offsets @ np.linalg.inv(self.matrix).T


def rectangle(x: float, y: float, width: float, height: float) -> Float64Array:
    """The four corners (4, 2) of a rectangle, in the order of a clock's hand."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
