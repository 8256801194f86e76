"""The simulated motor records, seen by a client."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from caproto import CaprotoError

from darkscan.simulation.rig._shared import SharedRig
from darkscan.simulation.rig._unit_process import MotionUnitProcess
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


@contextmanager
def with_fields(mended: dict[str, object], **fields: object) -> Iterator[None]:
    """Fields of X as given, and then as ``mended``."""
    try:
        for field, value in fields.items():
            put(f"TEST:X.{field}", value)
        yield
    finally:
        for field, value in mended.items():
            put(f"TEST:X.{field}", value)


def test_with_set_on_val_moves_the_offset_and_not_the_axis(
    unwatched_unit: MotionUnitProcess,
) -> None:
    with with_fields({"SET": "Use", "OFF": 0.0}, SET="Set"):
        put("TEST:X", 33.0)
        assert value_of("TEST:X.RBV") == pytest.approx(33.0, abs=NOISE_MM)
        assert value_of("TEST:X.OFF") == pytest.approx(33.0 - START[0])
        assert value_of("TEST:X.DRBV") == pytest.approx(START[0], abs=NOISE_MM)
        assert value_of("TEST:X.HLM") == pytest.approx(933.0)
        assert value_of("TEST:X.DHLM") == 900.0


def test_with_set_on_and_a_frozen_offset_val_renames_the_dial(
    unwatched_unit: MotionUnitProcess,
) -> None:
    with with_fields({"VAL": START[0], "SET": "Use", "FOFF": "Variable"}, FOFF=1, SET=1):
        put("TEST:X", 33.0)
        assert value_of("TEST:X.OFF") == 0.0
        assert value_of("TEST:X.DRBV") == pytest.approx(33.0, abs=NOISE_MM)
        assert value_of("TEST:X.RRBV") == pytest.approx(330_000, abs=NOISE_MM * 1e4)


def test_with_disp_on_nothing_but_disp_can_be_written(unwatched_unit: MotionUnitProcess) -> None:
    with with_fields({"DISP": 0}, DISP=1):
        for field in ("VAL", "VELO", "SET"):
            with pytest.raises(CaprotoError):
                put(f"TEST:X.{field}", 1)
    assert value_of("TEST:X.VAL") == START[0]


def test_a_disabled_record_keeps_what_is_written_and_does_nothing(unit: MotionUnitProcess) -> None:
    with with_fields({"DISA": 0}, DISA=1):
        put("TEST:X", 33.0)
        assert value_of("TEST:X.VAL") == 33.0
        assert value_of("TEST:X.RBV") == pytest.approx(START[0], abs=NOISE_MM)


@pytest.mark.parametrize("word", ["Pause", "Stop"])
def test_an_order_waits_for_go(unit: MotionUnitProcess, word: str) -> None:
    with with_fields({"SPMG": "Go"}, SPMG=word):
        put("TEST:X", 33.0, wait=False)
        wait_until(lambda: value_of("TEST:X.DMOV") == 0)
        assert value_of("TEST:X.RBV") == pytest.approx(START[0], abs=NOISE_MM)
        put("TEST:X.SPMG", "Go")
        wait_until(lambda: value_of("TEST:X.DMOV") == 1)
        assert value_of("TEST:X.RBV") == pytest.approx(33.0, abs=NOISE_MM)


def test_on_move_one_order_is_carried_out_and_the_next_waits(unit: MotionUnitProcess) -> None:
    with with_fields({"SPMG": "Go"}, SPMG="Move"):
        put("TEST:X", 33.0)
        assert value_of("TEST:X.RBV") == pytest.approx(33.0, abs=NOISE_MM)
        wait_until(lambda: value_of("TEST:X.SPMG") == 1)


def test_user_and_dial_run_against_each_other_where_dir_says_so(
    unwatched_unit: MotionUnitProcess,
) -> None:
    with with_fields({"DIR": "Pos", "FOFF": "Variable", "OFF": 0.0}, FOFF=1, DIR="Neg"):
        assert (value_of("TEST:X.LLM"), value_of("TEST:X.HLM")) == (-900.0, 50.0)
        put("TEST:X", -40.0)
        assert value_of("TEST:X.RBV") == pytest.approx(-40.0, abs=NOISE_MM)
        assert value_of("TEST:X.DRBV") == pytest.approx(40.0, abs=NOISE_MM)
        put("TEST:X", 0.0)


@pytest.mark.parametrize(
    ("field", "written", "kept", "usual"),
    [
        ("VELO", 1e6, 400.0, 200.0),
        ("ACCL", 0.0, 0.1, 0.2),
        ("RDBD", 0.0, 1e-4, 5e-3),
    ],
    ids=["a speed beyond VMAX", "no time to accelerate", "a deadband below a step"],
)
def test_values_that_the_record_clips(
    unit: MotionUnitProcess, field: str, written: float, kept: float, usual: float
) -> None:
    with with_fields({field: usual}, **{field: written}):
        assert value_of(f"TEST:X.{field}") == pytest.approx(kept)


def test_a_drive_that_is_off_moves_for_no_order(unit: MotionUnitProcess) -> None:
    with with_fields({"CNEN": 1}, CNEN=0):
        put("TEST:X", 33.0)
        assert value_of("TEST:X.RBV") == pytest.approx(START[0], abs=NOISE_MM)


def test_a_record_without_a_value_has_an_invalid_alarm(unit: MotionUnitProcess) -> None:
    with with_fields({"UDF": 0}, UDF=1):
        wait_until(lambda: value_of("TEST:X.SEVR") == 3)
        put("TEST:X", 33.0)
        assert value_of("TEST:X.RBV") == pytest.approx(START[0], abs=NOISE_MM)
    wait_until(lambda: value_of("TEST:X.SEVR") == 0)


def test_on_request_a_record_echoes_orders_and_does_not_move(unit: MotionUnitProcess) -> None:
    put("TEST:X:FAULT", "echo")
    put("TEST:X", 33.0)
    assert value_of("TEST:X.RBV") == 33.0
    assert value_of("TEST:X.DRBV") == pytest.approx(START[0], abs=NOISE_MM)
    put("TEST:X:FAULT", "none")
    assert value_of("TEST:X.RBV") == pytest.approx(START[0], abs=NOISE_MM)
