"""Where the z axis stands, so that the element's plane stays in focus."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from darkscan.drivers.planning.plan import AXES
from darkscan.drivers.rig import FocusSettings, Rig
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.transport.messages import Axis

_LEAST_SPREAD = 1e-3
"""The least height of the triangle of focus points over its longest side; below, it is a line."""


@dataclass(frozen=True)
class FocusPlane:
    """Where the z axis stands for a place on the element: z = slope . (x, y) + offset."""

    slope: tuple[float, float]
    """mm along z for each mm along x and y of the element."""

    offset_mm: float

    @classmethod
    def through(cls, focus: FocusSettings) -> Self:
        """The plane through three points. Raises InputError if they lie on a line."""
        points = np.array(focus.points_mm)
        (first, second), origin = points[1:] - points[0], points[0]
        normal = np.cross(first, second)
        longest = max(float(np.hypot(*side[:2])) for side in (first, second, second - first))
        if abs(normal[2]) <= _LEAST_SPREAD * longest**2:
            raise InputError("the three points lie on a line", field="focus.points_mm")
        slope = -normal[:2] / normal[2]
        return cls(
            slope=(float(slope[0]), float(slope[1])),
            offset_mm=float(origin[2] - slope @ origin[:2]),
        )

    def z_at(self, element_mm: Float64Array) -> Float64Array:
        """Positions (...,) of the z axis, mm, for places (..., 2) on the element."""
        z: Float64Array = element_mm @ np.array(self.slope) + self.offset_mm
        return z


def heights(
    rig: Rig, pixel_to_stage: Float64Array, element_mm: Float64Array
) -> tuple[Float64Array, float]:
    """Positions (strips, frames of a strip) of the z axis, mm; without a focus plane zero.

    And by how much frames miss the plane at their worst place, micrometres.
    ``pixel_to_stage`` (2, 2); ``element_mm`` (strips, frames of a strip, 2): the frames'
    pixel corners (0, 0). Step and stare focuses each frame, other scans each strip, on its
    middle. Raises InputError with the figures if the depth of focus is not enough for that.
    """
    if rig.focus is None:
        return np.zeros(element_mm.shape[:2]), 0.0
    if rig.motion.z is None:
        raise InputError("is needed to follow the focus plane", field="motion.z")
    plane = FocusPlane.through(rig.focus)
    rows, columns = rig.frame_shape
    corners_mm = rectangle(0, 0, columns, rows) @ pixel_to_stage.T
    needed = plane.z_at(element_mm[:, :, None] + corners_mm)  # (strips, frames, corners)
    shared = (2,) if rig.scan.mode == "step" else (1, 2)
    z = (needed.max(axis=shared, keepdims=True) + needed.min(axis=shared, keepdims=True)) / 2
    off_um = 1000 * float(np.abs(needed - z).max())
    if off_um > rig.focus.depth_um:
        _refuse(rig, plane, element_mm, off_um)
    return np.broadcast_to(z[..., 0], element_mm.shape[:2]).copy(), off_um


def _refuse(rig: Rig, plane: FocusPlane, element_mm: Float64Array, off_um: float) -> None:
    """Says by how much the focus is missed, and what may help."""
    assert rig.focus is not None
    if rig.scan.mode == "step":
        where, hint = "within a frame", ""
    else:
        where = f"within a strip along {rig.scan.axis}"
        other: Axis = "y" if rig.scan.axis == "x" else "x"
        rises = np.abs(plane.slope) * np.ptp(element_mm.reshape(-1, 2), axis=0)
        flatter = rises[AXES[other]] < rises[AXES[rig.scan.axis]]
        hint = f'; along {other} it is flatter (scan.axis = "{other}")' if flatter else ""
    raise InputError(
        f"the focus plane (slopes {1000 * plane.slope[0]:.3g} and {1000 * plane.slope[1]:.3g} "
        f"mrad along x and y) leaves the z axis by {off_um:.0f} um {where}, "
        f"more than {rig.focus.depth_um:g} um{hint}",
        field="focus.depth_um",
    )
