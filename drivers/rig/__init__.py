"""The rig file: what the instrument is made of, and how it scans."""

from darkscan.drivers.rig.camera import BIT_DEPTHS, SIMULATED, CameraSettings, PixelFormat
from darkscan.drivers.rig.geometry import Geometry, drawn_geometry
from darkscan.drivers.rig.motion import AxisSettings, CompareSettings, MotionSettings, Positions
from darkscan.drivers.rig.rig import (
    CalibrationSettings,
    ElementSettings,
    FocusSettings,
    GeometrySettings,
    IlluminationSettings,
    Rig,
    ScanSettings,
    load_rig,
)
from darkscan.drivers.rig.simulation import SimulationSettings

__all__ = [
    "BIT_DEPTHS",
    "SIMULATED",
    "AxisSettings",
    "CalibrationSettings",
    "CameraSettings",
    "CompareSettings",
    "ElementSettings",
    "FocusSettings",
    "Geometry",
    "GeometrySettings",
    "IlluminationSettings",
    "MotionSettings",
    "PixelFormat",
    "Positions",
    "Rig",
    "ScanSettings",
    "SimulationSettings",
    "drawn_geometry",
    "load_rig",
]
