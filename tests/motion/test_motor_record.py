"""The simulated motor records, seen by a client."""

import math
import time

import numpy as np
import pytest

from darkscan.simulation.rig.shared import SharedRig
from darkscan.simulation.rig.unit_process import MotionUnitProcess
from tests.motion.conftest import StartUnit
from tests.motion.records import put, value_of, values_of
from tests.motion.units import NOISE_UM, START
from tests.motion.waiting import suspended, wait_until

HOMED, PROBLEM, PLUS_LIMIT = 1 << 14, 1 << 9, 1 << 2
NOISE_MM = 6 * NOISE_UM * 1e-3


def test_an_axis_at_rest(unit: MotionUnitProcess) -> None:
    assert value_of("TEST:Y.RBV") == pytest.approx(START[1], abs=NOISE_MM)
    assert value_of("TEST:Y.VAL") == START[1]
    assert value_of("TEST:Y.DMOV") == 1
    assert value_of("TEST:Y.MOVN") == 0
    assert int(value_of("TEST:Y.MSTA")) & (HOMED | PROBLEM) == HOMED
    assert (value_of("TEST:Y.LLM"), value_of("TEST:Y.DHLM")) == (-50.0, 500.0)


def test_a_put_is_complete_when_the_axis_has_arrived(start_unit: StartUnit) -> None:
    start_unit(time_scale=1.0)
    begin = time.monotonic()
    put("TEST:X", 100.0)
    assert time.monotonic() - begin >= 0.69  # 0.2 s of acceleration and 0.3 s on the way
    assert value_of("TEST:X.DMOV") == 1
    assert value_of("TEST:X.RBV") == pytest.approx(100.0, abs=NOISE_MM)


def test_a_put_beyond_the_soft_limits_moves_nothing(unit: MotionUnitProcess) -> None:
    put("TEST:X", 900.001)
    assert value_of("TEST:X.LVIO") == 1
    assert value_of("TEST:X.SEVR") > 0
    assert value_of("TEST:X.VAL") == START[0]
    assert value_of("TEST:X.RBV") == pytest.approx(START[0], abs=NOISE_MM)
    put("TEST:X", 10.0)
    assert value_of("TEST:X.LVIO") == 0
    assert value_of("TEST:X.SEVR") == 0


def test_soft_limits_can_be_changed(unit: MotionUnitProcess) -> None:
    put("TEST:X.HLM", 30.0)
    assert value_of("TEST:X.DHLM") == 30.0
    put("TEST:X", 40.0)
    assert value_of("TEST:X.LVIO") == 1


def test_stop_slows_the_axis_down(start_unit: StartUnit) -> None:
    start_unit(time_scale=1.0)
    put("TEST:X", 800.0, wait=False)
    wait_until(lambda: value_of("TEST:X.RBV") > 50.0)
    put("TEST:X.STOP", 1, wait=False)
    wait_until(lambda: value_of("TEST:X.DMOV") == 1)
    stood = value_of("TEST:X.RBV")
    assert 50.0 < stood < 800.0
    assert value_of("TEST:X.VAL") == pytest.approx(stood, abs=NOISE_MM)


def test_a_limit_switch_is_hit_on_the_way(unit: MotionUnitProcess) -> None:
    put("TEST:X:FAULT_AT", 60.0)
    put("TEST:X:FAULT", "limit")
    put("TEST:X", 400.0)
    assert value_of("TEST:X.HLS") == 1
    assert int(value_of("TEST:X.MSTA")) & PLUS_LIMIT
    assert 60.0 < value_of("TEST:X.RBV") < 65.0
    put("TEST:X", 0.0)
    assert value_of("TEST:X.HLS") == 0
    assert value_of("TEST:X.RBV") == pytest.approx(0.0, abs=NOISE_MM)


def test_a_following_error_is_a_problem_until_it_is_mended(unit: MotionUnitProcess) -> None:
    put("TEST:X:FAULT_AT", 60.0)
    put("TEST:X:FAULT", "problem")
    put("TEST:X", 400.0)
    assert int(value_of("TEST:X.MSTA")) & PROBLEM
    assert value_of("TEST:X.SEVR") == 2
    put("TEST:X:FAULT", "none")
    assert not int(value_of("TEST:X.MSTA")) & PROBLEM


def test_an_axis_loses_its_home(unit: MotionUnitProcess) -> None:
    put("TEST:X:FAULT_AT", math.nan)
    put("TEST:X:FAULT", "unhomed")
    assert not int(value_of("TEST:X.MSTA")) & HOMED


def test_a_pause_holds_the_axis_and_go_lets_it_on(start_unit: StartUnit) -> None:
    start_unit(time_scale=1.0)
    put("TEST:X", 150.0, wait=False)
    wait_until(lambda: value_of("TEST:X.RBV") > 20.0)
    put("TEST:X.SPMG", "Pause")
    wait_until(lambda: value_of("TEST:X.MOVN") == 0)
    assert value_of("TEST:X.RBV") < 149.0
    put("TEST:X.SPMG", "Go")
    wait_until(lambda: value_of("TEST:X.RBV") > 149.9)


def test_triggers_are_latched_and_a_new_count_clears_them(unit: MotionUnitProcess) -> None:
    for name, value in (("AXIS", "x"), ("FIRST", 30.0), ("STEP", 18.0), ("COUNT", 10)):
        put(f"TEST:PC:{name}", value)
    put("TEST:PC:ARM", 1)
    put("TEST:X", 400.0)
    latches = np.array(values_of("TEST:PC:LATCHES")).reshape(-1, 3)
    expected = np.array([[30.0 + 18.0 * i, START[1], START[2]] for i in range(10)])
    np.testing.assert_allclose(latches, expected, atol=NOISE_MM)
    assert np.ptp(latches[:, 1]) > 0  # noisy
    put("TEST:PC:COUNT", 5)
    assert values_of("TEST:PC:LATCHES") == []


def test_the_camera_is_told_of_moves_triggers_and_light(
    start_unit: StartUnit, shared: SharedRig
) -> None:
    unit = start_unit(shared_rig=shared.path, time_scale=1.0)
    for lit in (False, True):
        put("TEST:LIGHT", int(lit))
        assert shared.light == lit
    for name, value in (("FIRST", 30.0), ("STEP", 18.0), ("COUNT", 10), ("ARM", 1)):
        put(f"TEST:PC:{name}", value)
    put("TEST:X", 250.0, wait=False)
    wait_until(lambda: shared._head.triggers_fired > 1)
    with suspended(unit.process.pid):  # what it tells, it tells late
        time.sleep(0.2)
    wait_until(lambda: value_of("TEST:X.DMOV") == 1)

    head = shared._head
    fired = [tuple(moment.position) for moment in head.triggers[: head.triggers_fired]]
    # The truth, without the noise of what is reported.
    truth = [(30.0 + 18.0 * i, START[1], START[2]) for i in range(10)]
    np.testing.assert_allclose(fired, truth, atol=1e-5)
    moves = head.moves[: head.moves_told]
    times = np.array([moment.time_ns for moment in moves])
    assert np.all(np.diff(times) > 0)
    assert np.diff(times)[1:].max() < 6_000_000
    places = np.array([moment.position[0] for moment in moves])
    assert np.all(np.diff(places)[1:] >= 0)
    assert places[-1] == 250.0
