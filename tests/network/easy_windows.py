"""Windows with a bright line or without: a few steps tell them apart."""

import numpy as np

from darkscan.simulation.element.kinds import Kind
from darkscan.simulation.element.windows import TrainingBatch


def easy_windows(seed: int, index: int, size: int, contrast: float) -> TrainingBatch:
    rng = np.random.default_rng((seed, index))
    images = rng.normal(20, 1.5, (size, 256, 256))
    labels = rng.integers(0, 2, size)
    lines = np.zeros((size, 32, 32), np.uint8)
    boxes = np.zeros((size, 4), np.float32)
    kinds = np.zeros_like(lines)
    for number, label in enumerate(labels):
        row = 8 * int(rng.integers(2, 30)) + 2
        if label:
            images[number, row : row + 3] += 30
            lines[number, row // 8] = 1
            kinds[number, row // 8] = Kind.SCRATCH
            boxes[number] = (0, row, 256, row + 3)
    pixels = images.round().astype(np.uint8)
    level = np.zeros_like(lines)  # all lines run along rows
    return TrainingBatch(pixels, labels.astype(np.float32), lines, boxes, kinds, level)


def other_windows(seed: int, index: int, size: int, contrast: float) -> TrainingBatch:
    return easy_windows(seed + 1, index, size, contrast)


def one_class(seed: int, index: int, size: int, contrast: float) -> TrainingBatch:
    return easy_windows(seed, index, size, contrast)._replace(labels=np.zeros(size, np.float32))
