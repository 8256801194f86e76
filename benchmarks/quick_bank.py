"""The line bank for stand-alone windows, fast enough for a sweep over thousands of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from darkscan.network.classical import FilterBank, line_kernel, methods, score_windows
from darkscan.network.classical.banks import LENGTH_PX, oriented
from darkscan.network.classical.levels import in_sigmas
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.network.evaluation.degradations import Grey
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Pixels

Kernel = Callable[..., npt.NDArray[np.float64]]


@dataclass(frozen=True)
class QuickBank(FilterBank):
    """The line bank, its kernels applied to one Fourier transform of the window."""

    def response(self, frame: Pixels) -> Float32Array:
        """See FilterBank.response; the same but for rounding, in a quarter of the time."""
        reach = LENGTH_PX // 2
        height, width = frame.shape
        standard = np.pad(in_sigmas(frame), reach, mode="reflect")
        # Multiples of 32 have fast transforms.
        shape = (-(-standard.shape[0] // 32) * 32, -(-standard.shape[1] // 32) * 32)
        spectrum = np.fft.rfft2(standard, shape)
        largest = np.full((height, width), -np.inf, np.float32)
        inner = np.s_[2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width]
        for kernel in _spectra(self.kernel, shape):
            np.maximum(largest, np.fft.irfft2(spectrum * kernel, shape)[inner], out=largest)
        return largest


@cache
def line_bank() -> QuickBank:
    """The line bank with its usual threshold."""
    return QuickBank("line-bank", methods()["line-bank"].threshold, line_kernel)


def window_bank_scores(grey: Grey, origins: npt.NDArray[np.integer]) -> Float64Array:
    """The line bank's scores (N,) of an image's windows (N, 2), each alone."""
    levels, side = grey.levels, WINDOW_PX
    windows = [levels[y : y + side, x : x + side] for y, x in origins.tolist()]
    return np.concatenate(
        [score_windows(line_bank(), window[None], grey.full_scale) for window in windows]
    )


@cache
def _spectra(kernel: Kernel, shape: tuple[int, int]) -> list[npt.NDArray[np.complexfloating]]:
    return [np.fft.rfft2(one, shape) for one in oriented(kernel)]
