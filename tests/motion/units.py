"""The settings of the motion units in these tests."""

import os
from pathlib import Path

from darkscan.drivers.rig import MotionSettings, SimulationSettings
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Place
from darkscan.simulation.rig._unit_process import MotionUnitSettings

START: Place = (Millimetres(0.0), Millimetres(20.0), Millimetres(3.0))
LOW: Place = (Millimetres(-50.0), Millimetres(-50.0), Millimetres(-5.0))
HIGH: Place = (Millimetres(900.0), Millimetres(500.0), Millimetres(5.0))
VELOCITY, ACCELERATION = 200.0, 1000.0
NOISE_UM = 0.5


def motion_settings(**changes: object) -> MotionSettings:
    """Three axes and a compare output."""
    values: dict[str, object] = {
        "x": {"record": "TEST:X", "limits_mm": [LOW[0], HIGH[0]]},
        "y": {"record": "TEST:Y", "limits_mm": [LOW[1], HIGH[1]]},
        "z": {"record": "TEST:Z", "limits_mm": [LOW[2], HIGH[2]]},
        "velocity_mm_s": VELOCITY,
        "acceleration_mm_s2": ACCELERATION,
        "settle_s": 0.02,
        "positions": "latch",
        "compare": {
            "axis": "TEST:PC:AXIS",
            "first": "TEST:PC:FIRST",
            "step": "TEST:PC:STEP",
            "count": "TEST:PC:COUNT",
            "arm": "TEST:PC:ARM",
            "latches": "TEST:PC:LATCHES",
        },
        "connect_s": 15.0,
    }
    return MotionSettings.model_validate(values | changes)


def unit_settings(
    *,
    motion: MotionSettings | None = None,
    time_scale: float = 5.0,
    noise_um: float = NOISE_UM,
    shared_rig: Path | None = None,
) -> MotionUnitSettings:
    """A simulated unit; its time runs fast, where a test does not care."""
    return MotionUnitSettings(
        motion=motion or motion_settings(),
        simulation=SimulationSettings(time_scale=time_scale, readback_noise_um=noise_um),
        illumination_switch="TEST:LIGHT",
        shared_rig=shared_rig,
        start_mm=START,
        parent=os.getpid(),
    )
