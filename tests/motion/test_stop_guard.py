"""The axes stop when the process that moves them is gone, before a new one is there."""

import signal
import time

import psutil
import pytest

from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Arrived, MotionReady, MotionStopped, Move
from tests.motion.conftest import StartStage, StartUnit
from tests.motion.records import value_of
from tests.motion.stage_process import StageProcess
from tests.motion.waiting import wait_until

pytestmark = pytest.mark.slow

SLOWING_S = 200.0 / 1000.0
"""From full velocity to rest, by the unit's acceleration."""
AXES = "XYZ"


def on_the_way(stage: StageProcess) -> None:
    """Sends the x axis off, and waits until it moves."""
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=(Millimetres(800.0), Millimetres(20.0), Millimetres(3.0))))
    wait_until(lambda: value_of("TEST:X.RBV") > 5.0)


def guard_of(stage: StageProcess) -> psutil.Process:
    (guard,) = (
        child
        for child in psutil.Process(stage.process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE
        and "darkscan.drivers.motion._guard_process" in child.cmdline()
    )
    return guard


def seconds_until_still() -> float:
    began = time.monotonic()
    wait_until(lambda: value_of("TEST:X.DMOV") == 1)
    return time.monotonic() - began


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "suspended"])
def test_the_axes_stop_without_the_process_that_moves_them(
    start_unit: StartUnit, start_stage: StartStage, fault: signal.Signals
) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    on_the_way(stage)
    stage.process.send_signal(fault)
    at = value_of("TEST:X.RBV")
    seconds_until_still()
    # 200 mm/s: 0.3 s until somebody stops it, and the way to rest; a slow machine is slower.
    assert value_of("TEST:X.RBV") - at < 300.0
    assert value_of("TEST:X.RBV") < 700.0
    stage.process.send_signal(signal.SIGCONT)


def test_a_suspended_process_that_goes_on_tells_that_the_axes_were_stopped(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    on_the_way(stage)
    stage.process.send_signal(signal.SIGSTOP)
    seconds_until_still()
    stage.process.send_signal(signal.SIGCONT)
    assert not stage.wait_for(MotionStopped).gone
    assert not stage.all_of(Arrived)


def test_nothing_moves_on_unguarded_and_a_new_guard_is_found(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    on_the_way(stage)
    guard_of(stage).kill()
    stage.wait_for(MotionStopped)
    assert value_of("TEST:X.DMOV") == 1
    assert value_of("TEST:X.RBV") < 700.0
    stage.send(Move(order=2, target_mm=(Millimetres(0.0), Millimetres(20.0), Millimetres(3.0))))
    assert stage.wait_for(Arrived).order == 2
    assert guard_of(stage).is_running()


def test_the_guard_ends_with_the_stage(start_unit: StartUnit, start_stage: StartStage) -> None:
    start_unit()
    stage = start_stage()
    stage.wait_for(MotionReady)
    guard = guard_of(stage)
    stage.process.send_signal(signal.SIGTERM)
    stage.process.wait()
    psutil.wait_procs([guard], timeout=10)
    assert not guard.is_running()


def test_a_busy_process_is_not_taken_for_a_dead_one(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    start_unit(time_scale=5.0)
    stage = start_stage()
    process = psutil.Process(stage.process.pid)
    stage.wait_for(MotionReady)
    process.nice(19)
    guard_of(stage).nice(19)
    stage.send(Move(order=1, target_mm=(Millimetres(400.0), Millimetres(20.0), Millimetres(3.0))))
    assert stage.wait_for(Arrived).order == 1
