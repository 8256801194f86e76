"""Banks of oriented filters: straight lines and Gabor functions.

The line bank is the free anchor that a network must beat: a scratch is what stands out
along 31 px in one of 16 directions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical._method import Findings, FrameMethod, Origins, windows_of
from darkscan.network.classical.levels import in_sigmas
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Pixels

DIRECTIONS = 16
LENGTH_PX = 31
PERCENTILE = 99.7  # a scratch of 100 px by 2 px is 0.3 % of a window

_LINE_SIGMA_PX = 0.8  # across; a FWHM of 1.9 px, as weak scratches have
_GABOR_SIGMA_PX = 2.0
_GABOR_PERIOD_PX = 8.0
_GABOR_ASPECT = 0.3


def line_kernel(along: Float64Array, across: Float64Array) -> Float64Array:
    """A line 31 px long with a Gaussian cross-section."""
    ends = np.clip(LENGTH_PX / 2 - np.abs(along), 0.0, 1.0)
    section: Float64Array = np.exp(-0.5 * (across / _LINE_SIGMA_PX) ** 2)
    return section * ends


def gabor_kernel(along: Float64Array, across: Float64Array) -> Float64Array:
    """A cosine across the line under an elongated Gaussian (Daugman 1985), 31 px long."""
    radius = across**2 + (_GABOR_ASPECT * along) ** 2
    envelope: Float64Array = np.exp(-0.5 * radius / _GABOR_SIGMA_PX**2)
    return envelope * np.cos(2 * np.pi * across / _GABOR_PERIOD_PX)


@dataclass(frozen=True)
class FilterBank(FrameMethod):
    """One kernel in 16 directions over the frame in units of its local noise.

    The response is the largest of all directions, in standard deviations of white
    noise; marked is where it reaches the threshold. A window's score is the 99.7th
    percentile of its responses.
    """

    kernel: Callable[[Float64Array, Float64Array], Float64Array]

    def examine(self, frame: Pixels, origins: Origins, full_scale: float) -> Findings:
        """See FrameMethod.examine."""
        del full_scale  # its unit is the frame's own noise
        response = self.response(frame)
        windows = windows_of(response, origins)
        scores = [_percentile(window) for window in windows]
        return Findings(response >= self.threshold, np.array(scores, dtype=np.float64))

    def response(self, frame: Pixels) -> Float32Array:
        """The largest response of all directions, (H, W) float32."""
        standard = in_sigmas(frame)
        largest = np.full_like(standard, -np.inf)
        for kernel in oriented(self.kernel):
            # Symmetric about its centre, so correlation is convolution.
            answer = cv2.filter2D(standard, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
            np.maximum(largest, answer, out=largest)
        return largest


def oriented(kernel: Callable[[Float64Array, Float64Array], Float64Array]) -> list[Float32Array]:
    """The kernel in 16 directions, each (31, 31) float32 with a root sum of squares of 1."""
    reach = LENGTH_PX // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    kernels = []
    for angle in np.pi * np.arange(DIRECTIONS) / DIRECTIONS:
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        values = kernel(along, across)
        kernels.append((values / np.sqrt((values**2).sum())).astype(np.float32))
    return kernels


def _percentile(window: npt.NDArray[np.generic]) -> float:
    # np.percentile would interpolate between the 65536 values, at ten times the cost.
    place = round(PERCENTILE / 100 * (window.size - 1))
    return float(np.partition(window, place, axis=None)[place])
