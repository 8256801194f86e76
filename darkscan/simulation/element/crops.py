"""Training images of several windows, for networks that see beyond a window's border.

Drawn as training windows are (see there), only larger: four times the area with four times
the clutter, scratches that run from window to window, whole swirls. Each window at
half-window steps has its own label.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.simulation.element._clutter import add_clutter, add_surroundings
from darkscan.simulation.element._draws import chance
from darkscan.simulation.element.looks import WINDOW_PX, WindowPreset, draw_look
from darkscan.simulation.element.windows import (
    KINDS,
    Drawn,
    Scratches,
    add_scratches,
    crossed_cells,
    finish,
    label,
)

CROP_PX = 512
STRIDE_PX = 128
_CLEAN = 0.35  # share of clean images; with the clean windows of others, three in five
_FURTHER = 0.7  # scratches beside the first
_MOST_ARCS = 14


class TrainingCrops(NamedTuple):
    """N training images with what is true of them; compare ``windows.TrainingBatch``.

    ``images`` (N, 512, 512) uint8; ``labels`` (N, 3, 3) float32 of the windows at
    half-window steps; ``lines`` (N, 64, 64) uint8 1 in cells of 8 px that a centre line
    crosses; ``boxes`` (N, 4) float32 zeros: an image may hold several scratches.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    lines: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]


def training_crops(
    seed: int, index: int, size: int, contrast: float = 1.0, preset: WindowPreset = "mixed"
) -> TrainingCrops:
    """Batch ``index`` of a training run: ``size`` images with their windows' labels.

    ``contrast`` in [0, 1] is the curriculum, see ``windows.training_window``. The same
    arguments give the same bytes.
    """
    rng = np.random.default_rng([seed, index, CROP_PX])
    columns = zip(*(_crop(rng, contrast, preset) for _ in range(size)), strict=True)
    images, labels, lines = (np.stack(column) for column in columns)
    return TrainingCrops(images, labels, lines, np.zeros((size, 4), np.float32))


def _crop(
    rng: np.random.Generator, contrast: float, preset: WindowPreset
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    look = draw_look(rng, contrast, preset, CROP_PX)
    light = look.background.render(0, 0, CROP_PX, CROP_PX)
    canvas = np.zeros_like(light)
    add_surroundings(light, look, rng)
    drawn = Drawn("", 0.0, [])
    if not chance(rng, _CLEAN):
        shares = KINDS[look.wide]
        total = sum(shares.values())
        kind = str(rng.choice(list(shares), p=np.array(list(shares.values())) / total))
        count = 1 + int(rng.poisson(_FURTHER))
        if kind == "swirl":
            count = int(rng.integers(2, _MOST_ARCS + 1))
        heading = float(rng.uniform(0, 2 * np.pi))
        drawn = add_scratches(light, canvas, look, rng, Scratches(kind, count, heading))
    add_clutter(light, canvas, look, rng)
    starts = range(0, CROP_PX - WINDOW_PX + 1, STRIDE_PX)
    labels = [[label(drawn.lines, x, y) for x in starts] for y in starts]
    image = finish(look.noise.add(light, rng), look, rng)
    return image, np.array(labels, np.float32), crossed_cells(drawn.lines, CROP_PX)
