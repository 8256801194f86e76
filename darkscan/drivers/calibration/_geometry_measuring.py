"""Measures a rig's geometry from the recorded scan of a dot-grid target."""

from datetime import date

import numpy as np
import numpy.typing as npt

from darkscan.drivers.calibration._dots import find_dots
from darkscan.drivers.calibration._geometry_file import GeometryCalibration, GeometryQuality
from darkscan.drivers.calibration._header import StageSetup
from darkscan.drivers.calibration._lattice import (
    DotGrid,
    Sightings,
    close_to_grid,
    identify,
    no_grid,
    off_mm,
    robust_fit,
)
from darkscan.drivers.calibration._stack import Progress
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Geometry, Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array, Pixels
from darkscan.pipeline.core.errors import InputError

_SAME_PITCH = 0.02
_SIZE = 0.4
_LEAST_SHARE = 0.5
_LEAST_CONDITION = 0.03
_MOST_PIXELS_OFF = 0.05
_MOST_AXES_OFF = 0.01


def measure_geometry(
    scan: Recording,
    rig: Rig,
    grid: DotGrid,
    *,
    taken: date,
    valid_until: date,
    progress: Progress = lambda _d, _t: None,
) -> GeometryCalibration:
    """Fits pixels and axes to the places of the target's dots.

    ``scan`` was recorded with the geometry as drawn in ``rig``: so the axes' positions are
    known again. Raises InputError for scans of another rig or geometry, dots that make no such
    grid, and frames at too few places.
    """
    drawn = drawn_geometry(rig)
    _refuse_other(scan, rig, drawn)
    try:
        seen = _sightings(scan, rig, drawn, grid, progress)
        geometry, quality = _fit(seen, drawn, grid)
    except InputError as error:
        raise InputError(error.problem, file=scan.path) from error
    return GeometryCalibration(
        setup=StageSetup.of(rig),
        taken=taken,
        valid_until=valid_until,
        pixel_to_stage=geometry.pixel_to_stage,
        stage_to_element=geometry.stage_to_element,
        quality=quality,
    )


def _sightings(
    scan: Recording, rig: Rig, drawn: Geometry, grid: DotGrid, progress: Progress
) -> Sightings:
    info = scan.info
    pixels: Pixels = np.empty(info.frame_shape, info.pixel_type)
    cell = round(grid.spacing_mm * 1000 / rig.geometry.pitch_um)
    centres, areas, stages, numbers = [], [], [], []
    for index, meta in enumerate(scan.frames):
        if meta.usable:
            scan.read_into(index, pixels)
            dots = find_dots(pixels, cell)
            stage = drawn.stage_to_element.stage_for(meta.position_mm[:2])
            centres.append(dots.centres_px)
            areas.append(dots.areas_px)
            stages.append(np.tile(stage, (len(dots.centres_px), 1)))
            numbers.append(np.full(len(dots.centres_px), index))
        progress(index + 1, len(scan.frames))
    if not centres or not sum(map(len, centres)):
        raise InputError("shows no dots")
    sizes = np.concatenate(areas)
    # Most round spots are dots of the grid; specks of dust are of all sizes.
    usual = np.abs(sizes / np.median(sizes) - 1) < _SIZE
    return Sightings(
        pixels=np.concatenate(centres)[usual],
        stage_mm=np.concatenate(stages)[usual],
        frames=np.concatenate(numbers)[usual].astype(np.int64),
        frame_size_px=(info.frame_shape[1], info.frame_shape[0]),
    )


def _fit(seen: Sightings, drawn: Geometry, grid: DotGrid) -> tuple[Geometry, GeometryQuality]:
    model, parameters, indices = identify(seen, drawn, grid)
    design = model.design(seen.pixels, seen.stage_mm)
    close = close_to_grid(off_mm(design @ parameters, indices, grid), grid)
    if close.mean() < _LEAST_SHARE:
        raise InputError(no_grid(grid))
    _refuse_gaps(seen, indices, close, parameters, grid)
    _refuse_one_place(seen, close, grid)
    parameters, weights = robust_fit(design[close], grid.places(indices[close]), parameters)
    geometry = model.geometry(parameters)
    _refuse_far(geometry, drawn)
    counts = weights > 0
    errors = (design[close] @ parameters - grid.places(indices[close]))[counts] * 1000.0
    x, y = np.sqrt(np.square(errors).mean(axis=0)).tolist()
    quality = GeometryQuality(
        spacing_mm=grid.spacing_mm,
        frames=len(np.unique(seen.frames[close][counts])),
        dots=int(counts.sum()),
        set_aside=int(len(close) - counts.sum()),
        rms_um=float(np.hypot(x, y)),
        rms_x_um=x,
        rms_y_um=y,
        largest_um=float(np.linalg.norm(errors, axis=1).max()),
    )
    return geometry, quality


