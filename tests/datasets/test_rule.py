"""Scratch, background or neither: the rule at its edges."""

import numpy as np
import pytest

from darkscan.network.datasets._labelled_image import (
    Distractor,
    ImageTruth,
    Scratch,
    polyline_scratch,
)
from darkscan.network.datasets.facts import Witness
from darkscan.network.datasets.rule import BACKGROUND, LEFT_OUT, SCRATCH, Judge


def truth_of(*scratches: Scratch, side: int = 600) -> ImageTruth:
    """Scratches that touch just the pixels of their centre lines."""
    touched = np.zeros((side, side), bool)
    for scratch in scratches:
        x, y = scratch.points.astype(int).T
        touched[y, x] = True
    return ImageTruth(scratches, touched)


def level_line(x0: float, x1: float, y: float) -> Scratch:
    return polyline_scratch(np.array([[x0, y], [x1, y]]))


def label(truth: ImageTruth, y: int, x: int) -> int:
    return int(Judge(truth).label(np.array([[y, x]]))[0])


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        pytest.param(100, 200, SCRATCH, id="through the middle"),
        pytest.param(0, 200, BACKGROUND, id="ends where the scratch begins"),
        pytest.param(1, 200, LEFT_OUT, id="one pixel of it at the rim"),
        pytest.param(0, 344, BACKGROUND, id="beside it"),
        pytest.param(15, 200, LEFT_OUT, id="11 px within the rim"),
        pytest.param(17, 200, SCRATCH, id="13 px within the rim"),
        pytest.param(300, 332, LEFT_OUT, id="along the rim, 3 px from the border"),
        pytest.param(300, 330, SCRATCH, id="along the rim, 5 px from the border"),
    ],
)
def test_a_window_is_labelled_by_where_the_scratch_runs(x: int, y: int, wanted: int) -> None:
    truth = truth_of(level_line(256, 580, 335.5))
    assert label(truth, y, x) == wanted


def test_short_scratches_do_not_add_up() -> None:
    pieces = [level_line(x, x + 10, y) for x, y in ((100.0, 100.5), (150.0, 150.5))]
    assert label(truth_of(*pieces), 50, 50) == LEFT_OUT
    assert label(truth_of(level_line(100, 120, 100.5)), 50, 50) == SCRATCH


def test_light_without_a_centre_line_is_no_background() -> None:
    truth = truth_of()
    truth.touched[300, 300] = True
    assert label(truth, 100, 100) == LEFT_OUT
    assert label(truth, 300, 301) == BACKGROUND


def test_dark_stretches_of_a_scratch_count_for_nothing_but_are_no_background() -> None:
    line = level_line(100, 300, 100.5)
    dark = Scratch(line.points, np.zeros_like(line.lengths), line.contrasts)
    assert label(ImageTruth((dark,), np.zeros((600, 600), bool)), 0, 60) == LEFT_OUT


def test_facts_are_of_the_scratch_that_stands_out_most() -> None:
    weak, strong = level_line(50, 250, 60.5), level_line(50, 250, 180.5)
    weak = Scratch(weak.points, weak.lengths, np.full(len(weak.points), 3.0), "straight")
    strong = Scratch(strong.points, strong.lengths, np.full(len(strong.points), 9.0), "curved")
    truth = truth_of(weak, strong)
    power = np.where(truth.touched, np.float32(4.0), np.float32(0.0))
    truth = ImageTruth(truth.scratches, truth.touched, power)
    facts = Witness(truth).tell(np.array([[0, 0], [300, 300]]), np.array([1, 0], np.int8))
    assert facts.kind.tolist() == ["curved", ""]
    assert facts.cnr.tolist() == [9.0, 0.0]
    assert facts.length_px == pytest.approx([200.0, 0.0])
    assert facts.snr == pytest.approx([np.sqrt(2 * 200 * 4.0), 0.0])
    assert facts.boxes.tolist() == [[50, 60, 250, 181], [0, 0, 0, 0]]
    rows = np.flatnonzero(facts.lines[0].any(axis=1))
    assert rows.tolist() == [60 // 8, 180 // 8]
    assert facts.lines[0, 7].sum() == 31 - 6 + 1
    assert not facts.lines[1].any()


def test_a_background_is_named_by_the_rarest_thing_in_it() -> None:
    seen = tuple(Distractor(kind, np.array([[x, 50.0]])) for kind, x in (("dig", 50), ("hair", 60)))
    truth = ImageTruth((), np.zeros((600, 600), bool), None, seen, "dust")
    origins = np.array([[0, 0], [0, 55], [0, 300]])
    facts = Witness(truth).tell(origins, np.zeros(3, np.int8))
    assert facts.kind.tolist() == ["dig", "hair", "dust"]
    assert np.isnan(facts.snr).all()
    assert np.isnan(facts.cnr).all()
