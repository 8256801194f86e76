"""Defect maps against the truth of their element."""

import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Defect
from darkscan.simulation.element import Dig, ElementTruth, Trace
from darkscan.simulation.element._dust import Dust
from darkscan.simulation.element.comparison import Comparison, TrueLine, compare, noise_under
from darkscan.simulation.element.element_truth import TraceKind
from darkscan.simulation.element.render import Scene
from darkscan.simulation.element.strokes import SIGMA_PER_FWHM
from tests.simulation.made_maps import (
    SIDE_PX,
    Points,
    line,
    made_map,
    spot,
    square_area,
    straight,
)

BRIGHT = 40.0
SCRATCH = straight(100, 200, 300, 200)
ASIDE = np.array([0.0, 1.5])


def trace(points: Points, kind: TraceKind = "straight", amplitude: float = BRIGHT) -> Trace:
    return Trace(0, kind, points, np.full(len(points), amplitude), 2.0)


def truth(*traces: Trace, digs: tuple[Dig, ...] = (), dust: float = 0.0) -> ElementTruth:
    return ElementTruth((SIDE_PX, SIDE_PX), 7, "clean", dust, traces=traces, digs=digs)


def held(*listed: Defect, against: ElementTruth | None = None) -> Comparison:
    return compare(truth(trace(SCRATCH)) if against is None else against, made_map(listed))


def the_scratch(*listed: Defect) -> TrueLine:
    (scratch,) = held(*listed).scratches
    return scratch


@pytest.mark.parametrize(
    ("points", "found"),
    [
        pytest.param(straight(100, 202.5, 300, 202.5), True, id="2.5 px beside"),
        pytest.param(straight(100, 203.5, 300, 203.5), False, id="3.5 px beside"),
        pytest.param(straight(20, 200, 203, 200), True, id="over half of it"),
        pytest.param(straight(20, 200, 190, 200), False, id="over less than half"),
        pytest.param(straight(200, 100, 200, 300), False, id="across it"),
        pytest.param(straight(300, 200, 100, 200), True, id="turned round"),
    ],
)
def test_a_scratch_is_found_by_a_line_along_half_of_it(points: Points, found: bool) -> None:
    scratch = the_scratch(line(points))
    assert scratch.found is found
    assert not scratch.split
    assert not scratch.merged


def test_what_crosses_a_short_scratch_does_not_find_it() -> None:
    short = truth(trace(straight(200, 200, 212, 200)))
    (scratch,) = held(line(straight(206, 100, 206, 300)), against=short).scratches
    assert not scratch.seen
    assert scratch.traced == 0


def test_a_scratch_of_two_lines_is_split_and_found_only_if_one_has_half_of_it() -> None:
    halves = the_scratch(line(straight(100, 200, 190, 200)), line(straight(210, 200, 300, 200)))
    assert halves.split
    assert not halves.found
    assert halves.traced == pytest.approx(0.93, abs=0.02)
    most = the_scratch(line(straight(100, 200, 240, 200)), line(straight(250, 200, 300, 200)))
    assert most.split
    assert most.found
    crumb = the_scratch(line(straight(100, 200, 280, 200)), line(straight(285, 200, 300, 200)))
    assert not crumb.split


def test_a_scratch_with_two_lines_side_by_side_is_not_found() -> None:
    doubled = the_scratch(line(SCRATCH + ASIDE), line(SCRATCH - ASIDE))
    assert doubled.split
    assert doubled.one is None
    assert not doubled.found


def test_a_scratch_that_is_listed_as_a_fibre_is_mistaken() -> None:
    scratch = the_scratch(line(SCRATCH, "fibre"))
    assert (scratch.found, scratch.mistaken) == (False, True)


def test_one_line_along_two_scratches_merges_them() -> None:
    two = truth(trace(SCRATCH), trace(straight(350, 200, 450, 200)))
    comparison = held(line(straight(100, 200, 450, 200)), against=two)
    assert [scratch.merged for scratch in comparison.scratches] == [True, True]
    assert [scratch.found for scratch in comparison.scratches] == [True, True]
    apart = held(line(SCRATCH), line(straight(350, 200, 450, 200)), against=two)
    assert [scratch.merged for scratch in apart.scratches] == [False, False]


def test_length_ends_and_width_are_held_against_the_true_ones() -> None:
    one = the_scratch(line(straight(304, 200, 90, 200), width_px=2.5)).one
    assert one is not None
    assert one.length_ratio == pytest.approx(214 / 200, abs=0.005)
    assert one.ends_px == pytest.approx((10, 4), abs=0.6)
    assert one.width_ratio == pytest.approx(2.5 / 2.0)


