"""The simulated camera's sensor: where its lens darkens, which pixels glow, how it is noisy."""

import cv2
import numpy as np

from darkscan.drivers.planning.plan import AXES
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element.sensor import Noise
from darkscan.simulation.rig._canvas import CanvasLayout
from darkscan.simulation.rig._shared import Look
from darkscan.simulation.rig._true_rig import sensor_shape, simulation_of

_HOT = 0x407  # sets these seeds apart from other seeds
_NOISE = 0x5E52
_HOT_LEVELS = (40.0, 200.0)
"""The light that a hot pixel adds, grey levels at 8 bit."""

_NOISE_TILE_PX = 1024


def look_of(rig: Rig, layout: CanvasLayout) -> Look:
    """How the simulated camera looks at the canvas. Raises InputError."""
    simulation = simulation_of(rig)
    noise = Noise()
    step_um = rig.motion.encoder_step_um or rig.geometry.pitch_um
    return Look(
        kind=rig.camera.kind,
        sensor_shape=sensor_shape(rig),
        to_canvas=layout.from_stage,
        gains=_falling_off(sensor_shape(rig), simulation.vignetting),
        hot=_hot(sensor_shape(rig), simulation.hot_pixels, simulation.seed),
        noise=None if simulation.noise == "none" else _noise_tile(noise, simulation.seed),
        noise_gain=noise.gain,
        noise_offset=noise.offset,
        noise_floor=noise.floor,
        encoder_axis=AXES[rig.scan.axis],
        encoder_step_mm=step_um / (-1000.0 if rig.motion.encoder_axis_reversed else 1000.0),
    )


def _falling_off(shape: tuple[int, int], share: float) -> Float32Array | None:
    """The light that the lens lets through, 1 in the middle, 1 - ``share`` in the corners."""
    if not share:
        return None
    rows, columns = shape
    across = np.linspace(-1.0, 1.0, columns, dtype=np.float32)
    down = np.linspace(-1.0, 1.0, rows, dtype=np.float32) if rows > 1 else np.zeros(1, np.float32)
    squared = across**2 + down[:, None] ** 2
    return np.asarray(1.0 - share * squared / squared.max(), dtype=np.float32)


def _hot(shape: tuple[int, int], count: int, seed: int) -> Float32Array | None:
    """Grey levels at 8 bit that pixels add by themselves, the same ones for the same seed."""
    if not count:
        return None
    rng = np.random.default_rng([seed, _HOT])
    hot = np.zeros(shape, np.float32)
    places = rng.choice(hot.size, min(count, hot.size), replace=False)
    hot.reshape(-1)[places] = rng.uniform(*_HOT_LEVELS, len(places))
    return hot


def _noise_tile(noise: Noise, seed: int) -> Float32Array:
    """Noise of unit variance, correlated as the sensor's is, that can be laid side by side."""
    rng = np.random.default_rng([seed, _NOISE])
    white = rng.standard_normal((_NOISE_TILE_PX, _NOISE_TILE_PX), dtype=np.float32)
    near, far = noise.kernel
    weights = np.array([far, near, 1.0, near, far])
    reach = len(weights) // 2
    wrapped = np.pad(white, reach, mode="wrap")
    tile = np.asarray(cv2.sepFilter2D(wrapped, -1, weights, weights), dtype=np.float32)
    tile = tile[reach:-reach, reach:-reach]
    return np.ascontiguousarray(tile / tile.std())
