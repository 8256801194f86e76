"""Recorded scans of a dot-grid target that has seen better days."""

from pathlib import Path

import numpy as np

from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.core.arrays import Float64Array
from tests.calibration.scenes import (
    PITCH_UM,
    SIZE_MM,
    SPACING_MM,
    Image,
    Sensor,
    places_of_frame,
    record,
    stops,
    vignetting,
)

RADIUS_MM = 0.15


class Target:
    """Bright dots on a dark plate: some are missing, some are broken, there are scratches."""

    def __init__(self, rng: np.random.Generator, spacing_mm: float = SPACING_MM) -> None:
        self.spacing_mm = spacing_mm
        columns, rows = (int(side / spacing_mm) for side in SIZE_MM)
        self._brightness = rng.uniform(120, 180, (rows, columns)).astype(np.float32)
        self._brightness[rng.random((rows, columns)) < 0.06] = 0
        self._broken = rng.random((rows, columns)) < 0.05
        self._scratches = rng.uniform((0, 0), SIZE_MM, (6, 2, 2))
        self._specks = rng.uniform((0, 0), SIZE_MM, (60, 2))
        self._radii = rng.uniform(0.02, 0.16, 60)

    def light(self, places_mm: Float64Array, pitch_mm: float) -> Image:
        """Grey levels at places (h, w, 2)."""
        nearest = np.rint(places_mm / self.spacing_mm - 0.5).astype(int)
        rows, columns = self._brightness.shape
        x, y = nearest[..., 0].clip(0, columns - 1), nearest[..., 1].clip(0, rows - 1)
        off = places_mm - (np.stack([x, y], axis=-1) + 0.5) * self.spacing_mm
        covered = np.clip((RADIUS_MM - np.hypot(*np.moveaxis(off, -1, 0))) / pitch_mm + 0.5, 0, 1)
        covered[self._broken[y, x] & (off[..., 0] > 0)] = 0
        image = 8 + self._brightness[y, x] * covered
        low, high = places_mm.min(axis=(0, 1)), places_mm.max(axis=(0, 1))
        for start, end in self._scratches:
            if (np.minimum(start, end) > high).any() or (np.maximum(start, end) < low).any():
                continue
            direction = (end - start) / np.linalg.norm(end - start)
            along = (places_mm - start) @ direction
            across = np.abs((places_mm - start) @ (-direction[1], direction[0]))
            inside = (along > 0) & (along < np.linalg.norm(end - start))
            image += 60 * np.exp(-np.square(across / 0.012)) * inside
        for centre, radius in zip(self._specks, self._radii, strict=True):
            if ((centre > low - 0.2) & (centre < high + 0.2)).all():
                away = np.linalg.norm(places_mm - centre, axis=-1)
                image += 90 * np.clip((radius - away) / pitch_mm + 0.5, 0, 1)
        return np.asarray(image, dtype=np.float32)


def record_target(
    path: Path,
    rig: Rig,
    truth: Geometry,
    *,
    target: Target | None = None,
    places_mm: Float64Array | None = None,
    readback_um: float = 0.5,
) -> Path:
    """Scans the target; the axes' positions are known to ``readback_um``."""
    rng = np.random.default_rng(4)
    target = target or Target(rng)
    places = stops(rig) if places_mm is None else places_mm
    shape = rig.frame_shape
    sensor = Sensor(gain=vignetting((shape[0] if rig.camera.kind == "area" else 1, shape[1])))
    frames = [
        sensor.see(
            target.light(places_of_frame(truth, stage, shape), PITCH_UM / 1000),
            rng,
            rig.camera.bit_depth,
        )
        for stage in places.reshape(-1, 2)
    ]
    measured = places + rng.normal(0, readback_um / 1000, places.shape)
    return record(path, rig, measured, frames)
