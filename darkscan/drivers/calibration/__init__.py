"""Calibrations: flat field and geometry, see docs/how-to/calibrate.md."""

from darkscan.drivers.calibration._flat_field import FlatField
from darkscan.drivers.calibration._flat_file import read_flat, save_flat
from darkscan.drivers.calibration._flat_measuring import (
    FlatQuality,
    header_for,
    measure_flat,
)
from darkscan.drivers.calibration._geometry_file import (
    GeometryCalibration,
    read_geometry,
    save_geometry,
)
from darkscan.drivers.calibration._geometry_measuring import measure_geometry
from darkscan.drivers.calibration._header import VALID_DAYS, valid_until
from darkscan.drivers.calibration._lattice import DotGrid
from darkscan.drivers.calibration._rig_calibrations import (
    describe_flat,
    describe_geometry,
    load_flat,
    load_geometry,
)

__all__ = [
    "VALID_DAYS",
    "DotGrid",
    "FlatField",
    "FlatQuality",
    "GeometryCalibration",
    "describe_flat",
    "describe_geometry",
    "header_for",
    "load_flat",
    "load_geometry",
    "measure_flat",
    "measure_geometry",
    "read_flat",
    "read_geometry",
    "save_flat",
    "save_geometry",
    "valid_until",
]
