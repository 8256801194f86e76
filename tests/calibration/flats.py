"""Recorded scans with the light on and off, through a camera whose faults are known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkscan.drivers.rig import Rig, drawn_geometry
from darkscan.simulation.element import simulate_element
from darkscan.simulation.element.render import Scene
from tests.calibration.scenes import PITCH_UM, Image, Sensor, record, stops, vignetting

ELEMENT_MM = (12.0, 9.0)
VIGNETTING = 0.3


@dataclass(frozen=True)
class Camera:
    """Vignetting, pixels that differ, a dark level, and hot ones (y, x)."""

    sensor: Sensor
    hot: frozenset[tuple[int, int]]
    shape: tuple[int, int]


def make_camera(rig: Rig, hot: int, differ: float = 0.01) -> Camera:
    rng = np.random.default_rng(11)
    shape = (1, rig.camera.width) if rig.camera.kind == "line" else rig.frame_shape
    gain = vignetting(shape, VIGNETTING) * rng.normal(1, differ, shape).astype(np.float32)
    dark: Image = np.full(shape, 4, np.float32)
    places = rng.choice(dark.size, hot, replace=False)
    dark.reshape(-1)[places] += rng.uniform(25, 200, hot).astype(np.float32)
    rows, columns = np.unravel_index(places, shape)
    return Camera(
        Sensor(gain.astype(np.float32), dark),
        frozenset(zip(rows.tolist(), columns.tolist(), strict=True)),
        shape,
    )


def record_light(path: Path, rig: Rig, camera: Camera, *, overlap: float = 0.6) -> Path:
    """An element with scratches, dust and a glow of its own, and a scratch along a strip."""
    rng = np.random.default_rng(12)
    places = stops(rig, ELEMENT_MM, overlap)
    scene = Scene(simulate_element((2400, 2000), 5, "dirty"))
    height, width = rig.frame_shape
    frames = []
    for strip, stages in enumerate(places):
        for stage in stages:
            x, y = drawn_geometry(rig).stage_to_element.element_at(stage) * 1000 / PITCH_UM
            light = scene.render(round(float(x)), round(float(y)), height, width)
            if strip == 1:
                light[100:102] += 60  # the same rows of every frame of the strip
            seen = light.T if rig.geometry.transposed else light
            frames.append(camera.sensor.see(seen, rng, rig.camera.bit_depth))
    return record(path, rig, places, frames)


def record_dark(path: Path, rig: Rig, camera: Camera, frames: int = 8) -> Path:
    rng = np.random.default_rng(13)
    none: Image = np.zeros(rig.frame_shape, np.float32)
    seen = [camera.sensor.see(none, rng, rig.camera.bit_depth) for _ in range(frames)]
    return record(path, rig, np.zeros((1, frames, 2)), seen)
