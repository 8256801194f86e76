"""Exact positions at exact times."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.simulation.rig._profiles import Direction, Profile

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND

FORTH_AND_BACK: tuple[Direction, Direction] = (1, -1)

places = st.floats(-500, 500)
speeds = st.floats(0.5, 2000)
accelerations = st.floats(1, 100_000)


def a_move(
    start: float, end: float, velocity: float = 200.0, acceleration: float = 1000.0
) -> Profile:
    return Profile.rest(start).then_to(end, NOW, velocity=velocity, acceleration=acceleration)


def test_a_long_move_accelerates_cruises_and_slows_down() -> None:
    profile = a_move(0.0, 400.0)
    assert profile.at(NOW) == (0.0, 0.0)
    assert profile.at(NOW + SECOND // 10) == pytest.approx((5.0, 100.0))
    assert profile.at(NOW + SECOND) == pytest.approx((180.0, 200.0))
    assert profile.end_ns - NOW == pytest.approx(2.2 * SECOND)
    assert profile.at(profile.end_ns) == (400.0, 0.0)
    assert profile.at(profile.end_ns + 5 * SECOND) == (400.0, 0.0)


def test_a_short_move_never_reaches_its_speed() -> None:
    profile = a_move(10.0, 0.0)
    assert profile.end_ns - NOW == pytest.approx(2 * math.sqrt(10 / 1000) * SECOND)
    fastest = max(abs(profile.at(piece.start_ns)[1]) for piece in profile.pieces)
    assert fastest == pytest.approx(100.0)


def test_a_move_starts_and_ends_at_the_base_speed() -> None:
    profile = Profile.rest(0.0).then_to(100.0, NOW, velocity=50.0, acceleration=100.0, base=10.0)
    assert profile.at(NOW)[1] == pytest.approx(10.0)
    assert profile.at(profile.end_ns - 1000)[1] == pytest.approx(10.0, abs=1e-3)
    assert profile.end == 100.0


@given(places, places, speeds, accelerations, st.floats(0, 1))
def test_pieces_join_without_a_jump_and_respect_the_speed(
    start: float, end: float, velocity: float, acceleration: float, share: float
) -> None:
    profile = a_move(start, end, velocity, acceleration)
    for piece, following in zip(profile.pieces, profile.pieces[1:], strict=False):
        position, speed = piece.at(following.start_ns)
        # Times are whole nanoseconds.
        assert position == pytest.approx(following.position, abs=1e-5)
        assert speed == pytest.approx(following.velocity, abs=2e-9 * acceleration + 1e-6)
    now = profile.start_ns + round(share * (profile.end_ns - profile.start_ns))
    assert abs(profile.at(now)[1]) <= velocity * (1 + 1e-6)
    assert min(start, end) - 1e-5 <= profile.position(now) <= max(start, end) + 1e-5


@given(places, places, speeds, accelerations, st.floats(0.001, 0.999))
def test_the_axis_is_at_a_place_when_it_crosses_it(
    start: float, end: float, velocity: float, acceleration: float, share: float
) -> None:
    profile = a_move(start, end, velocity, acceleration)
    place = start + share * (end - start)
    direction, back = FORTH_AND_BACK if end > start else FORTH_AND_BACK[::-1]
    time_ns = profile.crossing(place, direction)
    if abs(end - start) < 1e-6:
        return
    assert time_ns is not None
    assert profile.position(time_ns) == pytest.approx(place, abs=1e-5)
    assert profile.crossing(place, back) is None
    assert profile.crossing(end + direction, direction) is None


def test_a_place_is_crossed_where_two_pieces_meet() -> None:
    profile = a_move(0.0, 400.0)
    corner = profile.pieces[1]
    assert profile.crossing(corner.position, 1) == corner.start_ns


def test_the_end_of_a_move_is_reached() -> None:
    profile = a_move(0.0, 400.0)
    assert profile.crossing(400.0, 1) == pytest.approx(profile.end_ns, abs=100_000)


def test_crossings_before_a_time_do_not_count() -> None:
    profile = a_move(0.0, 400.0)
    time_ns = profile.crossing(100.0, 1)
    assert time_ns is not None
    assert profile.crossing(100.0, 1, time_ns + 1) is None
    assert profile.crossing(100.0, 1, time_ns - 1) == time_ns


@given(places, places, st.floats(0, 1.2))
def test_a_stop_slows_down_from_then_on_and_changes_nothing_before(
    start: float, end: float, share: float
) -> None:
    profile = a_move(start, end)
    now = profile.start_ns + round(share * (profile.end_ns - profile.start_ns))
    stopped = profile.stopped(now, 1000.0)
    before = (now + profile.start_ns) // 2
    assert stopped.at(before) == profile.at(before)
    assert stopped.end_ns <= max(profile.end_ns, now) + 1000
    _, speed = profile.at(now)
    expected = profile.position(now) + math.copysign(speed**2 / 2000.0, speed)
    assert stopped.end == pytest.approx(expected if now < profile.end_ns else profile.end, abs=1e-5)
    assert stopped.stopped(now, 1000.0) == stopped


@pytest.mark.slow
def test_a_move_follows_a_stop_on_the_way() -> None:
    profile = a_move(0.0, 400.0).stopped(NOW + SECOND, 1000.0)
    back = profile.then_to(0.0, NOW + SECOND, velocity=200.0, acceleration=1000.0)
    assert back.position(NOW + SECOND) == profile.position(NOW + SECOND)
    turned = back.position(profile.end_ns)
    assert turned == pytest.approx(200.0)
    assert back.end == 0.0
    # Passed on the way out, and once more on the way back.
    out, home = back.crossing(190.0, 1), back.crossing(190.0, -1)
    assert out is not None
    assert home is not None
    assert out < profile.end_ns < home
