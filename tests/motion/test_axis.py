"""A simulated axis: what stops it, and what is wrong with it on request."""

import pytest

from darkscan.simulation.rig._axis import Axis, Fault

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
LATER = NOW + 60 * SECOND


def an_axis(*, time_scale: float = 1.0) -> Axis:
    axis = Axis(0.0, (-10.0, 500.0), time_scale)
    axis.advance(NOW)
    return axis


def send(axis: Axis, target: float, now_ns: int = NOW) -> None:
    axis.go(now_ns, target, velocity=200.0, seconds=0.2, base=0.0)


def test_time_runs_faster_on_request() -> None:
    axis = an_axis(time_scale=10.0)
    send(axis, 400.0)
    assert axis.profile.end_ns - NOW == pytest.approx(0.22 * SECOND)


@pytest.mark.parametrize("look_every_ns", [SECOND // 100, 60 * SECOND], ids=["often", "late"])
def test_a_limit_switch_stops_it_where_it_is(look_every_ns: int) -> None:
    axis = an_axis()
    axis.fail(NOW, Fault.LIMIT, 150.0)
    send(axis, 400.0)
    for now in range(NOW, LATER + 1, look_every_ns):
        axis.advance(now)
    # From 200 mm/s with ten times the deceleration: 2 mm beyond the switch.
    assert axis.profile.end == pytest.approx(152.0, abs=1e-5)
    assert axis.at_high(LATER)
    assert not axis.at_low(LATER)


def test_from_a_limit_switch_it_moves_away_and_no_further() -> None:
    axis = an_axis()
    axis.fail(NOW, Fault.LIMIT, 150.0)
    send(axis, 400.0)
    axis.advance(LATER)
    send(axis, 300.0, LATER)
    assert not axis.profile.moving(LATER)
    send(axis, 100.0, LATER)
    axis.advance(LATER + 60 * SECOND)
    assert axis.profile.end == 100.0
    assert not axis.at_high(LATER + 60 * SECOND)


def test_switches_stand_at_the_ends_of_its_travel() -> None:
    axis = an_axis()
    send(axis, -300.0)
    axis.advance(LATER)
    assert axis.at_low(LATER)
    assert -12.1 < axis.profile.end < -10.0


@pytest.mark.parametrize("fault", [Fault.PROBLEM, Fault.FROZEN], ids=["following error", "frozen"])
def test_a_fault_on_the_way_stops_it_until_it_is_mended(fault: Fault) -> None:
    axis = an_axis()
    axis.fail(NOW, fault, 150.0)
    send(axis, 400.0)
    axis.advance(NOW + SECOND // 2)
    assert not axis.problem
    assert not axis.frozen
    axis.advance(LATER)
    assert axis.problem == (fault is Fault.PROBLEM)
    assert axis.frozen == (fault is Fault.FROZEN)
    stood = axis.profile.end
    send(axis, 400.0, LATER)
    assert axis.profile.end == stood
    axis.fail(LATER, Fault.NONE, None)
    send(axis, 400.0, LATER)
    assert axis.profile.end == 400.0


def test_it_loses_its_home_without_stopping() -> None:
    axis = an_axis()
    axis.fail(NOW, Fault.UNHOMED, None)
    assert not axis.homed
    send(axis, 400.0)
    axis.advance(LATER)
    assert axis.profile.end == 400.0
