"""The one interface of everything that is compared: detected pixels and window scores."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical.levels import full_scale_of
from darkscan.pipeline.core.arrays import Mask, Pixels
from darkscan.pipeline.core.grid import window_origins

WINDOW_PX = 256
STRIDE_PX = 128

Scores = npt.NDArray[np.float64]
"""One score a window, (N,); the larger, the more likely a scratch."""
Origins = npt.NDArray[np.integer]
"""The first pixel (y, x) of each window, (N, 2)."""


class Findings(NamedTuple):
    """A method's detected pixels (H, W) of a frame, and the scores (N,) of its windows."""

    marks: Mask
    scores: Scores


@dataclass(frozen=True)
class FrameMethod(ABC):
    """A way to find scratches in a frame (H, W) of uint8 or uint16.

    A window whose score is ``threshold`` or more is called scratched.
    """

    name: str
    threshold: float

    @abstractmethod
    def examine(self, frame: Pixels, origins: Origins, full_scale: float) -> Findings:
        """The detected pixels of a frame and the scores of its 256x256 windows, at once.

        ``origins`` (N, 2) are the windows' first pixels (y, x), ``full_scale`` is the
        largest level that the camera can give.
        """

    def mark(self, frame: Pixels) -> Mask:
        """The detected pixels, (H, W) bool; the full scale is taken from the levels.

        Raises InputError if the frame is smaller than a window.
        """
        origins = window_origins(_shape(frame), WINDOW_PX, STRIDE_PX)
        return self.examine(frame, origins, full_scale_of(frame)).marks

    def window_scores(self, frame: Pixels, origins: Origins) -> Scores:
        """The scores (N,) of the windows at ``origins`` (N, 2); full scale as in ``mark``."""
        return self.examine(frame, origins, full_scale_of(frame)).scores


@dataclass(frozen=True)
class NetworkMethod(FrameMethod):
    """Whatever scores windows, a network or a model file, as a method.

    ``score`` gives the scores (N,) of the windows of a frame at ``origins`` (N, 2), for a
    camera's full scale. Marked is the outline of all positive windows together, as the
    paper draws them.
    """

    score: Callable[[Pixels, npt.NDArray[np.int32], float], npt.NDArray[np.float32]]

    def examine(self, frame: Pixels, origins: Origins, full_scale: float) -> Findings:
        """See FrameMethod.examine."""
        scores = np.asarray(
            self.score(frame, origins.astype(np.int32), full_scale), dtype=np.float64
        )
        area = np.zeros(_shape(frame), dtype=np.uint8)
        for y, x in origins[scores >= self.threshold]:
            area[y : y + WINDOW_PX, x : x + WINDOW_PX] = 1
        square = np.ones((3, 3), dtype=np.uint8)
        inside = cv2.erode(area, square, borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
        return Findings(area.astype(bool) & (inside == 0), scores)


def score_windows(method: FrameMethod, images: Pixels, full_scale: float | None = None) -> Scores:
    """The scores (N,) of windows that stand alone: images (N, 256, 256) of uint8 or uint16.

    Each window is a small frame of its own: nothing around it helps. ``full_scale`` is
    taken from the levels of all of them unless given.
    """
    corner = np.zeros((1, 2), dtype=np.int32)
    scale = full_scale_of(images) if full_scale is None else full_scale
    scores = [method.examine(image, corner, scale).scores[0] for image in images]
    return np.array(scores, dtype=np.float64)


def windows_of(image: npt.NDArray[np.generic], origins: Origins) -> list[npt.NDArray[np.generic]]:
    """The windows of an image at ``origins``, as views."""
    return [image[y : y + WINDOW_PX, x : x + WINDOW_PX] for y, x in origins]


def _shape(frame: Pixels) -> tuple[int, int]:
    return frame.shape[0], frame.shape[1]
