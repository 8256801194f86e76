"""GenTL producers that nobody here wrote, and settings for their cameras."""

import os
from pathlib import Path

import genicam
import pytest

from darkscan.drivers.rig import CameraSettings
from tests.conftest import REPOSITORY

VIKY = Path(genicam.__file__).parent / "viky.cti"
"""Comes with the genicam package: free-running, Mono8, numbers frames from 1."""

WITHOUT_EXPOSURE = {"ExposureTime": ""}
WITHOUT_TRIGGER = WITHOUT_EXPOSURE | {"TriggerMode": "", "TriggerSource": ""}


def tlsimu() -> Path:
    """Comes with the genicam 1.5.0 wheel: software trigger, time stamps, pixels known."""
    folder = REPOSITORY / ".venv" / "producers" / "genicam-1.5.0"
    path = Path(os.environ.get("DARKSCAN_TLSIMU", folder / "TLSimu.cti"))
    if not path.is_file():
        pytest.skip(f"no {path}; unpack the genicam 1.5.0 wheel there, or set DARKSCAN_TLSIMU")
    return path


def viky_settings(**changes: object) -> CameraSettings:
    """The first of viky's three cameras, which can neither be triggered nor exposed."""
    return _settings(
        {
            "producer": str(VIKY),
            "serial": "0",
            "id_wraps_at": 65_535,
            "names": WITHOUT_TRIGGER,
            "nodes": {"AcquisitionFrameRate": 100.0},
        },
        changes,
    )


def tlsimu_settings(**changes: object) -> CameraSettings:
    """The first of TLSimu's four cameras."""
    return _settings(
        {"producer": str(tlsimu()), "serial": "SN_InterfaceA_0", "names": WITHOUT_EXPOSURE},
        changes,
    )


def _settings(defaults: dict[str, object], changes: dict[str, object]) -> CameraSettings:
    common = {"kind": "area", "width": 400, "height": 256, "exposure_us": 100.0, "rate_hz": 50.0}
    return CameraSettings.model_validate(common | defaults | changes)
