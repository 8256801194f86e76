"""Geometry calibrations in JSON files."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from darkscan.drivers.calibration._header import Header, StageSetup, label
from darkscan.drivers.rig import Geometry
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.settings import Written, check, content_hash


class GeometryQuality(Written):
    """How well the target's dots lie where the geometry says."""

    spacing_mm: float
    frames: int
    """Frames that show dots of the grid."""

    dots: int
    """Dots that count."""

    set_aside: int
    """Round spots that were no dots of the grid, or broken ones."""

    rms_um: float
    """Root mean square of the dots' distances from their places."""

    rms_x_um: float
    rms_y_um: float
    largest_um: float


class GeometryCalibration(Header):
    """A measured geometry and what it was measured with."""

    format: Literal["darkscan geometry"] = "darkscan geometry"
    setup: StageSetup
    pixel_to_stage: PixelToStage
    stage_to_element: StageToElement
    quality: GeometryQuality

    def geometry(self, name: str = "") -> Geometry:
        """The geometry alone."""
        return Geometry(
            pixel_to_stage=self.pixel_to_stage, stage_to_element=self.stage_to_element, name=name
        )


class _File(GeometryCalibration):
    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")


def save_geometry(path: Path, calibration: GeometryCalibration) -> None:
    """Writes a calibration, replacing an older file as a whole. Raises StorageError."""
    content = calibration.model_dump(mode="json")
    content["hash"] = content_hash(content)
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def read_geometry(path: Path, *, force: bool = False) -> tuple[GeometryCalibration, str]:
    """Reads a calibration and its label. Raises InputError for anything else.

    One that was changed since it was made is taken with ``force`` if it still makes sense.
    """
    try:
        content = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise InputError("is no geometry, or a damaged one", file=path) from error
    stated = check(content, _File, file=path)
    fields = stated.model_dump(mode="json", exclude={"hash"})
    found = content_hash(fields)
    if found != stated.hash and not force:
        raise InputError("was changed or damaged since it was made", file=path)
    if stated.pixel_to_stage.pixel_area_mm2 == 0:
        raise InputError("gives pixels no area", file=path, field="pixel_to_stage")
    return stated, label(path, found)
