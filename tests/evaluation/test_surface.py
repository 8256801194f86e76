"""Detection over length and contrast, measured on detectors of known sensitivity."""

import csv
import io
import json
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from darkscan.network.evaluation.surface import (
    FULL,
    QUICK,
    SIGMA,
    Detector,
    Plan,
    Surface,
    draw_figure,
    half_found_table,
    measure,
    to_csv,
    to_json,
    to_markdown,
)
from darkscan.network.evaluation.surface._drawing import (
    CROSSING,
    FULL_SCALE,
    SATURATED,
    SIDE_PX,
    Scene,
    draw,
)
from darkscan.network.evaluation.surface._measuring import FALSE_RATE
from darkscan.network.evaluation.surface._plan import FWHM_PX
from darkscan.network.evaluation.surface._sensitivity import NEVER, half_found
from darkscan.pipeline.core.arrays import Float64Array, Pixels
from darkscan.pipeline.core.errors import InputError

SMALL = Plan(
    lengths_px=(119, CROSSING),
    cnrs=(2, 4, SATURATED),
    specks=(0,),
    sharpness_lengths_px=(),
    sharpness_specks=0,
    windows=12,
    blanks=600,
)
VARIED = replace(SMALL, sharpness_lengths_px=(119,), windows=2, blanks=4)


def mean_level(windows: Pixels, full_scale: float) -> Float64Array:
    """A detector that looks at nothing but the light of the whole window."""
    return np.asarray(windows.mean(axis=(1, 2)) / full_scale, np.float64)


def blind(windows: Pixels, full_scale: float) -> Float64Array:
    """A detector that sees nothing."""
    return np.zeros(len(windows))


DETECTORS = (Detector("mean", mean_level, 0.073), Detector("blind", blind))


@pytest.fixture(scope="module")
def surface() -> Surface:
    return measure(DETECTORS, SMALL, 1)


@pytest.fixture(scope="module")
def varied() -> Surface:
    """Of few windows, with sharpness varied."""
    return measure(DETECTORS, VARIED, 1)


def test_the_sensitivity_of_a_known_detector_is_recovered(surface: Surface) -> None:
    # The window's sum has the deviation 256 SIGMA; light and signal-to-noise of a Gaussian line
    # of deviation s and length l are in the ratio of the root of 2 s l sqrt(pi).
    seen = np.hypot(FWHM_PX / 2.3548, np.sqrt(1 / 12))
    ratio = np.sqrt(2 * seen * 119 * np.sqrt(np.pi))
    expected = NormalDist().inv_cdf(1 - FALSE_RATE) * SIDE_PX / ratio
    found = {(h.detector, h.length_px): h.snr for h in surface.half_found}
    known = found["mean", 119]
    assert known.value == pytest.approx(expected, rel=0.12)
    assert known.low <= known.value <= known.high
    assert found["blind", 119].value == NEVER
    assert found["mean", CROSSING].value < known.value


def test_thresholds_give_the_stated_rate_on_other_windows(surface: Surface) -> None:
    (threshold,) = (
        blanks.threshold
        for blanks in surface.blanks
        if blanks.detector == "mean" and blanks.scene == Scene(0)
    )
    others = np.stack([draw(Scene(0), 99, number).levels for number in range(1200)])
    rate = float((mean_level(others, FULL_SCALE) >= threshold).mean())
    assert rate == pytest.approx(FALSE_RATE, abs=0.006)


def test_recall_at_a_detectors_own_threshold_stands_beside(surface: Surface) -> None:
    cells = surface.by_place()
    bright = [c for c in surface.cells if c.scene.line and c.scene.line.cnr == SATURATED]
    own = {c.detector: c.found_at_own for c in bright if c.scene.specks == 0}
    assert own["blind"] is None
    assert own["mean"] is not None
    assert own["mean"].hits == own["mean"].count == 12
    assert all(cells[cell.detector, cell.scene] is cell for cell in surface.cells)


def test_half_found_of_a_known_curve() -> None:
    snr = 3 * 1.4 ** np.arange(10.0)
    normal = NormalDist(8, 1.5)
    hits = np.rint(400 * np.array([normal.cdf(value) for value in snr]))
    found = half_found(snr, hits, np.full(10, 400.0))
    assert found.value == pytest.approx(8, rel=0.03)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        pytest.param([0, 0, 4, 10], 4 * 2 ** (1 / 6), id="between two points"),
        pytest.param([0, 7, 4, 10], 2 ** (0.5 / 0.55), id="a dip is evened out"),
        pytest.param([0, 2, 4, 4], NEVER, id="half is never reached"),
        pytest.param([0, 10, 0, 0], NEVER, id="half of the fainter alone"),
        pytest.param([9, 10, 10, 10], 1, id="found already where the points begin"),
    ],
)
def test_half_found_of_few_points(hits: list[float], expected: float) -> None:
    windows = np.full(4, 10.0)
    found = half_found(np.array([1.0, 2.0, 4.0, 8.0]), np.array(hits, float), windows)
    assert found.value == pytest.approx(expected)


def test_plans_are_as_large_as_is_said() -> None:
    for plan, windows in ((FULL, 11_040), (QUICK, 1472)):
        drawn = len(plan.points) * plan.windows + len(plan.blank_scenes) * plan.blanks
        assert drawn == windows


def test_a_score_that_is_no_number_is_refused() -> None:
    bad = Detector("bad", lambda windows, _: np.full(len(windows), np.nan))
    with pytest.raises(InputError, match="bad: gives windows a score that is no number"):
        measure([bad], SMALL, 1)


def test_the_table_has_a_row_for_each_point_and_detector(varied: Surface) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(varied))))
    assert len(rows) == 2 * len(VARIED.points)
    crossing = [r for r in rows if (r["length_px"], r["cnr"]) == ("crossing", "saturated")]
    assert [(r["method"], r["recall"]) for r in crossing] == [("mean", "1"), ("blind", "0")]
    assert {r["finish"] for r in rows} == {"plain", "sharpened", "blurred"}
    assert {r["recall_at_own_threshold"] for r in rows if r["method"] == "blind"} == {""}


def test_json_has_numbers_or_words(varied: Surface) -> None:
    content = json.loads(json.dumps(to_json(varied, {"file": "m.onnx"}), allow_nan=False))
    assert content["about"] == {"file": "m.onnx"}
    assert content["conditions"]["sigma_levels"] == SIGMA
    halves = {(h["method"], h["length_px"]): h["snr50"] for h in content["snr50"]}
    assert halves["blind", "119"] == "never"
    assert halves["mean", "119"] > 1


def test_the_report_shows_the_detectors_beside_each_other(varied: Surface) -> None:
    text = to_markdown(varied, "surface.png", "No model.")
    assert "| specks in 10^4 px | length, px | mean | blind |" in text
    assert all(row in text for row in half_found_table(varied))
    assert "| crossing | " in text
    assert "FWHM 2.2 px, sharpened" in text
    assert "1.00 / 0.00" in text
    assert "## mean at its own threshold: recall (mean score)" in text
    assert "## blind at its own" not in text


def test_the_figure_is_a_png(varied: Surface) -> None:
    assert draw_figure(varied).startswith(b"\x89PNG")
