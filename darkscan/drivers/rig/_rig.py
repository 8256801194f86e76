"""The rig file: a camera on a motion unit before an element, and how it is scanned."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from darkscan.drivers.rig.tables import (
    SIMULATED,
    CameraSettings,
    MotionSettings,
    PointMm,
    RegionMm,
    SimulationSettings,
    SizeMm,
    SpotMm,
)
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement
from darkscan.pipeline.core.settings import Settings, Written, load_settings, updated
from darkscan.pipeline.core.units import Finite, Millimetres, OneLine, PitchUm, Positive


class ElementSettings(Written):
    """The [element] table: the element in the clamp."""

    name: OneLine = Field(default="element", min_length=1)
    """The element's name or serial number."""

    size_mm: SizeMm
    """Width and height."""

    region_mm: RegionMm | None = None
    """x, y, width and height of what is to be inspected; left out: the whole element."""


class GeometrySettings(Written):
    """Where pixels lie on the element, as drawn; a calibration measures it."""

    pitch_um: PitchUm
    """The size of a pixel on the element."""

    rotation_mrad: Finite = 0.0
    """The camera's rotation about its axis, from x towards y."""

    flip_x: bool = False
    """A frame's columns run against x."""

    flip_y: bool = False
    """A frame's rows run against y."""

    transposed: bool = False
    """A frame's rows follow x and its columns y: a line camera whose lines lie along y."""

    stage_flip_x: bool = False
    """The frame wanders to smaller x on the element when the x axis moves up."""

    stage_flip_y: bool = False
    """Likewise along y."""

    origin_mm: PointMm = (Millimetres(0.0), Millimetres(0.0))
    """The axes' positions at which pixel corner (0, 0) of a frame lies on the element's top left
    corner."""

    def pixel_to_stage(self) -> PixelToStage:
        """Millimetres on the element for each pixel step."""
        matrix = PixelToStage.from_pitch(
            self.pitch_um, rotation_mrad=self.rotation_mrad, flip_x=self.flip_x, flip_y=self.flip_y
        )
        if not self.transposed:
            return matrix
        return PixelToStage(xx=matrix.xy, xy=matrix.xx, yx=matrix.yy, yy=matrix.yx)

    def stage_to_element(self) -> StageToElement:
        """Where pixel corner (0, 0) lies on the element for a position of the axes."""
        sign_x, sign_y = (-1.0 if self.stage_flip_x else 1.0), (-1.0 if self.stage_flip_y else 1.0)
        x, y = self.origin_mm
        return StageToElement(xx=sign_x, xy=0.0, yx=0.0, yy=sign_y, x=-sign_x * x, y=-sign_y * y)


class ScanSettings(Written):
    """How the element is scanned."""

    mode: Literal["step", "fly", "line"]
    """step: stop, settle, expose. fly: an area camera triggered in motion. line: line scan."""

    axis: Literal["x", "y"] = "x"
    """Along which strips run."""

    overlap_px: int = Field(default=160, ge=0, le=4096)
    """Between neighbouring frames and strips. Where it is window - stride (128) or more, every
    window that two frames share is seen whole by one of them."""

    margin_mm: float = Field(default=0.2, ge=0, le=100)
    """Frames reach this far beyond the region, so that no rim is missed."""

    frame_height_px: int = Field(default=2048, ge=256, le=65_536)
    """Lines that make up a frame (line scan alone)."""

    blur_px: Positive = 0.5
    """How far the element may wander during an exposure."""


class FocusSettings(Written):
    """The element's plane in front of the camera."""

    points_mm: list[SpotMm] = Field(min_length=3, max_length=3)
    """Three places [x, y, z]: where the element is in focus at x, y (element coordinates) the z
    axis stands at z. They must not lie on a line."""

    depth_um: Positive = 100.0
    """Depth of focus: how far z may be off, to either side."""


class IlluminationSettings(Written):
    """The dark-field light, where darkscan may switch it."""

    switch: str = Field(min_length=1)
    """Process variable: 1 lights, 0 darkens. Used to calibrate; scans find it lit."""


class CalibrationSettings(Written):
    """Calibration files, relative to the rig file's folder."""

    geometry: Path | None = Field(default=None, strict=False)
    """Made by `darkscan calibrate geometry`; left out: the geometry as drawn."""

    flat: Path | None = Field(default=None, strict=False)
    """Made by `darkscan calibrate flat`; left out: frames are used as they come."""


class Rig(Written):
    """A rig file."""

    name: OneLine = Field(min_length=1)
    """A name people know the rig by; it stands in every map."""

    element: ElementSettings
    camera: CameraSettings
    geometry: GeometrySettings
    motion: MotionSettings
    scan: ScanSettings
    focus: FocusSettings | None = None
    illumination: IlluminationSettings | None = None
    calibration: CalibrationSettings = CalibrationSettings()
    simulation: SimulationSettings | None = None

    @property
    def simulated(self) -> bool:
        """Whether the rig is a simulation, to be started with the scan."""
        return self.simulation is not None

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width of a frame, pixels."""
        rows = self.scan.frame_height_px if self.scan.mode == "line" else self.camera.height
        return rows, self.camera.width

    @model_validator(mode="after")
    def _check(self) -> "Rig":
        mode, kind, positions = self.scan.mode, self.camera.kind, self.motion.positions
        if (mode == "line") != (kind == "line"):
            raise ValueError(f'scan.mode "{mode}" does not go with camera.kind "{kind}"')
        if (mode == "step") != (positions == "readback"):
            raise ValueError(
                f'motion.positions "{positions}" does not go with scan.mode "{mode}": a record is '
                "read back at rest, in step and stare, and only there"
            )
        if (mode == "line") != (positions == "encoder"):
            raise ValueError(
                f'motion.positions "{positions}" does not go with scan.mode "{mode}": a line scan, '
                "and only that, is placed by its lines' encoder counts"
            )
        if mode == "fly" and self.motion.compare is None:
            raise ValueError('scan.mode "fly" needs motion.compare: it triggers the camera')
        if (self.camera.producer == SIMULATED) != self.simulated:
            raise ValueError('camera.producer "simulated" and a [simulation] table go together')
        return self


class Geometry(Settings):
    """From a pixel of a frame and the axes' positions to a place on the element.

    ``element_mm = stage_to_element(stage) + pixel_to_stage @ (x_px, y_px)``
    """

    pixel_to_stage: PixelToStage
    stage_to_element: StageToElement
    name: OneLine = Field(default="")
    """Name and hash of the calibration; empty: as drawn."""


def load_rig(path: Path) -> Rig:
    """Reads a rig file and makes the paths in it absolute. Raises InputError."""
    rig = load_settings(path, Rig)
    folder = path.parent.resolve()
    calibration = updated(
        rig.calibration,
        **{field: folder / file for field, file in rig.calibration if file is not None},
    )
    camera = rig.camera
    if camera.producer != SIMULATED:
        camera = updated(camera, producer=str(folder / camera.producer))
    return updated(rig, calibration=calibration, camera=camera)


def drawn_geometry(rig: Rig) -> Geometry:
    """The geometry as the rig file states it."""
    return Geometry(
        pixel_to_stage=rig.geometry.pixel_to_stage(),
        stage_to_element=rig.geometry.stage_to_element(),
    )
