"""The header of every calibration file: rig, date, setup; and when a file is refused."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from darkscan.drivers.rig import GeometrySettings, Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.settings import Written
from darkscan.pipeline.core.units import OneLine

VALID_DAYS = 90
"""How long a calibration is valid if nobody says otherwise."""

_HASH_SHOWN = len("sha256:") + 8


class Setup(Written):
    """The part of a rig on which a calibration depends."""

    rig: OneLine
    serial: OneLine = ""
    """The camera's serial number; empty: not known."""

    kind: Literal["area", "line"]
    width: int
    """Pixels across a frame."""

    height: int
    """Rows of an area camera's frame; 0 for a line camera, whose rows are all alike."""


class SensorSetup(Setup):
    """The part of a rig on which a flat field depends."""

    bit_depth: int

    @classmethod
    def of(cls, rig: Rig) -> "SensorSetup":
        """The setup as the rig file states it."""
        return cls(**_camera(rig), bit_depth=rig.camera.bit_depth)


class StageSetup(Setup):
    """The part of a rig on which a geometry depends."""

    axis: Literal["x", "y"]
    """Along which strips run."""

    geometry: GeometrySettings
    """As drawn."""

    @classmethod
    def of(cls, rig: Rig) -> "StageSetup":
        """The setup as the rig file states it."""
        return cls(**_camera(rig), axis=rig.scan.axis, geometry=rig.geometry)


class Header(Written):
    """When a calibration was made, and how long it holds."""

    version: Literal[1] = 1
    taken: date = Field(strict=False)
    valid_until: date = Field(strict=False)
    """The last day on which it is used."""


def valid_until(taken: date, days: int) -> date:
    """The last day of ``days`` days of validity. Raises InputError unless it is a date to come."""
    try:
        last = taken + timedelta(days=days)
    except OverflowError:
        last = taken
    if days < 1 or last <= taken:
        raise InputError(f"must be a number of days to come, is {days}", field="--valid-days")
    return last


def label(file: Path, content_hash: str) -> str:
    """How a calibration is named in recordings and maps: ``name sha256:abcdef12``."""
    return f"{file.stem} {content_hash[:_HASH_SHOWN]}"


def refuse_stale(header: Header, file: Path, today: date) -> None:
    """Raises InputError if a calibration has expired by ``today``."""
    if today > header.valid_until:
        problem = f"expired on {header.valid_until}: calibrate anew, or force its use"
        raise InputError(problem, file=file)


def refuse_foreign(made: Setup, now: Setup, file: Path) -> None:
    """Raises InputError, naming what differs, if a calibration was made with another setup."""
    for field, was, is_now in differences(made.model_dump(), now.model_dump()):
        if field == "serial" and not (was and is_now):
            continue
        problem = f"was made with {field} {was}, the rig file says {is_now}"
        raise InputError(problem, file=file)


def differences(
    left: dict[str, Any], right: dict[str, Any], prefix: str = ""
) -> list[tuple[str, Any, Any]]:
    """Fields in which two dumped models differ: (name, left, right)."""
    found: list[tuple[str, Any, Any]] = []
    for name, value in left.items():
        other = right[name]
        if isinstance(value, dict):
            found += differences(value, other, f"{prefix}{name}.")
        elif value != other:
            found.append((prefix + name, value, other))
    return found


def _camera(rig: Rig) -> dict[str, Any]:
    camera = rig.camera
    return {
        "rig": rig.name,
        "serial": camera.serial,
        "kind": camera.kind,
        "width": camera.width,
        "height": camera.height if camera.kind == "area" else 0,
    }
