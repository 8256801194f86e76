"""Small simulated rigs."""

import os
import shutil
from typing import Any

import pytest

from darkscan.drivers.rig import Rig

_COMPILERS = [os.environ["CC"]] if "CC" in os.environ else ["cc", "gcc", "clang"]
NEEDS_COMPILER = pytest.mark.skipif(
    all(shutil.which(name) is None for name in _COMPILERS),
    reason="no C compiler: the simulated camera cannot be built",
)
DOTS = {"preset": "dot-grid", "dot_spacing_mm": 1.0}
WRONG = {"camera_rotation_mrad": 8.0, "pitch_error": 0.01, "axis_skew_mrad": 3.0}


def area_rig(**tables: dict[str, Any]) -> Rig:
    """An area camera of 300 x 260 px before an element of 9 x 7 mm; tables are altered by key."""
    content: dict[str, dict[str, Any]] = {
        "element": {"size_mm": [9.0, 7.0]},
        "camera": {
            "producer": "simulated",
            "kind": "area",
            "width": 300,
            "height": 260,
            "exposure_us": 100.0,
            "rate_hz": 50.0,
        },
        "geometry": {"pitch_um": 10.0, "origin_mm": [20.0, 10.0]},
        "motion": {
            "x": {"record": "TEST:X", "limits_mm": [0.0, 60.0]},
            "y": {"record": "TEST:Y", "limits_mm": [0.0, 40.0]},
            "velocity_mm_s": 50.0,
            "acceleration_mm_s2": 500.0,
            "positions": "readback",
        },
        "scan": {"mode": "step", "overlap_px": 128},
        "simulation": {},
    }
    return _made(content, tables)


def line_rig(**tables: dict[str, Any]) -> Rig:
    """A line camera of 400 px whose lines lie along y and follow each other along x."""
    line: dict[str, dict[str, Any]] = {
        "camera": {"kind": "line", "width": 400, "height": 64},
        "geometry": {"transposed": True},
        "motion": {"positions": "encoder", "encoder_step_um": 1.0},
        "scan": {"mode": "line", "frame_height_px": 256},
    }
    for name, table in tables.items():
        line[name] = {**line.get(name, {}), **table}
    return area_rig(**line)


def _made(content: dict[str, dict[str, Any]], tables: dict[str, dict[str, Any]]) -> Rig:
    for name, table in tables.items():
        content[name] = {**content.get(name, {}), **table}
    return Rig.model_validate({"name": "small", **content})
