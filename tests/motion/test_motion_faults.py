"""The motion stage stops the axes when anything goes wrong, and says what it was."""

import signal

import pytest

from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import (
    Arrived,
    Compare,
    Halt,
    Latched,
    MotionReady,
    MotionStopped,
    Move,
)
from darkscan.simulation.rig._unit_process import MotionUnitProcess
from tests.motion.conftest import StartStage, StartUnit
from tests.motion.records import put, value_of
from tests.motion.stage_process import StageProcess
from tests.motion.test_motion_stage import place, sweep
from tests.motion.units import motion_settings
from tests.motion.waiting import PATIENCE_S, suspended, wait_until

pytestmark = pytest.mark.slow


def test_an_axis_that_is_not_homed_ends_the_stage_at_the_start(
    unit: MotionUnitProcess, start_stage: StartStage
) -> None:
    put("TEST:Y:FAULT", "unhomed")
    stage = start_stage()
    assert stage.process.wait(PATIENCE_S) == 2
    assert stage.words.splitlines()[-1].endswith("motion: axis y: TEST:Y is not homed")


def test_a_rig_may_not_know_whether_it_is_homed(
    unit: MotionUnitProcess, start_stage: StartStage
) -> None:
    put("TEST:Y:FAULT", "unhomed")
    start_stage(motion_settings(homed_bit="none")).wait_for(MotionReady)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"y": {"record": "TEST:NONE"}},
            "motion.y.record: record TEST:NONE does not answer within 2 s",
        ),
        (
            {"compare": {**motion_settings().model_dump()["compare"], "arm": "TEST:NO:ARM"}},
            "motion.compare.arm: TEST:NO:ARM does not answer within 2 s",
        ),
        (
            {"velocity_mm_s": 500.0},
            "motion: axis x: 500 mm/s is more than TEST:X.VMAX, 400 mm/s",
        ),
    ],
    ids=["no such record", "no such compare output", "too fast"],
)
def test_what_cannot_be_used_ends_the_stage_in_one_line(
    unit: MotionUnitProcess, start_stage: StartStage, changes: dict[str, object], reason: str
) -> None:
    stage = start_stage(motion_settings(connect_s=2.0, **changes))
    assert stage.process.wait(PATIENCE_S) == 2
    assert stage.words.splitlines()[-1] == f"darkscan: error: {reason}"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("limit", "axis x: stopped on its upper limit at "),
        ("problem", "axis x: TEST:X reports a problem (MSTA)"),
        ("frozen", "axis x: the move to 120.000 mm does not end in time"),
        ("unhomed", "axis x: TEST:X is not homed"),
    ],
    ids=["limit switch", "following error", "frozen record", "home lost"],
)
def test_a_fault_on_the_way_stops_the_axes(stage: StageProcess, fault: str, reason: str) -> None:
    stage.send(Move(order=0, target_mm=place(0.0)))
    stage.wait_for(Arrived)
    put("TEST:X:FAULT_AT", 60.0)
    put("TEST:X:FAULT", fault)
    stage.send(sweep(1, 120.0))
    stopped = stage.wait_for(MotionStopped)
    assert stopped.reason.startswith(reason)
    assert not stopped.gone
    # Mended, it goes on.
    put("TEST:X:FAULT", "none")
    stage.send(Move(order=2, target_mm=place(10.0)))
    assert stage.wait_for(Arrived).order == 2


def test_a_fault_of_one_axis_stops_the_others(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    put("TEST:Y:FAULT_AT", 40.0)
    put("TEST:Y:FAULT", "problem")
    stage.send(Move(order=1, target_mm=place(800.0, 300.0)))
    assert "axis y" in stage.wait_for(MotionStopped).reason
    assert value_of("TEST:X.DMOV") == 1
    assert value_of("TEST:X.RBV") < 700.0


def test_a_unit_killed_on_the_way_is_missed_at_once_and_found_again(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    unit = start_unit(time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    compare = Compare(first_mm=Millimetres(30.0), step_mm=Millimetres(10.0), count=70)
    stage.send(sweep(1, 800.0, compare))
    stage.wait_for(Latched)
    unit.kill()
    stopped = stage.wait_for(MotionStopped)
    assert stopped.gone
    stage.send(Move(order=2, target_mm=place(10.0)))  # cannot be
    assert stage.wait_for(MotionStopped).gone

    unit.start()
    stage.wait_for(MotionReady)
    assert not stage.all_of(Arrived)
    heard = len(stage.heard)
    compare = Compare(first_mm=Millimetres(30.0), step_mm=Millimetres(10.0), count=5)
    stage.send(sweep(3, 100.0, compare))
    assert stage.wait_for(Arrived).order == 3
    latched = [message for message in stage.heard[heard:] if isinstance(message, Latched)]
    assert sum(len(message.positions_mm) for message in latched) == 5


def test_a_unit_killed_at_rest_is_missed_too(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    unit = start_unit()
    stage = start_stage()
    stage.wait_for(MotionReady)
    unit.kill()
    assert stage.wait_for(MotionStopped).gone
    unit.start()
    stage.wait_for(MotionReady)


def test_a_unit_that_hangs_on_the_way_is_gone_until_it_answers(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    unit = start_unit(time_scale=0.5)
    stage = start_stage(motion_settings(connect_s=1.0))
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=place(800.0)))
    wait_until(lambda: value_of("TEST:X.RBV") > 5.0)
    with suspended(unit.process.pid):
        assert stage.wait_for(MotionStopped).gone
    ready = stage.wait_for(MotionReady)
    assert ready.position_mm[0] < 800.0
    assert value_of("TEST:X.DMOV") == 1


def test_a_signal_ends_the_stage_though_the_unit_is_gone(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    unit = start_unit()
    stage = start_stage()
    stage.wait_for(MotionReady)
    unit.kill()
    assert stage.wait_for(MotionStopped).gone
    stage.process.send_signal(signal.SIGTERM)
    assert stage.process.wait(PATIENCE_S) == 0


def test_a_halt_while_the_unit_is_gone_changes_nothing(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    unit = start_unit()
    stage = start_stage()
    stage.wait_for(MotionReady)
    unit.kill()
    assert stage.wait_for(MotionStopped).gone
    stage.send(Halt(reason="enough"))
    unit.start()
    stage.wait_for(MotionReady)
