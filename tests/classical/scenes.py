"""Small frames whose scratches are known."""

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]

ORIGIN = np.zeros((1, 2), dtype=np.int32)


def noise(shape: tuple[int, int] = (256, 256), seed: int = 0, level: float = 20.0) -> Frame:
    """A dark background with the noise of a dark-field camera."""
    values = np.random.default_rng(seed).normal(level, 1.5, shape)
    return np.rint(values).clip(0, 255).astype(np.uint8)


def with_line(
    frame: Frame, first: tuple[int, int], last: tuple[int, int], amplitude: float = 30.0
) -> Frame:
    """The frame under a line between two places (x, y), about 2 px wide."""
    line = np.zeros(frame.shape, dtype=np.float32)
    cv2.line(line, first, last, (1.0,), 1, cv2.LINE_AA)
    light = np.asarray(cv2.GaussianBlur(line, (0, 0), 0.7), np.float64) / 0.57
    return np.rint(frame + amplitude * light).clip(0, 255).astype(np.uint8)
