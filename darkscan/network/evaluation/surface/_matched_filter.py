"""The scanning matched filter: what an observer can do who knows the noise, and only noise.

A generalised likelihood ratio: a window's score is the largest response, in standard deviations
of the noise, of any straight line in a bank of places, directions, lengths and widths (S. M. Kay,
Fundamentals of Statistical Signal Processing II, 1998, sections 4.3 and 6.4.2). It assumes white
noise of known level and deviation. There no detector that looks for such lines at unknown places
finds notably more. Among specks it is not ideal: it takes their light for that of a line, and a
detector that knows specks can find more than it does.
"""

import math
from collections.abc import Iterator

import numpy as np

from darkscan.network.evaluation.surface._drawing import SIDE_PX
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Pixels
from darkscan.simulation.element.strokes import SIGMA_PER_FWHM

WIDTHS_PX = (1.2, 2.4, 4.5)
"""FWHM of the bank's lines, as pixels see them."""
BLOCKS_PX = (2, 4, 8, 16, 32)
BLOCKS_A_LINE = (4, 5, 6, 7)
"""A line is so many blocks of columns long, with blocks of each size: 8 to 224 columns."""

_STEEPEST = 4 * BLOCKS_PX[-1]  # slopes are counted in steps of 1 / _STEEPEST
_REACH_SIGMAS = 2.0
_REACH_PX = 6  # of the widest section on the steepest line


class MatchedFilter:
    """Scores 256x256 windows by their strongest line, in standard deviations of the noise.

    Lines run along the columns with a slope of up to 1, then the same in the transposed window.
    A line begins at any row and at steps of a block, which is a seventh to a quarter of its
    length; its slopes are so close that the ends of neighbours lie at most 1 px apart. The bank
    has lines of 8 to 224 columns and those of all 256, each 8 to 362 px long by its slope. Rows
    wrap around, so that every line has its full length. In a pixel column the line is placed at
    the nearest row. All this costs a line of FWHM 2.2 px 7 % of its response on average, one of
    0.8 px 14 %.
    """

    def __init__(self, background: float, sigma: float, clip: float = math.inf) -> None:
        """``background`` and ``sigma``: the noise's mean and standard deviation, grey levels.

        ``clip``: pixels that differ by more standard deviations count as so many. In noise alone
        4 changes nothing; it keeps bright specks from passing for lines.
        """
        self._background = np.float32(background)
        self._sigma = np.float32(sigma)
        self._clip = np.float32(clip)

    def __call__(self, windows: Pixels, full_scale: float) -> Float64Array:
        """The largest responses (N,) of windows (N, 256, 256); 32 at once are the fastest."""
        del full_scale  # the noise is known in grey levels
        standard = (windows.astype(np.float32) - self._background) / self._sigma
        standard = standard.clip(-self._clip, self._clip)
        best = np.full(len(windows), -np.inf, np.float32)
        for turned in (False, True):
            columns = standard.transpose((1, 2, 0) if turned else (2, 1, 0))
            scan = _Scan(np.ascontiguousarray(columns))
            most = _STEEPEST - turned  # the diagonals are looked at once
            for step in range(-most, most + 1):
                for strongest in scan.responses(step):
                    np.maximum(best, strongest, out=best)
        return best.astype(np.float64)


class _Scan:
    """Windows in standard deviations (256, 256, N), by column, row and window."""

    def __init__(self, columns: Float32Array) -> None:
        reach = _REACH_PX
        parts = [columns[:, -reach:], columns, columns, columns[:, :reach]]
        self._columns = list(np.concatenate(parts, axis=1))  # each row's line runs on by wrapping
        self._height = SIDE_PX + 2 * reach
        # Large arrays are written anew for each slope: making them takes as long as filling them.
        blocks, count = SIDE_PX // BLOCKS_PX[0] + 1, columns.shape[2]
        self._sums = np.zeros((blocks, self._height, count), np.float32)
        self._light, self._work = np.empty((2, blocks, SIDE_PX, count), np.float32)

    def responses(self, step: int) -> Iterator[Float32Array]:
        """The strongest response (N,) of each window, for each width and length at one slope."""
        slope = step / _STEEPEST
        blocks = [block for block in BLOCKS_PX if step % (BLOCKS_PX[-1] // block) == 0]
        sums = self._along(slope, blocks[0])
        for fwhm_px in WIDTHS_PX:
            light = self._across(sums, _section(fwhm_px * math.hypot(1, slope)))
            for block in blocks:
                part = light[:: block // blocks[0]]
                whole = (SIDE_PX // block,) if block == BLOCKS_PX[-1] else ()
                for count in (*BLOCKS_A_LINE, *whole):
                    response = self._work[: len(part) - count]
                    np.subtract(part[count:], part[:-count], out=response)
                    deviation = np.float32(math.sqrt(count * block))
                    yield response.max(axis=0).max(axis=0) / deviation

    def _along(self, slope: float, block: int) -> Float32Array:
        """Sums along lines from the left border to the end of each block: (blocks + 1, rows, N).

        Rows are those at the left border.
        """
        sums = self._sums[: SIDE_PX // block + 1]
        offsets = np.rint(slope * (np.arange(SIDE_PX) + 0.5)).astype(int) % SIDE_PX
        total = np.zeros_like(sums[0])
        for column, (pixels, row) in enumerate(
            zip(self._columns, offsets.tolist(), strict=True), start=1
        ):
            total += pixels[row : row + self._height]
            if column % block == 0:
                sums[column // block] = total
        return sums

    def _across(self, sums: Float32Array, section: Float32Array) -> Float32Array:
        """Sums filtered across the rows, less the margins: (blocks + 1, 256, N)."""
        light, work = self._light[: len(sums)], self._work[: len(sums)]
        first, centre = _REACH_PX, len(section) // 2
        np.multiply(sums[:, first : first + SIDE_PX], section[centre], out=light)
        for offset in range(1, centre + 1):
            above, below = first - offset, first + offset
            np.add(sums[:, above : above + SIDE_PX], sums[:, below : below + SIDE_PX], out=work)
            work *= section[centre + offset]
            light += work
        return light


def _section(fwhm_px: float) -> Float32Array:
    """A Gaussian across the rows, whose squares sum up to 1."""
    sigma = fwhm_px * SIGMA_PER_FWHM
    reach = min(_REACH_PX, math.ceil(_REACH_SIGMAS * sigma))
    values = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(values / np.sqrt((values**2).sum()), np.float32)
