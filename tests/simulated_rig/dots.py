"""Finds the dots of a simulated target."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array


def dots_in(light: npt.NDArray[Any]) -> Float64Array:
    """Centres (N, 2) of the dots that lie wholly in a frame, pixels from its outer corner.

    ``light`` (height, width) is in grey levels at 8 bit.
    """
    _, _, boxes, _ = cv2.connectedComponentsWithStats((light > 80).astype(np.uint8))
    centres = []
    for left, top, width, height, _ in boxes[1:]:
        right, bottom = left + width, top + height
        if min(left, top) < 3 or right > light.shape[1] - 3 or bottom > light.shape[0] - 3:
            continue
        part = light[top - 3 : bottom + 3, left - 3 : right + 3] - light.min()
        weight = part.sum()
        x = (part.sum(axis=0) * (np.arange(width + 6) + 0.5)).sum() / weight + left - 3
        y = (part.sum(axis=1) * (np.arange(height + 6) + 0.5)).sum() / weight + top - 3
        centres.append((x, y))
    return np.array(centres)
