"""Loads the calibrations that a rig file names, and describes calibrations in words."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from darkscan.drivers.calibration._flat_field import FlatField
from darkscan.drivers.calibration._flat_file import read_flat
from darkscan.drivers.calibration._flat_measuring import FlatQuality
from darkscan.drivers.calibration._geometry_file import GeometryCalibration, read_geometry
from darkscan.drivers.calibration._header import (
    SensorSetup,
    StageSetup,
    refuse_foreign,
    refuse_stale,
)
from darkscan.drivers.rig import Geometry, GeometrySettings, Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError


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


def describe_geometry(calibration: GeometryCalibration) -> list[str]:
    """A geometry calibration in words, one line for each finding."""
    drawn: GeometrySettings = calibration.setup.geometry
    pixel, quality = calibration.pixel_to_stage.matrix, calibration.quality
    camera = deviation(pixel, drawn.pixel_to_stage().matrix)
    axes = deviation(calibration.stage_to_element.matrix, drawn.stage_to_element().matrix)
    pitch_x, pitch_y = 1000 * np.linalg.norm(pixel, axis=0)
    turn, shear = camera.rotation_mrad, camera.skew_mrad
    rms = f"{quality.rms_um:.2f} um rms ({quality.rms_x_um:.2f} in x, {quality.rms_y_um:.2f} in y)"
    return [
        f"pixels   {pitch_x:.4f} um across, {pitch_y:.4f} um down; drawn {drawn.pitch_um:g} um",
        f"camera   turned by {turn:+.3f} mrad from x towards y, {shear:+.3f} mrad off square",
        f"x axis   {_scaled(axes.scale_x)}, turned by {axes.rotation_mrad:+.3f} mrad",
        f"y axis   {_scaled(axes.scale_y)}, leans by {axes.skew_mrad:+.3f} mrad towards x",
        f"dots     {quality.dots} in {quality.frames} frames, {quality.set_aside} set aside",
        f"off by   {rms}, {quality.largest_um:.2f} um at most",
    ]


def describe_flat(quality: FlatQuality, *, line: bool) -> list[str]:
    """A flat field in words, one line for each finding."""
    pixels = "columns" if line else "pixels"
    darkest, detail = 100 * quality.darkest, 100 * quality.detail
    return [
        f"frames   {quality.light_frames} lit, {quality.dark_frames} dark",
        f"light    {quality.level:.1f} grey levels, {darkest:.1f} % of that where it is weakest",
        f"detail   {detail:.0f} % of what single {pixels} differ by is theirs, the rest is noise",
        f"masked   {quality.bright} bright and {quality.dead} dead {pixels}",
    ]


@dataclass(frozen=True)
class Deviation:
    """How two directions on the element differ from what was stated."""

    scale_x: float
    """Length along the first one over the stated length, less 1."""

    scale_y: float
    rotation_mrad: float
    """The angle by which the first direction is turned, from x towards y."""

    skew_mrad: float
    """The angle by which the second direction leans towards the first, beyond the stated one."""


def deviation(found: Float64Array, stated: Float64Array) -> Deviation:
    """Compares matrices (2, 2) whose columns are places on the element."""
    difference = found @ np.linalg.inv(stated)
    scales, turns = [], []
    for direction in stated.T:
        before, after = complex(*direction), complex(*(difference @ direction))
        scales.append(abs(after) / abs(before) - 1)
        turns.append(1000 * float(np.angle(after / before)))
    return Deviation(scales[0], scales[1], turns[0], turns[0] - turns[1])


def _scaled(scale: float) -> str:
    return f"moves {1e6 * abs(scale):.0f} ppm {'more' if scale >= 0 else 'less'} than it says"


def _today() -> date:
    return datetime.now(tz=UTC).astimezone().date()
