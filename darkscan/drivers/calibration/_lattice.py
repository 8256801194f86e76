"""Finds which dot of the target each dot in the frames is, by a linear model of the geometry."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.drivers.rig import Geometry
from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement

_TUKEY = 4.685
"""The tuning constant of Tukey's biweight: 95 % efficient for normal errors."""

_NORMAL_MAD = 1.4826
"""The standard deviation of normal errors over their median absolute deviation."""

_LEAST_SCALE_MM = 1e-5
_ROUNDS = 10
_NEAR = 0.3
"""A dot lies within this share of the spacing of where it is expected, or is none."""

_FIRST_REACH = 3.0
"""The first dots lie within so many spacings of the middle of the best frame."""

_GROWTH = 1.5
_FEWEST_DOTS = 6
_MOST_OFF = 0.4
"""The grid may lie off its drawn place by this share of the spacing: else neighbours swap."""

_CLOSE = 0.1
_PIXEL_PRIOR = 0.05
"""Standard deviation of the drawn pitch and rotation of the pixels, relative."""

_STAGE_PRIOR = 0.02
"""Standard deviation of the drawn scale and direction of the axes, relative."""

_DOT_ERROR = 0.01
"""Standard deviation of a dot's measured place, in spacings."""


@dataclass(frozen=True)
class DotGrid:
    """A target: round dots on a square lattice."""

    spacing_mm: float
    first_mm: tuple[float, float]
    """The first dot's centre, from the element's top left corner."""

    def nearest(self, places_mm: Float64Array) -> npt.NDArray[np.int64]:
        """Column and row (N, 2) of the dots nearest to places (N, 2)."""
        return np.rint((places_mm - self.first_mm) / self.spacing_mm).astype(np.int64)

    def places(self, indices: npt.NDArray[np.int64]) -> Float64Array:
        """Where dots (N, 2) lie, mm (N, 2)."""
        return np.asarray(self.first_mm + self.spacing_mm * indices, dtype=np.float64)

    def phase_mm(self, places_mm: Float64Array) -> Float64Array:
        """By how much places (N, 2) lie off the lattice on the whole, (2,)."""
        turns = np.exp(2j * np.pi * (places_mm - self.first_mm) / self.spacing_mm).mean(axis=0)
        return np.asarray(np.angle(turns) * self.spacing_mm / (2 * np.pi), dtype=np.float64)


@dataclass(frozen=True)
class Sightings:
    """Dots seen in all frames."""

    pixels: Float64Array
    """(N, 2), x and y."""

    stage_mm: Float64Array
    """(N, 2), where the axes stood."""

    frames: npt.NDArray[np.int64]
    """(N,), which frame shows it."""

    frame_size_px: tuple[int, int]
    """Width and height."""


class Model:
    """The linear model of the geometry.

    ``element = [pixel - frame centre, stage - reference, 1] @ parameters``

    The parameters (5, 2) are the transposed matrices of pixels and axes and an offset. Taken
    about the middle of a frame and a place among the frames they hardly depend on each other.
    """

    def __init__(self, centre_px: Float64Array, reference_mm: Float64Array) -> None:
        self._centre = centre_px
        self._reference = reference_mm

    def design(self, pixels: Float64Array, stage_mm: Float64Array) -> Float64Array:
        """(N, 5) from pixel points and axis positions (N, 2)."""
        ones = np.ones((len(pixels), 1))
        return np.hstack([pixels - self._centre, stage_mm - self._reference, ones])

    def parameters(self, geometry: Geometry) -> Float64Array:
        """(5, 2) of a known geometry."""
        pixel, stage = geometry.pixel_to_stage.matrix, geometry.stage_to_element
        offset = stage.element_at(self._reference) + pixel @ self._centre
        return np.vstack([pixel.T, stage.matrix.T, offset])

    def geometry(self, parameters: Float64Array, name: str = "") -> Geometry:
        """The geometry of parameters (5, 2)."""
        pixel, stage = parameters[:2].T, parameters[2:4].T
        x, y = (parameters[4] - pixel @ self._centre - stage @ self._reference).tolist()
        return Geometry(
            pixel_to_stage=PixelToStage(**_entries(pixel)),
            stage_to_element=StageToElement(**_entries(stage), x=x, y=y),
            name=name,
        )


@dataclass(frozen=True)
class Prior:
    """Prior knowledge of the parameters."""

    parameters: Float64Array
    """(5, 2)"""

    deviations: Float64Array
    """(5,): their standard deviations, over that of a measured place."""


