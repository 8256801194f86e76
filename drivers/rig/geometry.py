"""The geometry in force: as a calibration measured it, or as drawn."""

from pydantic import Field

from darkscan.drivers.rig.rig import Rig
from darkscan.pipeline.configuration import Settings
from darkscan.pipeline.geometry import PixelToStage, StageToElement
from darkscan.pipeline.units import OneLine


class Geometry(Settings):
    """From a pixel of a frame and the axes' positions to a place on the element.

    ``element_mm = stage_to_element(stage) + pixel_to_stage @ (x_px, y_px)``
    """

    pixel_to_stage: PixelToStage
    stage_to_element: StageToElement
    name: OneLine = Field(default="")
    """Name and hash of the calibration; empty: as drawn."""


def drawn_geometry(rig: Rig) -> Geometry:
    """The geometry as the rig file states it."""
    return Geometry(
        pixel_to_stage=rig.geometry.pixel_to_stage(),
        stage_to_element=rig.geometry.stage_to_element(),
    )
