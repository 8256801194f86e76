"""The calibrations that a rig file names, or none."""

from datetime import UTC, date, datetime

from darkscan.drivers.calibration.flat_field import FlatField
from darkscan.drivers.calibration.flat_file import read_flat
from darkscan.drivers.calibration.geometry_file import read_geometry
from darkscan.drivers.calibration.header import (
    SensorSetup,
    StageSetup,
    refuse_foreign,
    refuse_stale,
)
from darkscan.drivers.rig import Geometry, Rig, drawn_geometry
from darkscan.pipeline.errors import InputError


def load_geometry(rig: Rig, *, force: bool = False, today: date | None = None) -> Geometry:
    """The geometry in force: the calibrated one that the rig file names, else as drawn.

    Raises InputError if the file is no geometry, or, unless forced, if it was changed since it
    was made, has expired, or was made with another rig, camera or drawing.
    """
    path = rig.calibration.geometry
    if path is None:
        return drawn_geometry(rig)
    calibration, name = read_geometry(path, force=force)
    if not force:
        refuse_foreign(calibration.setup, StageSetup.of(rig), path)
        refuse_stale(calibration, path, today or _today())
    return calibration.geometry(name)


def load_flat(rig: Rig, *, force: bool = False, today: date | None = None) -> FlatField | None:
    """The flat field that the rig file names, or None.

    Raises InputError as ``load_geometry`` does; one for other frames is never taken.
    """
    path = rig.calibration.flat
    if path is None:
        return None
    flat, header = read_flat(path, force=force)
    now = SensorSetup.of(rig)
    if not force:
        refuse_foreign(header.setup, now, path)
        refuse_stale(header, path, today or _today())
    made = header.setup
    for field in ("width", "height", "bit_depth"):
        was, is_now = getattr(made, field), getattr(now, field)
        if was != is_now:
            problem = f"does not fit: it has {field} {was}, the rig file says {is_now}"
            raise InputError(problem, file=path)
    return flat


def _today() -> date:
    return datetime.now(tz=UTC).astimezone().date()
