"""The line bank for stand-alone windows, fast enough for a sweep over thousands of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from darkscan.network.classical import FilterBank
from darkscan.network.classical.banks import LENGTH_PX, oriented
from darkscan.network.classical.levels import in_sigmas
from darkscan.pipeline.core.arrays import Float32Array, Pixels

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
def _spectra(kernel: Kernel, shape: tuple[int, int]) -> list[npt.NDArray[np.complexfloating]]:
    return [np.fft.rfft2(one, shape) for one in oriented(kernel)]
