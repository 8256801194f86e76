"""How the camera sees the stage move: which way a strip runs through its pixels."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from darkscan.drivers.planning._timing import encoder_divider
from darkscan.drivers.planning.plan import AXES
from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage

_STRAIGHT = 0.9
"""Cosine between the rows of a line scan and the strip; less is no slip of the adjustment."""


@dataclass(frozen=True)
class View:
    """The pixels of a rig, and what a move along the strip axis does to them."""

    pixel_to_stage: PixelToStage
    """The geometry's; of a line scan the rows are what axis and encoder make them."""

    pixels_per_mm: Float64Array
    """(2,) how far a frame wanders in its own pixels (x, y) for each mm of the strip axis."""

    line_step_mm: float = 0.0
    """Line scan: how far the axis moves from row to row, signed; else 0."""

    divider: int = 0
    """Line scan: encoder counts to a line; else 0."""

    @classmethod
    def of(cls, rig: Rig, geometry: Geometry) -> Self:
        """Raises InputError if no line scan can be made along the axis."""
        pixel_to_stage, line_step, divider = geometry.pixel_to_stage, 0.0, 0
        motion = geometry.stage_to_element.matrix[:, AXES[rig.scan.axis]]
        if rig.scan.mode == "line":
            row = pixel_to_stage.matrix[:, 1]
            cosine = float(row @ motion) / float(np.hypot(*row) * np.hypot(*motion))
            if abs(cosine) < _STRAIGHT:
                raise InputError(
                    f"lines follow each other across the {rig.scan.axis} axis, along which "
                    "strips run: scan along the other axis, or turn the camera "
                    "(geometry.transposed)",
                    field="scan.axis",
                )
            line_mm = float(np.hypot(*row) / np.hypot(*motion))
            divider = encoder_divider(line_mm, rig)
            line_step = float(np.sign(cosine)) * divider * (rig.motion.encoder_step_um or 0) / 1000
            x, y = (motion * line_step).tolist()
            pixel_to_stage = PixelToStage(xx=pixel_to_stage.xx, xy=x, yx=pixel_to_stage.yx, yy=y)
        return cls(
            pixel_to_stage=pixel_to_stage,
            pixels_per_mm=np.linalg.inv(pixel_to_stage.matrix) @ motion,
            line_step_mm=line_step,
            divider=divider,
        )

    @property
    def along(self) -> int:
        """The pixel axis along which strips run: 0 columns, 1 rows."""
        return int(np.abs(self.pixels_per_mm).argmax())

    @property
    def slope(self) -> float:
        """How far a frame wanders sideways for each pixel along the strip."""
        return float(self.pixels_per_mm[1 - self.along] / self.pixels_per_mm[self.along])

    @property
    def pixel_mm(self) -> float:
        """The strip axis's way of one pixel along the strip."""
        return 1 / abs(float(self.pixels_per_mm[self.along]))
