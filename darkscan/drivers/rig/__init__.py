"""The rig file: what the instrument is made of, and how it scans."""

from darkscan.drivers.rig._rig import (
    CalibrationSettings,
    ElementSettings,
    FocusSettings,
    Geometry,
    GeometrySettings,
    IlluminationSettings,
    Rig,
    ScanSettings,
    drawn_geometry,
    load_rig,
)
from darkscan.drivers.rig.tables import (
    BIT_DEPTHS,
    SIMULATED,
    SIMULATED_PRODUCER,
    AxisSettings,
    CameraSettings,
    CompareSettings,
    MotionSettings,
    PixelFormat,
    Positions,
    SimulationSettings,
)

__all__ = [
    "BIT_DEPTHS",
    "SIMULATED",
    "SIMULATED_PRODUCER",
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
