"""Which windows a measurement draws: points of the surface, and blank windows for thresholds."""

from dataclasses import dataclass

from darkscan.network.evaluation.surface._drawing import (
    CROSSING,
    SATURATED,
    Finish,
    Line,
    Scene,
)

FWHM_PX = 2.2
"""The usual width of a weak scratch; other widths are drawn only where sharpness is varied."""

_FAINT_CNRS = (0.2, 0.3, 0.45, 0.7, 1.0, 1.4)
_LEAST_SNR = 3.0  # of faint lines: below, nothing is found at a fair rate of false windows
_SHARPNESS: tuple[tuple[float, Finish], ...] = (
    (0.8, "plain"),
    (1.5, "plain"),
    (FWHM_PX, "plain"),
    (4.0, "plain"),
    (FWHM_PX, "sharpened"),
    (FWHM_PX, "blurred"),
)


@dataclass(frozen=True)
class Plan:
    """A part of the cube length x contrast x specks x sharpness, and how often each point is seen.

    Every length is drawn at every contrast and among all specks with a FWHM of 2.2 px; faint
    contrasts are added where they say at which signal-to-noise half of the lines are found.
    Sharpness is varied for a few lengths, among as many specks as ``sharpness_specks``.
    """

    lengths_px: tuple[float, ...]
    cnrs: tuple[float, ...]
    specks: tuple[int, ...]
    """In 10^4 px."""
    sharpness_lengths_px: tuple[float, ...]
    sharpness_specks: int
    windows: int
    """At each point."""
    blanks: int
    """Windows without a line, for each number of specks and each finish."""

    @property
    def points(self) -> tuple[Scene, ...]:
        """Every scene with a line, each once."""
        main = [
            Scene(specks, line=Line(length, FWHM_PX, cnr))
            for specks in self.specks
            for length in self.lengths_px
            for cnr in (*_faint(length), *self.cnrs)
        ]
        varied = [scene for row in self.sharpness_rows for scene in row]
        return tuple(dict.fromkeys([*main, *varied]))

    @property
    def sharpness_rows(self) -> tuple[tuple[Scene, ...], ...]:
        """For each length and sharpness the scenes of all contrasts."""
        return tuple(
            tuple(Scene(self.sharpness_specks, finish, Line(length, fwhm, c)) for c in self.cnrs)
            for length in self.sharpness_lengths_px
            for fwhm, finish in _SHARPNESS
        )

    @property
    def blank_scenes(self) -> tuple[Scene, ...]:
        """Every scene without a line that a point has its threshold from."""
        return tuple(dict.fromkeys(point.blank for point in self.points))


FULL = Plan(
    lengths_px=(12, 17, 25, 38, 60, 119, 250, CROSSING),
    cnrs=(2, 3, 4, 6, 12, 40, SATURATED),
    specks=(0, 5, 20, 50),
    sharpness_lengths_px=(25, 60, CROSSING),
    sharpness_specks=5,
    windows=16,
    blanks=600,
)
QUICK = Plan(
    lengths_px=(17, 38, 119, 250),
    cnrs=(2, 3, 4, 6, 12, SATURATED),
    specks=(0, 20),
    sharpness_lengths_px=(),
    sharpness_specks=0,
    windows=8,
    blanks=400,
)


def _faint(length_px: float) -> list[float]:
    lines = [Line(length_px, FWHM_PX, cnr) for cnr in _FAINT_CNRS]
    return [line.cnr for line in lines if line.expected_snr >= _LEAST_SNR]
