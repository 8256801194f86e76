"""Windows with a bright line or without: a few steps tell them apart."""

import numpy as np
import numpy.typing as npt


def easy_windows(
    seed: int, index: int, size: int, contrast: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    rng = np.random.default_rng((seed, index))
    images = rng.normal(20, 1.5, (size, 256, 256))
    labels = rng.integers(0, 2, size)
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(20, 230)
        image[place : place + 3] += 30 * label
    return images.round().astype(np.uint8), labels


def other_windows(
    seed: int, index: int, size: int, contrast: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    return easy_windows(seed + 1, index, size, contrast)