def test_a_scratch_ends_where_its_light_is_lost_in_the_noise() -> None:
    points = straight(100, 200, 300, 200)
    fading = np.linspace(BRIGHT, 0.0, len(points))
    gap = slice(50, 70)
    fading[gap] = 0.0
    scene_truth = truth(Trace(0, "tapered", points, fading, 2.0))
    (scratch,) = held(against=scene_truth).scratches
    noise = noise_under(Scene(scene_truth), scene_truth.traces[0])
    assert 1.3 < noise < 4
    assert scratch.length_px == pytest.approx(200 * (1 - noise / BRIGHT), abs=1.5)
    assert scratch.cnr == pytest.approx(np.percentile(fading, 90) / noise)


def test_what_lies_off_the_element_does_not_count() -> None:
    partly = truth(trace(straight(-100, 500, 60, 500)), trace(straight(-100, 700, -20, 700)))
    (scratch,) = held(line(straight(4, 500, 60, 500)), against=partly).scratches
    assert scratch.length_px == pytest.approx(60, abs=1)
    assert scratch.found
    assert scratch.one is not None
    assert max(scratch.one.ends_px) < 5


def test_areas_cover_a_scratch_in_part() -> None:
    found = compare(truth(trace(SCRATCH)), made_map([], [square_area(50, 150, 100)]))
    assert found.scratches[0].covered == pytest.approx(0.25, abs=0.01)
    assert found.covered_mm == pytest.approx(0.5, abs=0.02)


HAIR = np.stack([np.linspace(500, 560, 40), 500 + 12 * np.sin(np.linspace(0, 6, 40))], axis=1)
DIG = Dig(0, 700.0, 700.0, radius_px=4.0, amplitude=100.0)


@pytest.mark.parametrize(
    ("listed", "shows", "right"),
    [
        pytest.param(line(SCRATCH), "scratch", True, id="scratch"),
        pytest.param(line(SCRATCH, "fibre"), "scratch", False, id="scratch as a fibre"),
        pytest.param(line(HAIR, "fibre"), "hair", True, id="hair"),
        pytest.param(line(HAIR), "hair", False, id="hair as a scratch"),
        pytest.param(line(straight(500, 200, 600, 200)), "nothing", False, id="nothing"),
        pytest.param(line(straight(250, 200, 340, 200)), "scratch", True, id="half a scratch"),
        pytest.param(line(straight(270, 200, 350, 200)), "nothing", False, id="more than half off"),
        pytest.param(line(straight(694, 700, 708, 700)), "dig", False, id="dig as a scratch"),
        pytest.param(spot(701, 701, 5), "dig", True, id="dig"),
        pytest.param(spot(701, 701, 5, "dust"), "dig", False, id="dig as dust"),
        pytest.param(spot(600, 300, 5), "nothing", False, id="spot of nothing"),
    ],
)
def test_each_defect_shows_a_true_thing_or_nothing(listed: Defect, shows: str, right: bool) -> None:
    comparison = held(listed, against=truth(trace(SCRATCH), trace(HAIR, "hair"), digs=(DIG,)))
    (found,) = comparison.defects
    assert (found.cause, found.right) == (shows, right)
    is_false_scratch = listed.kind == "scratch" and shows != "scratch"
    assert [each.defect.id for each in comparison.false_scratches] == ["D0001"] * is_false_scratch


def test_hairs_and_digs_are_found_as_what_they_are() -> None:
    planted = truth(trace(HAIR, "hair"), digs=(DIG,))
    right = held(line(HAIR, "fibre"), spot(700, 702, 5), against=planted)
    assert (right.hairs[0].found, right.spots[0].found) == (True, True)
    wrong = held(line(HAIR), spot(700, 702, 5, "dust"), against=planted)
    assert (wrong.hairs[0].mistaken, wrong.spots[0].found) == (True, False)
    assert len(wrong.spots[0].defects) == 1
    assert not held(spot(720, 700, 5), against=planted).spots[0].defects


def test_dust_is_known_by_its_place() -> None:
    dusty = truth(dust=20.0)
    specks = Dust(dusty.seed, dusty.dust_per_10k_px).specks(dusty.size_px)
    inside = ((specks.start > 50) & (specks.start < 950)).all(axis=1)
    chosen = specks[np.flatnonzero(inside)]
    x, y = ((chosen.start + chosen.end) / 2)[int(chosen.sigma.argmax())]
    comparison = held(spot(x, y, 4, "dust"), against=dusty)
    assert comparison.defects[0].right
    large = [each for each in comparison.spots if each.found]
    widest = chosen.sigma.max() / SIGMA_PER_FWHM
    assert len(large) == (1 if widest >= 8 else 0)
    assert all(each.fwhm_px >= 8 for each in comparison.spots)


def test_a_line_that_leaves_its_scratch_is_false_in_part() -> None:
    comparison = held(line(straight(100, 200, 400, 200)))
    assert comparison.length_mm == pytest.approx(3.0)
    assert comparison.false_mm == pytest.approx(0.97, abs=0.03)
    assert comparison.true_mm == pytest.approx(2.0, abs=0.02)
    assert not comparison.false_scratches
