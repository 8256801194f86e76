"""From the ground truth to pixels: any rectangle of an element, with or without noise."""

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element._background import Background, draw_background
from darkscan.simulation.element._dust import Dust
from darkscan.simulation.element.element_truth import Dig, ElementTruth
from darkscan.simulation.element.sensor import Noise
from darkscan.simulation.element.strokes import Strokes, add_line, add_spots

_HALO_WIDTHS = 4.0
_REACH_PX = 16.0  # how far a trace's light reaches beyond its box


class Scene:
    """An element as light: grey levels at 8 bit, before the camera.

    Not for two threads at once: it keeps a canvas between renderings.
    """

    def __init__(
        self,
        truth: ElementTruth,
        *,
        background: Background | None = None,
        noise: Noise | None = None,
    ) -> None:
        """Prepares ``truth``; its own background and the measured noise unless given."""
        self.truth = truth
        self.noise = noise or Noise()
        rng = np.random.default_rng([truth.seed, 0xBAC6])
        self.background = background or draw_background(rng, truth.size_px)
        self._dust = Dust(truth.seed, truth.dust_per_10k_px)
        self._boxes = np.array([trace.box for trace in truth.traces]).reshape(-1, 4)
        self._digs = _dig_strokes(truth.digs)
        self._canvas: Float32Array = np.zeros((0, 0), dtype=np.float32)

    def render(self, x0: int, y0: int, height: int, width: int) -> Float32Array:
        """The light of a rectangle from element pixel (x0, y0): (height, width) float32.

        Overlapping rectangles show the same scene. Pixels off the element show
        background and dust.
        """
        image = self.background.render(x0, y0, height, width)
        self._dust.add_to(image, x0, y0)
        add_spots(image, self._digs.moved(-x0, -y0))
        if self._canvas.shape != image.shape:
            self._canvas = np.zeros_like(image)
        corner, far = np.array([x0, y0]), np.array([x0 + width, y0 + height])
        near = (self._boxes[:, :2] < far + _REACH_PX) & (self._boxes[:, 2:] > corner - _REACH_PX)
        for index in np.flatnonzero(near.all(axis=1)):
            add_line(image, self.truth.traces[index].strokes.moved(-x0, -y0), self._canvas)
        return image


def render(
    scene: Scene,
    x0: int,
    y0: int,
    height: int,
    width: int,
    rng: np.random.Generator | None = None,
) -> Float32Array:
    """The light in a rectangle: (height, width) float32 grey levels at 8 bit.

    ``rng`` makes the sensor's noise; without it the image is noiseless.
    """
    light = scene.render(x0, y0, height, width)
    return light if rng is None else scene.noise.add(light, rng)


def _dig_strokes(digs: tuple[Dig, ...]) -> Strokes:
    centres = np.array([(dig.x, dig.y) for dig in digs]).reshape(-1, 2)
    radius = np.array([dig.radius_px for dig in digs])
    peak = np.array([dig.amplitude for dig in digs])
    halo = np.array([dig.amplitude * dig.halo for dig in digs])
    return Strokes.spots(
        np.concatenate([centres, centres]),
        np.concatenate([peak, halo]),
        np.concatenate([radius, _HALO_WIDTHS * radius]),
    )
