"""The scanning matched filter responds to a line with its signal-to-noise, and to noise as due."""

from statistics import NormalDist

import numpy as np
import pytest

from darkscan.network.evaluation.surface._drawing import (
    BACKGROUND,
    CROSSING,
    FULL_SCALE,
    SIDE_PX,
    SIGMA,
    Line,
    Scene,
    draw,
    specks_of,
)
from darkscan.network.evaluation.surface._matched_filter import (
    BLOCKS_A_LINE,
    BLOCKS_PX,
    WIDTHS_PX,
    MatchedFilter,
)
from darkscan.pipeline.core.arrays import Float64Array, UInt8Array

MATCHED = MatchedFilter(BACKGROUND, SIGMA)


def windows_of(scene: Scene, count: int) -> tuple[UInt8Array, Float64Array]:
    """Windows (N, 256, 256) of a scene, and their signal-to-noise (N,)."""
    drawn = [draw(scene, 5, number) for number in range(count)]
    return np.stack([window.levels for window in drawn]), np.array([w.snr for w in drawn])


@pytest.mark.parametrize(("fwhm", "least"), [(0.8, 0.82), (2.2, 0.91), (4.0, 0.93)], ids=str)
def test_a_line_without_noise_gives_nearly_its_signal_to_noise_and_never_more(
    fwhm: float, least: float
) -> None:
    rng = np.random.default_rng(2)
    lines = [Line(length, fwhm, 100.0) for length in (12, 38, 119, CROSSING) for _ in range(4)]
    traces = np.stack([line.trace(rng) for line in lines])
    levels = np.rint(traces).astype(np.uint8)
    snr = np.sqrt((levels.astype(np.float64) ** 2).sum(axis=(1, 2)))
    response = MatchedFilter(0.0, 1.0)(levels, FULL_SCALE)
    assert (response <= snr * (1 + 1e-4)).all()  # Cauchy and Schwarz
    assert (response / snr).mean() > least


def test_a_line_in_noise_is_found_with_its_signal_to_noise() -> None:
    windows, snr = windows_of(Scene(0, line=Line(60, 2.2, 2.0)), 16)
    response = MATCHED(windows, FULL_SCALE)
    assert 0.9 < response.mean() / snr.mean() < 1.01
    assert response.std() < 2


def test_the_maximum_of_noise_is_where_so_many_lines_put_it() -> None:
    windows, _ = windows_of(Scene(0), 24)
    median = float(np.median(MATCHED(windows, FULL_SCALE)))
    lines = sum(
        2 * (8 * block + 1) * (SIDE_PX // block - count + 1) * SIDE_PX * len(WIDTHS_PX)
        for block in BLOCKS_PX
        for count in BLOCKS_A_LINE
    )
    # At most as if all lines were independent, at least as if only those apart were.
    apart = SIDE_PX**2 / (min(BLOCKS_PX) * min(BLOCKS_A_LINE) * max(WIDTHS_PX))
    normal = NormalDist()
    assert normal.inv_cdf(0.5 ** (1 / apart)) < median < normal.inv_cdf(0.5 ** (1 / lines))
    assert median == pytest.approx(5.25, abs=0.2)  # measured once on 1000 windows


def test_rows_and_columns_are_treated_alike() -> None:
    windows, _ = windows_of(Scene(5, line=Line(60, 2.2, 1.0)), 4)
    turned = windows.transpose(0, 2, 1)
    assert MATCHED(turned, FULL_SCALE) == pytest.approx(MATCHED(windows, FULL_SCALE), rel=1e-5)


def test_clipping_changes_nothing_in_noise_and_dims_specks() -> None:
    clipped = MatchedFilter(BACKGROUND, SIGMA, clip=4.0)
    faint, _ = windows_of(Scene(0, line=Line(38, 2.2, 1.0)), 8)
    assert clipped(faint, FULL_SCALE) == pytest.approx(MATCHED(faint, FULL_SCALE), abs=0.1)
    levels = BACKGROUND + specks_of(5, np.random.default_rng(1))
    specks = np.rint(levels)[None].astype(np.uint8)
    assert clipped(specks, FULL_SCALE)[0] < 0.6 * MATCHED(specks, FULL_SCALE)[0]
