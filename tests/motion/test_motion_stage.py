"""The motion stage carries out orders on a unit that is in order."""

import itertools
import signal
import time

import numpy as np
import pytest

from darkscan.drivers.motion.history import History
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import (
    Arrived,
    Compare,
    Halt,
    Latched,
    MotionReady,
    MotionStopped,
    Move,
    Place,
    Sweep,
    Track,
)
from darkscan.simulation.rig._shared import SharedRig
from darkscan.simulation.rig._unit_process import MotionUnitProcess
from tests.motion.conftest import StartStage, StartUnit
from tests.motion.records import put, value_of
from tests.motion.stage_process import StageProcess
from tests.motion.units import HIGH, LOW, NOISE_UM, START, motion_settings
from tests.motion.waiting import PATIENCE_S, suspended, wait_until

pytestmark = pytest.mark.slow

NOISE_MM = 6 * NOISE_UM * 1e-3


def place(x: float, y: float = START[1], z: float = START[2]) -> Place:
    return Millimetres(x), Millimetres(y), Millimetres(z)


def sweep(order: int, end: float, compare: Compare | None = None) -> Sweep:
    return Sweep(
        order=order, axis="x", end_mm=Millimetres(end), velocity_mm_s=150.0, compare=compare
    )


def true_moves(shared: SharedRig) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,), ns, and positions (N, 3), mm, as the simulated camera was told."""
    moves = shared._head.moves[: shared._head.moves_told]
    times = np.array([moment.time_ns for moment in moves])
    return times, np.array([list(moment.position) for moment in moves])


def test_it_says_where_the_axes_are_and_may_go(
    unit: MotionUnitProcess, start_stage: StartStage
) -> None:
    ready = start_stage().wait_for(MotionReady)
    assert ready.position_mm == pytest.approx(START, abs=NOISE_MM)
    assert (ready.low_mm, ready.high_mm) == (LOW, HIGH)


def test_a_rig_without_a_focus_axis_has_z_0(start_unit: StartUnit, start_stage: StartStage) -> None:
    settings = motion_settings(z=None)
    start_unit(motion=settings)
    stage = start_stage(settings)
    ready = stage.wait_for(MotionReady)
    assert (ready.position_mm[2], ready.low_mm[2], ready.high_mm[2]) == (0.0, 0.0, 0.0)
    stage.send(Move(order=1, target_mm=place(5.0, 6.0, 0.0)))
    assert stage.wait_for(Arrived).position_mm[:2] == pytest.approx((5.0, 6.0), abs=NOISE_MM)


def test_a_move_ends_where_it_was_sent(stage: StageProcess) -> None:
    for order, target in enumerate((place(100.0, 50.0, -1.0), place(10.0, 50.0, 2.0))):
        stage.send(Move(order=order, target_mm=target))
        arrived = stage.wait_for(Arrived)
        assert arrived.order == order
        assert arrived.position_mm == pytest.approx(target, abs=NOISE_MM)
        assert arrived.uncertainty_um == 1.0
        # The readback is asked for at the end: it is not one that was on its way.
        assert arrived.position_mm[0] == value_of("TEST:X.RBV")
    assert not stage.all_of(Track)


def test_a_sweep_latches_every_trigger(
    start_unit: StartUnit, start_stage: StartStage, shared: SharedRig
) -> None:
    start_unit(shared_rig=shared.path, time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    for order, (end, first, step) in enumerate(((200.0, 40.0, 10.0), (0.0, 180.0, -20.0))):
        count = round(abs(end - first) / abs(step)) - 1
        compare = Compare(first_mm=Millimetres(first), step_mm=Millimetres(step), count=count)
        stage.send(sweep(order, end, compare))
        assert stage.wait_for(Arrived).order == order

        latched = [message for message in stage.all_of(Latched) if message.order == order]
        assert len(latched) > 1  # they come during the sweep
        assert [message.first for message in latched] == [
            0,
            *itertools.accumulate(len(message.positions_mm) for message in latched[:-1]),
        ]
        positions = np.concatenate([message.positions_mm for message in latched])
        expected = [place(first + step * number) for number in range(count)]
        np.testing.assert_allclose(positions, expected, atol=NOISE_MM)
        fired = shared._head.triggers[: shared._head.triggers_fired][-count:]
        truth = np.array([list(moment.position) for moment in fired])
        np.testing.assert_allclose(positions, truth, atol=NOISE_MM)


def test_the_track_is_true_to_the_nanosecond(
    start_unit: StartUnit, start_stage: StartStage, shared: SharedRig
) -> None:
    start_unit(shared_rig=shared.path, time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    stage.send(sweep(1, 200.0))
    for _ in range(3):
        stage.wait_for(Track)
    with suspended(stage.process.pid):  # what it hears, it hears late
        time.sleep(0.1)
    stage.wait_for(Arrived)
    history = History(uncertainty_um=1.0)
    tracks = stage.all_of(Track)
    assert len(tracks) > 5  # they come during the sweep
    for track in tracks:
        history.add(track.times_ns, track.positions_mm)

    times, positions = true_moves(shared)
    # At constant speed: where frames are taken.
    even = (positions[:, 0] > 30.0) & (positions[:, 0] < 170.0)
    errors_um, said_um = [], []
    for time_ns, truth in zip(times[even], positions[even], strict=True):
        known = history.at(int(time_ns))
        assert known is not None
        errors_um.append((known[0] - truth) * 1000)
        said_um.append(known[1])
    assert len(errors_um) > 150
    # Positions stamped on arrival would be 150 um off for each millisecond.
    assert np.sqrt(np.mean(np.square(np.array(errors_um)[:, 0]))) < 2 * NOISE_UM
    assert np.abs(errors_um).max() < 10 * NOISE_UM
    assert np.median(said_um) == pytest.approx(1.0, abs=0.2)


def test_halt_stops_a_move_on_the_way(start_unit: StartUnit, start_stage: StartStage) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=place(800.0)))
    wait_until(lambda: value_of("TEST:X.RBV") > 20.0)
    stage.send(Halt(reason="enough"))
    ready = stage.wait_for(MotionReady)
    assert 20.0 < ready.position_mm[0] < 800.0
    assert value_of("TEST:X.DMOV") == 1
    assert not stage.all_of(Arrived)


def test_a_new_order_replaces_the_last(start_unit: StartUnit, start_stage: StartStage) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=place(800.0)))
    wait_until(lambda: value_of("TEST:X.RBV") > 20.0)
    stage.send(Move(order=2, target_mm=place(10.0)))
    arrived = stage.wait_for(Arrived)
    assert arrived.order == 2
    assert arrived.position_mm[0] == pytest.approx(10.0, abs=NOISE_MM)


def test_axes_that_move_at_the_start_are_stopped(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    start_unit(time_scale=0.2)
    put("TEST:X", 800.0, wait=False)
    ready = start_stage().wait_for(MotionReady)
    assert ready.position_mm[0] < 790.0
    assert value_of("TEST:X.DMOV") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_stops_the_axes_and_ends_the_stage(
    start_unit: StartUnit, start_stage: StartStage, number: signal.Signals
) -> None:
    start_unit(time_scale=1.0)
    stage = start_stage()
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=place(800.0)))
    wait_until(lambda: value_of("TEST:X.RBV") > 20.0)
    stage.process.send_signal(number)
    assert stage.process.wait(PATIENCE_S) == 0
    wait_until(lambda: value_of("TEST:X.DMOV") == 1)
    assert value_of("TEST:X.RBV") < 700.0


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (place(900.5), "axis x: 900.500 mm lies beyond the soft limits"),
        (place(0.0, -60.0), "axis y: -60.000 mm lies beyond the soft limits"),
        (place(0.0, 20.0, 5.1), "axis z: 5.100 mm lies beyond the soft limits"),
    ],
    ids=["x too high", "y too low", "focus too high"],
)
def test_a_move_beyond_the_soft_limits_is_refused(
    stage: StageProcess, target: Place, reason: str
) -> None:
    before = [value_of(f"TEST:{axis}.RBV") for axis in "XYZ"]
    stage.send(Move(order=1, target_mm=target))
    stopped = stage.wait_for(MotionStopped)
    assert stopped.reason.startswith(reason)
    assert not stopped.gone
    assert [value_of(f"TEST:{axis}.RBV") for axis in "XYZ"] == before


def test_a_sweep_beyond_a_limit_that_has_changed_is_refused(stage: StageProcess) -> None:
    put("TEST:X.HLM", 100.0)
    stage.send(sweep(1, 200.0))
    assert "beyond the soft limits" in stage.wait_for(MotionStopped).reason
    stage.send(sweep(2, 90.0))
    assert stage.wait_for(Arrived).order == 2
