"""The streaks in real images, window by window."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical.marked_windows import label_windows
from darkscan.pipeline.core.grid import window_origins

WINDOW, STRIDE = 256, 128
IMAGES = ("ib1f31e9q_flc.fits", "id8m11g4q_flc.fits")


class Streaked(NamedTuple):
    """An image, the origins (N, 2) of its windows, and which of them (N,) show the streak.

    What else these telescope images show, cosmic rays, are lines as scratches are: a mark on
    them is none too many.
    """

    frame: npt.NDArray[np.uint8]
    origins: npt.NDArray[np.int32]
    of_streak: npt.NDArray[np.bool_]


def streaked(folder: Path, name: str) -> Streaked:
    """One of ``IMAGES``, its windows labelled by its mask."""
    image = cv2.imread(str(folder / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    mask = cv2.imread(str(folder / f"{name}_all_objects.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert mask is not None
    origins = window_origins((image.shape[0], image.shape[1]), WINDOW, STRIDE)
    labels = label_windows(mask > 0, origins)
    return Streaked(image.astype(np.uint8), origins, labels.visible)
