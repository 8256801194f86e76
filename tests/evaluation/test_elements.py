"""The figures of simulated elements' maps, and the elements that are inspected for them."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.cli.options import model_file
from darkscan.inference.scoring import ModelScorer
from darkscan.network.evaluation.element_tables import element_section, headline
from darkscan.network.evaluation.elements import (
    ALL,
    Compared,
    DefectFigures,
    Spread,
    figures_by_preset,
    figures_of,
    length_band,
)
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import Defect
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, ModelInfo
from darkscan.runs import elements
from darkscan.runs.elements import compare_elements, simulated_elements
from darkscan.runs.in_process import by_windows, examining, tracing
from darkscan.simulation.element import Dig, ElementTruth, Trace, simulate_element
from darkscan.simulation.element.comparison import compare
from darkscan.simulation.element.element_truth import TraceKind
from tests.simulation.made_maps import SIDE_PX, Points, line, made_map, spot, straight

MODEL = ModelInfo(name="oracle", hash="", window=256, stride=128, threshold=0.5, grow_threshold=0.5)
SHORT, MIDDLE = straight(100, 100, 120, 100), straight(100, 200, 200, 200)
LONG, FAINT = straight(100, 300, 500, 300), straight(100, 400, 300, 400)


def trace(points: Points, kind: TraceKind = "straight", amplitude: float = 40.0) -> Trace:
    return Trace(0, kind, points, np.full(len(points), amplitude), 2.0)


TRUTH = ElementTruth(
    (SIDE_PX, SIDE_PX),
    3,
    "clean",
    0.0,
    traces=(
        *(trace(SHORT), trace(MIDDLE, "curved"), trace(LONG), trace(FAINT, amplitude=4.0)),
        *(trace(straight(500, 600, 508, 600)), trace(straight(600, 600, 640, 640), "hair")),
    ),
    digs=(Dig(0, 800.0, 800.0, 3.0, 90.0),),
)


def measured(*listed: Defect) -> DefectFigures:
    found = made_map(listed)
    return figures_of([Compared(TRUTH, found, compare(TRUTH, found))])


LISTED = (
    line(SHORT),
    line(straight(100, 200, 145, 200)),
    line(straight(155, 200, 200, 200)),
    line(straight(110, 300, 500, 300)),
    line(FAINT, "fibre"),
    line(straight(700, 100, 760, 100)),
    line(straight(600, 600, 640, 640)),
    spot(800, 801, 4),
)


def test_recall_and_precision_of_each_kind_and_length() -> None:
    figures = measured(*LISTED)
    found = figures.scratches
    assert (found.recall.hits, found.recall.count) == (2, 4)  # that of 8 px is not asked for
    assert (found.precision.hits, found.precision.count) == (4, 6)
    bands = figures.kinds[0].by_length
    by_length = [(met.name, met.recall.hits, met.recall.count) for met in bands]
    assert by_length == [
        ("12-25 px", 1, 1),
        ("25-60 px", 0, 0),
        ("60-250 px", 0, 2),
        ("> 250 px", 1, 1),
    ]
    assert [(met.precision.hits, met.precision.count) for met in bands] == [
        (1, 1), (2, 3), (0, 1), (1, 1),
    ]  # fmt: skip
    assert [kind.kind for kind in figures.kinds] == list(DEFECT_KINDS)
    assert all(kind.sought for kind in figures.kinds)
    _, fibre, dig, dust = (kind.whole for kind in figures.kinds)
    assert (fibre.recall.hits, fibre.recall.count, fibre.precision.count) == (0, 1, 1)
    assert (dig.recall.hits, dig.precision.hits) == (1, 1)
    assert dust.recall.count == dust.precision.count == 0
    assert [(s.name, s.hits, s.count) for s in figures.by_shape] == [
        ("curved", 0, 1), ("straight", 2, 3),
    ]  # fmt: skip
    assert sum(share.count for share in figures.by_cnr) == 4


def test_splits_and_merges_are_shares_of_what_was_seen() -> None:
    figures = measured(*LISTED)
    assert (figures.seen.hits, figures.seen.count) == (4, 4)
    assert (figures.split.hits, figures.split.count) == (1, 4)
    assert (figures.merged.hits, figures.merged.count) == (0, 4)
    assert (figures.as_fibre.hits, figures.as_fibre.count) == (1, 4)
    assert measured().split.count == 0


def test_false_scratches_are_told_by_what_they_show() -> None:
    figures = measured(*LISTED)
    assert dict(figures.false) == {"nothing": 1, "hair": 1}
    assert figures.area_dm2 == pytest.approx(0.1**2)
    rate = figures.false_per_dm2
    assert rate.value == pytest.approx(2 / 0.01)
    assert rate.low < rate.value < rate.high
    nothing = measured().false_per_dm2
    assert nothing.high == pytest.approx(3.69 / 0.01, rel=0.02)  # exact Poisson: 3.689


def test_lengths_ends_and_widths_of_those_found() -> None:
    figures = measured(*LISTED)
    found = figures.scratches
    assert found.length_ratio.count == 2
    assert found.length_ratio.median == pytest.approx((20 / 20 + 390 / 400) / 2, abs=0.02)
    assert found.end_px.count == 4
    assert found.width_ratio.median == pytest.approx(1.0)
    *_, longest = figures.kinds[0].by_length
    assert longest.length_ratio.median == pytest.approx(390 / 400, abs=0.003)
    assert longest.end_px.high == pytest.approx(10, abs=1.5)
    assert figures.true_mm == pytest.approx(7.28, abs=0.05)
    assert np.isnan(Spread.of([]).median)


def test_bands_of_length_take_their_lower_edge() -> None:
    lengths = (5.0, 24.9, 25.0, 60.0, 250.0)
    names = ["12-25 px", "12-25 px", "25-60 px", "60-250 px", "> 250 px"]
    assert [length_band(length) for length in lengths] == names


def test_the_tables_say_it_all() -> None:
    found = made_map(LISTED)
    by_preset = figures_by_preset([Compared(TRUTH, found, compare(TRUTH, found))])
    assert list(by_preset) == ["clean", ALL]
    text = "\n".join(element_section(by_preset))
    assert "| clean (1) | 0.010 | 2 of 4, 50.0% | 4 of 6, 66.7% | 1 of 4, 25.0% |" in text
    assert "|  | 60-250 px | 0 of 2 |" in text
    assert "0 of 1 | 0.0000 [0.0000, 0.7935] | - | - | - |" in text
    assert "False scratches show instead: hair 1, nothing 1." in text
    assert headline(by_preset[ALL]).startswith("2 of 4 true scratches found one to one, 4 of 6")


def everything(windows: Pixels, _: float) -> npt.NDArray[np.float32]:
    return np.ones(len(windows), np.float32)


def nothing(windows: Pixels, _: float) -> npt.NDArray[np.float32]:
    return np.zeros(len(windows), np.float32)


def test_elements_of_a_preset_do_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "FRAMES", (1, 1))
    one, both = simulated_elements(2, ["weak"]), simulated_elements(2, ["clean", "weak"])
    assert [truth.seed for truth in both[2:]] == [truth.seed for truth in one]
    assert [truth.preset for truth in both] == ["clean", "clean", "weak", "weak"]
    assert len({truth.seed for truth in both}) == 4


@pytest.mark.slow
def test_scores_alone_are_traced_by_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    truths = [simulate_element((2048, 2048), seed=3, preset="clean")]
    frames: list[tuple[int, int]] = []
    found, missed = (
        compare_elements(
            truths,
            tracing(by_windows(score, 256), MODEL),
            MODEL,
            lambda done, count: frames.append((done, count)),
        )
        for score in (everything, nothing)
    )
    assert frames == [(1, 1)] * 2
    assert figures_of(found).scratches.recall.hits >= 2
    assert not missed[0].map.defects
    assert figures_of(missed).scratches.recall.hits == 0


@pytest.mark.slow
def test_a_model_file_traces_at_the_thresholds_it_is_given() -> None:
    with model_file(None) as file:
        scorer = ModelScorer(file, threads=1)
    truths = [simulate_element((2048, 2048), seed=3, preset="clean")]
    unreachable = scorer.info.model_copy(update={"threshold": 1.0, "grow_threshold": 1.0})
    own, none = (
        figures_of(compare_elements(truths, examining(scorer, model), info, lambda *_: None))
        for model, info in ((None, scorer.info), (unreachable, unreachable))
    )
    assert own.scratches.recall.hits >= 2
    assert own.scratches.recall.hits > none.scratches.recall.hits
