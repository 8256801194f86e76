"""Training images of several windows, for networks that see beyond a window's border.

Drawn as training windows are, only larger: four times the area with four times the clutter,
scratches that run from window to window, whole swirls. Each window at half-window steps has
its own label.
"""

import numpy as np

from darkscan.simulation.element.kinds import Kind
from darkscan.simulation.element.looks import WINDOW_PX, WindowPreset
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.training_images import TrainingImage, draw_image, label, some
from darkscan.simulation.element.windows import TrainingBatch

CROP_PX = 512
STRIDE_PX = 128
_CLEAN = 0.35  # share of clean images; with the clean windows of others, three in five
_FURTHER = 1.0  # scratches beside the first


def training_crops(
    seed: int,
    index: int,
    size: int,
    contrast: float = 1.0,
    preset: WindowPreset = "mixed",
    backgrounds: RealBackgrounds | None = None,
) -> TrainingBatch:
    """Batch ``index`` of a training run: ``size`` images with their windows' labels.

    ``contrast`` in [0, 1] is the curriculum, ``backgrounds`` real ones for a share of the
    images, see ``training_images.draw_image``. The same arguments give the same bytes.
    """
    rng = np.random.default_rng([seed, index, CROP_PX])
    images = []
    for _ in range(size):
        count = some(rng, _CLEAN, _FURTHER)
        images.append(draw_image(rng, contrast, preset, CROP_PX, count, backgrounds))
    return batch_of(images)


def batch_of(images: list[TrainingImage]) -> TrainingBatch:
    """Images as a batch, with the labels of their windows at half-window steps."""
    starts = range(0, CROP_PX - WINDOW_PX + 1, STRIDE_PX)
    kinds = np.stack([image.kinds.kinds for image in images])
    return TrainingBatch(
        images=np.stack([image.picture for image in images]),
        labels=np.array(
            [[[label(image.lines, x, y) for x in starts] for y in starts] for image in images],
            np.float32,
        ),
        lines=(kinds == Kind.SCRATCH).astype(np.uint8),
        boxes=np.zeros((len(images), 4), np.float32),
        kinds=kinds,
        directions=np.stack([image.kinds.directions for image in images]),
    )
