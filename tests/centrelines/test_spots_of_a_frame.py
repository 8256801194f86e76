"""Digs and large grains are measured where the model sees them."""

import numpy as np
import pytest

from darkscan.centrelines import Windows, trace_frame
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, SpotMeasures, Traces
from tests.centrelines.drawn import ORIGINS, SIDE, WINDOW, arc, frame, lines_of

CELL = 8
NOTHING, DUST, DIG, FIBRE = 0, 3, 4, 5


def told(pixels: Pixels, cells: np.ndarray) -> Traces:
    """What is traced without positive windows where the model sees kinds in cells (h, w)."""
    parts = [
        cells[y // CELL :, x // CELL :][: WINDOW // CELL, : WINDOW // CELL] for y, x in ORIGINS
    ]
    windows = Windows(
        ORIGINS, WINDOW, np.zeros(len(ORIGINS), np.bool_), None, np.stack(parts).astype(np.float32)
    )
    return trace_frame(pixels, 255, windows)


def nothing() -> np.ndarray:
    return np.full((SIDE // CELL, SIDE // CELL), NOTHING + 0.9, np.float32)


def with_spot(x: float, y: float, sigma: float, peak: float) -> Pixels:
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    light = peak * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))
    pixels: Pixels = np.clip(frame() + np.rint(light), 0, 255).astype(np.uint8)
    return pixels


def around(x: float, y: float, kind: float) -> np.ndarray:
    cells = nothing()
    row, column = int(y // CELL), int(x // CELL)
    cells[row - 1 : row + 2, column - 1 : column + 2] = kind
    return cells


def test_a_dig_is_outlined_at_half_of_its_peak() -> None:
    spots = told(with_spot(301.0, 409.0, 5.0, 120.0), around(301, 409, DIG + 0.75)).spots
    (contour,) = spots.parts
    assert contour.mean(axis=0) == pytest.approx((301, 409), abs=0.7)
    assert np.ptp(contour, axis=0) == pytest.approx(2.355 * 5, abs=1.5)
    measures = SpotMeasures(*spots.measures[0].tolist())
    assert measures.brightness == pytest.approx(120 * 2 * np.pi * 25 / 255, rel=0.2)
    assert measures.contrast == pytest.approx(120 / 1.5, rel=0.2)
    assert measures.saturated == 0
    assert dict(zip(DEFECT_KINDS, spots.kinds[0].tolist(), strict=True)) == {
        "scratch": 0,
        "fibre": 0,
        "dig": 0.75,
        "dust": 0,
    }


def test_a_spot_at_full_scale_says_so() -> None:
    spots = told(with_spot(301.0, 409.0, 5.0, 900.0), around(301, 409, DIG + 0.75)).spots
    assert SpotMeasures(*spots.measures[0].tolist()).saturated > 0.6


@pytest.mark.parametrize(("sigma", "count"), [(1.5, 0), (4.5, 1)], ids=["small", "large"])
def test_only_large_grains_of_dust_are_listed(sigma: float, count: int) -> None:
    pixels = with_spot(301.0, 409.0, sigma, 120.0)
    assert len(told(pixels, around(301, 409, DUST + 0.8)).spots.counts) == count


def test_where_the_model_sees_a_dig_but_nothing_shines_none_is_listed() -> None:
    assert not len(told(frame(), around(301, 409, DIG + 0.9)).spots.counts)


def test_a_dig_at_the_border_is_outlined_within_the_frame() -> None:
    spots = told(with_spot(2.0, 409.0, 5.0, 120.0), around(9, 409, DIG + 0.9)).spots
    (contour,) = spots.parts
    assert contour[:, 0].min() == 0


def test_a_fibre_is_traced_outside_of_positive_windows() -> None:
    curl = arc(40.0, 3.0, (350.0, 350.0))
    cells = nothing()
    columns, rows = (curl // CELL).astype(int).T
    cells[rows, columns] = FIBRE + 0.9
    lines = told(frame((curl, 30.0, 2.5)), cells).lines
    (line,) = lines_of(lines, bent=True)
    assert not lines_of(lines)
    assert float(np.hypot(*np.diff(line, axis=0).T).sum()) == pytest.approx(120, rel=0.2)
    assert lines.kinds[0, DEFECT_KINDS.index("fibre")] > 0.6


def test_a_large_grain_among_small_ones_is_listed_by_itself() -> None:
    """All cells about it are dust: small grains between which it lies."""
    rng = np.random.default_rng(8)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    light = 100 * np.exp(-((rows - 409) ** 2 + (columns - 301) ** 2) / (2 * 5.0**2))
    for x, y in rng.uniform(250, 450, (120, 2)):
        if np.hypot(x - 301, y - 409) > 25:
            light += 90 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 0.9**2))
    pixels = np.clip(frame() + np.rint(light), 0, 255).astype(np.uint8)
    cells = nothing()
    cells[30:60, 30:60] = DUST + 0.8
    (contour,) = told(pixels, cells).spots.parts
    assert contour.mean(axis=0) == pytest.approx((301, 409), abs=1.5)