def _refuse_gaps(
    seen: Sightings,
    indices: npt.NDArray[np.int64],
    close: npt.NDArray[np.bool_],
    parameters: Float64Array,
    grid: DotGrid,
) -> None:
    """Raises InputError if most dots lack neighbours: then the true spacing is a larger one."""
    step = np.linalg.solve(parameters[:2].T, [grid.spacing_mm, 0.0])
    size = np.array(seen.frame_size_px)
    margin = np.abs(step).max() / 2
    neighbour = seen.pixels + step
    expected = close & (neighbour > margin).all(axis=1) & (neighbour < size - margin).all(axis=1)
    there = {tuple(row) for row in np.column_stack([seen.frames, indices])[close].tolist()}
    wanted = np.column_stack([seen.frames, indices + np.array([1, 0])])[expected].tolist()
    found = sum(tuple(row) in there for row in wanted)
    if found < _LEAST_SHARE * len(wanted):
        problem = f"of {len(wanted)} dots that should be there {found} are: is the spacing right?"
        raise InputError(problem)


def _refuse_one_place(seen: Sightings, close: npt.NDArray[np.bool_], grid: DotGrid) -> None:
    """Raises InputError unless the dots tell pixels and axes apart, both along x and y."""
    stage = seen.stage_mm[close]
    for axis, spread in zip("xy", np.ptp(stage, axis=0), strict=True):
        if spread < grid.spacing_mm:
            raise InputError(
                f"its frames lie within {spread:.2f} mm along {axis}: "
                "the axes are measured by frames at several places along x and along y"
            )
    columns = np.hstack([seen.pixels[close], stage])
    columns = (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-12)
    sizes = np.linalg.svd(columns, compute_uv=False)
    if sizes[-1] < _LEAST_CONDITION * sizes[0]:
        raise InputError(
            "its frames and dots lie on a line: frames are needed at places that span an area"
        )


def _refuse_far(geometry: Geometry, drawn: Geometry) -> None:
    pixel, stage = geometry.pixel_to_stage, geometry.stage_to_element
    for what, found, stated, most in (
        ("the axes", stage.matrix, drawn.stage_to_element.matrix, _MOST_AXES_OFF),
        ("pixels", pixel.matrix, drawn.pixel_to_stage.matrix, _MOST_PIXELS_OFF),
    ):
        off = float(np.linalg.norm(found @ np.linalg.inv(stated) - np.eye(2), 2))
        if off > most:
            raise InputError(
                f"{what} come out {100 * off:.1f} % off the drawn geometry: "
                "are the spacing and the rig file right?"
            )


def _refuse_other(scan: Recording, rig: Rig, drawn: Geometry) -> None:
    info = scan.info
    if info.rig != rig.name:
        problem = f"was recorded with rig {info.rig!r}, the rig file says {rig.name!r}"
        raise InputError(problem, file=scan.path)
    if info.calibration:
        problem = f"was recorded with a calibration ({info.calibration}), not with rig as drawn"
        raise InputError(problem, file=scan.path)
    if info.frame_shape[1] != rig.camera.width or (
        rig.camera.kind == "area" and info.frame_shape[0] != rig.camera.height
    ):
        height, width = info.frame_shape
        problem = f"has frames of {width}x{height}, the rig file says other ones"
        raise InputError(problem, file=scan.path)
    off = info.pixel_to_stage.matrix @ np.linalg.inv(drawn.pixel_to_stage.matrix) - np.eye(2)
    # A line's step is a whole number of encoder counts, and so not quite as drawn.
    if np.linalg.norm(off, 2) > _SAME_PITCH:
        problem = "was recorded with another [geometry] than the rig file's"
        raise InputError(problem, file=scan.path)