def identify(
    seen: Sightings, drawn: Geometry, grid: DotGrid
) -> tuple[Model, Float64Array, npt.NDArray[np.int64]]:
    """Names every dot: the model, its parameters (5, 2), and column and row (N, 2) of each dot.

    It begins with the dots in the middle of one frame, which the drawn geometry places well
    enough, and refines the geometry as it goes on to the rim of that frame and to frames
    further away. So an error of a percent is never near half a spacing. Raises InputError if
    the grid lies too far from where it is drawn to be, or the dots make no such grid.
    """
    centre = np.array(seen.frame_size_px) / 2
    reference = _best_frame(seen)
    model = Model(centre, reference)
    design, as_drawn = model.design(seen.pixels, seen.stage_mm), model.parameters(drawn)
    reach = _length(design[:, :2] @ as_drawn[:2]) + _length(design[:, 2:4] @ as_drawn[2:4])
    spacing = grid.spacing_mm
    radius = _FIRST_REACH * spacing
    near = reach <= radius
    if near.sum() < _FEWEST_DOTS:
        raise InputError(f"shows {near.sum()} dots about the middle of its best frame: too few")
    start = as_drawn.copy()
    start[4] -= _offset(design[near] @ as_drawn, grid)
    prior = _prior(start, drawn, spacing)
    parameters = start
    while True:
        parameters = _refine(design[near], grid, parameters, prior)
        if near.all():
            break
        radius *= _GROWTH
        near = reach <= radius
    return model, parameters, grid.nearest(design @ parameters)


def off_mm(places_mm: Float64Array, indices: npt.NDArray[np.int64], grid: DotGrid) -> Float64Array:
    """The distances of places (N, 2) from their dots, mm (N,)."""
    return _length(grid.places(indices) - places_mm)


def close_to_grid(off: Float64Array, grid: DotGrid) -> Mask:
    """Whether dots that lie ``off`` the lattice, mm (N,), lie as near as the target's do."""
    return np.asarray(off < _CLOSE * grid.spacing_mm)


def no_grid(grid: DotGrid) -> str:
    """The message about dots that do not fit the target."""
    return f"its dots make no grid of {grid.spacing_mm:g} mm: is the spacing right?"


def robust_fit(
    design: Float64Array, places_mm: Float64Array, start: Float64Array, prior: Prior | None = None
) -> tuple[Float64Array, Float64Array]:
    """Least squares reweighted by Tukey's biweight: parameters (5, 2) and weights (N,).

    ``design`` (N, 5) and ``places_mm`` (N, 2) are the observations; ``start`` (5, 2) gives the
    first residuals. With a prior, parameters on which the data say nothing stay as it has them.
    """
    parameters = start
    weights = np.ones(len(design))
    about = start if prior is None else prior.parameters
    for _ in range(_ROUNDS):
        off = np.linalg.norm(places_mm - design @ parameters, axis=1)
        scale = max(_NORMAL_MAD * float(np.median(off)), _LEAST_SCALE_MM)
        weights = np.square(np.clip(1 - np.square(off / (_TUKEY * scale)), 0, None))
        roots = np.sqrt(weights)[:, None]
        rows, wanted = design * roots, (places_mm - design @ about) * roots
        if prior is not None:
            rows = np.vstack([rows, np.diag(1 / prior.deviations)])
            wanted = np.vstack([wanted, np.zeros_like(about)])
        fitted = about + np.linalg.lstsq(rows, wanted)[0]
        if np.abs(design @ (fitted - parameters)).max(initial=0.0) < _LEAST_SCALE_MM:
            return fitted, weights
        parameters = fitted
    return parameters, weights


def _best_frame(seen: Sightings) -> Float64Array:
    """Where the axes stood for the frame with the most dots; of several, the most central."""
    frames, first, counts = np.unique(seen.frames, return_index=True, return_counts=True)
    if not len(frames):
        raise InputError("shows no dots")
    stages = seen.stage_mm[first]
    central = _length(stages - np.median(stages, axis=0))
    best = np.lexsort((central, -counts))[0]
    return np.asarray(stages[best])


def _offset(places_mm: Float64Array, grid: DotGrid) -> Float64Array:
    offset = grid.phase_mm(places_mm)
    if np.abs(offset).max() > _MOST_OFF * grid.spacing_mm:
        x, y = offset
        raise InputError(
            f"the grid lies {x:+.3f} mm in x and {y:+.3f} mm in y off the nearest dots by the "
            "drawn geometry: which dot is which is not certain; correct origin_mm"
        )
    return offset


def _prior(start: Float64Array, drawn: Geometry, spacing_mm: float) -> Prior:
    """The drawn geometry is right to a few percent; the offset is what was found."""
    pitch_mm = np.sqrt(drawn.pixel_to_stage.pixel_area_mm2)
    pixel, stage = _PIXEL_PRIOR * pitch_mm, _STAGE_PRIOR
    deviations = np.array([pixel, pixel, stage, stage, spacing_mm])
    return Prior(start, deviations / (_DOT_ERROR * spacing_mm))


def _refine(
    design: Float64Array, grid: DotGrid, parameters: Float64Array, prior: Prior
) -> Float64Array:
    for _ in range(2):
        places = design @ parameters
        indices = grid.nearest(places)
        likely = off_mm(places, indices, grid) < _NEAR * grid.spacing_mm
        if likely.sum() < _FEWEST_DOTS:
            raise InputError(no_grid(grid))
        parameters, _ = robust_fit(design[likely], grid.places(indices[likely]), parameters, prior)
    return parameters


def _length(vectors: Float64Array) -> Float64Array:
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def _entries(matrix: Float64Array) -> dict[str, float]:
    (xx, xy), (yx, yy) = matrix.tolist()
    return {"xx": xx, "xy": xy, "yx": yx, "yy": yy}
