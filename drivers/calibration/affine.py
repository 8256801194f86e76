"""The linear model of a rig's geometry, and its robust fit."""

from dataclasses import dataclass

import numpy as np

from darkscan.drivers.rig import Geometry
from darkscan.pipeline.geometry import FloatArray, PixelToStage, StageToElement

_TUKEY = 4.685
"""Of Tukey's biweight: 95 % efficient where errors are normal."""

_NORMAL_MAD = 1.4826
_LEAST_SCALE_MM = 1e-5
_ROUNDS = 10


class Model:
    """``element = [pixel - frame centre, stage - reference, 1] @ parameters``.

    The parameters (5, 2) are the transposed matrices of pixels and axes and an offset. Taken
    about the middle of a frame and a place among the frames they hardly depend on each other.
    """

    def __init__(self, centre_px: FloatArray, reference_mm: FloatArray) -> None:
        self._centre = centre_px
        self._reference = reference_mm

    def design(self, pixels: FloatArray, stage_mm: FloatArray) -> FloatArray:
        """(N, 5) from pixel points and axis positions (N, 2)."""
        ones = np.ones((len(pixels), 1))
        return np.hstack([pixels - self._centre, stage_mm - self._reference, ones])

    def parameters(self, geometry: Geometry) -> FloatArray:
        """(5, 2) of a known geometry."""
        pixel, stage = geometry.pixel_to_stage.matrix, geometry.stage_to_element
        offset = stage.element_at(self._reference) + pixel @ self._centre
        return np.vstack([pixel.T, stage.matrix.T, offset])

    def geometry(self, parameters: FloatArray, name: str = "") -> Geometry:
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
    """What is known of parameters beforehand."""

    parameters: FloatArray
    """(5, 2)"""

    deviations: FloatArray
    """(5,): their standard deviations, over that of a measured place."""


def robust_fit(
    design: FloatArray, places_mm: FloatArray, start: FloatArray, prior: Prior | None = None
) -> tuple[FloatArray, FloatArray]:
    """Least squares reweighted by Tukey's biweight: parameters (5, 2) and weights (N,).

    ``start`` (5, 2) gives the first residuals. With a prior, what the data do not tell is as
    it was thought to be.
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


def _entries(matrix: FloatArray) -> dict[str, float]:
    (xx, xy), (yx, yy) = matrix.tolist()
    return {"xx": xx, "xy": xy, "yx": yx, "yy": yy}
