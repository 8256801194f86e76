"""An order to a motor record is believed only after a look at the ground it stands on."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from darkscan.drivers.motion.inspecting import inspect_records
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Arrived, Compare, MotionReady, MotionStopped, Move
from darkscan.simulation.rig import _unit_process as unit_process
from darkscan.simulation.rig._unit_process import MotionUnitProcess
from tests.motion.conftest import StartStage, StartUnit
from tests.motion.records import put, value_of
from tests.motion.stage_process import StageProcess
from tests.motion.test_motion_stage import place, sweep
from tests.motion.units import START, motion_settings

pytestmark = pytest.mark.slow

Fields = Mapping[str, object]


@contextmanager
def wrong(fields: Fields, mended: Fields) -> Iterator[None]:
    """Fields of X as they should not be, for a while."""
    for field, value in fields.items():
        put(f"TEST:X{field}", value)
    try:
        yield
    finally:
        for field, value in mended.items():
            put(f"TEST:X{field}", value)


WRONG = [
    pytest.param({".SET": "Set"}, {".SET": "Use"}, 'TEST:X.SET is "Set"', id="SET"),
    pytest.param({".DISP": 1}, {".DISP": 0}, "TEST:X.DISP is 1", id="DISP"),
    pytest.param({".DISA": 1}, {".DISA": 0}, "TEST:X.DISA is 1", id="DISA"),
    pytest.param({".SPMG": "Pause"}, {".SPMG": "Go"}, 'TEST:X.SPMG is "Pause"', id="SPMG"),
    pytest.param({".CNEN": 0}, {".CNEN": 1}, 'TEST:X.CNEN is "Disable"', id="CNEN"),
    pytest.param({".UDF": 1}, {".UDF": 0}, "TEST:X.UDF is 1", id="UDF"),
    pytest.param(
        {":FAULT": "comm"}, {":FAULT": "none"}, "TEST:X.SEVR is INVALID (STAT is COMM)", id="SEVR"
    ),
]


@pytest.mark.parametrize(
    ("fields", "mended", "said"),
    [
        WRONG[0],
        pytest.param({".EGU": "um"}, {".EGU": "mm"}, 'TEST:X.EGU is "um"', id="EGU"),
        pytest.param({".RDBD": 0.5}, {".RDBD": 0.005}, "TEST:X.RDBD is 0.5 mm", id="RDBD"),
        pytest.param({".LLM": float("nan")}, {".LLM": -50.0}, "TEST:X.LLM is nan", id="no number"),
    ],
)
def test_what_would_spoil_a_scan_is_seen_and_nothing_is_touched(
    unwatched_unit: MotionUnitProcess, fields: Fields, mended: Fields, said: str
) -> None:
    with wrong(fields, mended):
        found = inspect_records(motion_settings())
    assert found.answers
    assert said in found.problem
    assert "\n" not in found.problem
    assert value_of("TEST:X.VAL") == START[0]


def test_records_in_order_are_found_so(unit: MotionUnitProcess) -> None:
    found = inspect_records(motion_settings())
    assert (found.answers, found.problem) == (True, "")


def test_records_that_do_not_answer_are_not_looked_at(unit: MotionUnitProcess) -> None:
    found = inspect_records(motion_settings(y={"record": "TEST:NONE"}))
    assert not found.answers
    assert "TEST:NONE does not answer" in found.problem


def test_a_stage_ends_in_one_line_before_anything_moves(
    unwatched_unit: MotionUnitProcess, start_stage: StartStage
) -> None:
    with wrong({".SET": "Set"}, {".SET": "Use"}):
        stage = start_stage()
        assert stage.process.wait(30) == 2
    (line,) = [line for line in stage.words.splitlines() if "error" in line]
    assert line.startswith('darkscan: error: motion: axis x: TEST:X.SET is "Set": ')
    assert line.endswith('set it to "Use"')


def test_a_unit_that_changes_in_mid_scan_is_seen_within_a_second(stage: StageProcess) -> None:
    stage.send(Move(order=1, target_mm=place(10.0)))
    stage.wait_for(Arrived)
    with wrong({".EGU": "um"}, {".EGU": "mm"}):
        time.sleep(1.1)
        stage.send(Move(order=2, target_mm=place(40.0)))
        assert 'TEST:X.EGU is "um"' in stage.wait_for(MotionStopped).reason


@pytest.mark.parametrize(("fields", "mended", "said"), WRONG[1:])
def test_a_switch_thrown_between_orders_stops_the_scan_until_it_is_mended(
    stage: StageProcess, fields: Fields, mended: Fields, said: str
) -> None:
    stage.send(Move(order=1, target_mm=place(10.0)))
    stage.wait_for(Arrived)
    with wrong(fields, mended):
        stage.send(Move(order=2, target_mm=place(40.0)))
        stopped = stage.wait_for(MotionStopped)
    assert said in stopped.reason
    assert not stopped.gone
    stage.send(Move(order=3, target_mm=place(20.0)))
    assert stage.wait_for(Arrived).order == 3


@pytest.mark.parametrize("axis", ["x", "z"], ids=["along a strip", "the focus"])
def test_a_record_that_echoes_its_orders_is_not_believed(stage: StageProcess, axis: str) -> None:
    put(f"TEST:{axis.upper()}:FAULT", "echo")
    stage.send(Move(order=1, target_mm=place(30.0, z=1.0)))
    stopped = stage.wait_for(MotionStopped)
    assert stopped.reason.startswith(f"axis {axis}: TEST:{axis.upper()}.DRBV moved by 0.000 mm")
    put(f"TEST:{axis.upper()}:FAULT", "none")


def test_a_sweep_that_is_only_echoed_is_not_believed(stage: StageProcess) -> None:
    put("TEST:X:FAULT", "echo")
    stage.send(sweep(1, 60.0))
    assert "TEST:X.DRBV moved by 0.000 mm" in stage.wait_for(MotionStopped).reason


FIRST_PLACE = 10.0
REDEFINED = [(".FOFF", "Frozen"), (".SET", "Set"), (".VAL", 77.0), (".SET", "Use")]
PUT_BACK = [(".SET", "Set"), (".VAL", FIRST_PLACE), (".SET", "Use"), (".FOFF", "Variable")]


@pytest.mark.parametrize(
    ("thrown", "mended", "said"),
    [
        ([(".SET", "Set")], [(".SET", "Use")], 'TEST:X.SET is "Set"'),
        ([(".OFF", 12.5)], [(".OFF", 0.0)], "TEST:X.OFF was 0 when"),
        (REDEFINED, PUT_BACK, 'TEST:X.SET was switched to "Set" in mid-scan'),
    ],
    ids=["SET stays on Set", "another offset", "the dial redefined, and SET put back"],
)
def test_positions_that_no_longer_mean_the_same_end_the_scan(
    unwatched_unit: MotionUnitProcess,
    start_stage: StartStage,
    thrown: list[tuple[str, object]],
    mended: list[tuple[str, object]],
    said: str,
) -> None:
    stage = start_stage()
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=place(FIRST_PLACE)))
    stage.wait_for(Arrived)
    try:
        for field, value in thrown:
            put(f"TEST:X{field}", value)
        stage.send(Move(order=2, target_mm=place(40.0)))
        assert said in stage.wait_for(MotionStopped).reason
        assert len(stage.all_of(Arrived)) == 1
    finally:
        for field, value in mended:
            put(f"TEST:X{field}", value)


def test_an_offset_that_changes_on_the_way_stops_the_axis(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    start_unit(time_scale=0.5)
    stage = start_stage()
    stage.wait_for(MotionReady)
    stage.send(Move(order=1, target_mm=place(800.0)))
    put("TEST:X.OFF", 3.0)
    assert "TEST:X.OFF was 0 when" in stage.wait_for(MotionStopped).reason
    assert value_of("TEST:X.RBV") < 790.0


def test_a_unit_that_comes_back_with_another_offset_is_not_taken_for_the_old_one(
    start_unit: StartUnit, start_stage: StartStage
) -> None:
    unit = start_unit()
    put("TEST:X.OFF", 5.0)
    stage = start_stage()
    assert stage.wait_for(MotionReady).position_mm[0] == pytest.approx(5.0, abs=0.01)
    unit.kill()
    assert stage.wait_for(MotionStopped).gone
    unit.start()
    stopped = stage.wait_for(MotionStopped)
    assert stopped.gone
    assert "TEST:X.OFF was 5 when the scan began and is 0 now" in stopped.reason
    put("TEST:X.OFF", 5.0)
    stage.wait_for(MotionReady)


def test_latches_in_other_coordinates_than_the_records_are_not_used(
    unwatched_unit: MotionUnitProcess, start_stage: StartStage
) -> None:
    put("TEST:Y.OFF", 2.0)  # the output knows nothing of it
    try:
        stage = start_stage()
        stage.wait_for(MotionReady)
        compare = Compare(first_mm=Millimetres(30.0), step_mm=Millimetres(10.0), count=5)
        stage.send(sweep(1, 100.0, compare))
        reason = stage.wait_for(MotionStopped).reason
    finally:
        put("TEST:Y.OFF", 0.0)
    found = re.search(
        r"axis y: it stands at (\S+) mm, and TEST:PC:LATCHES latches it (\S+) mm", reason
    )
    assert found is not None, reason
    # Readbacks are noisy.
    assert [float(number) for number in found.groups()] == pytest.approx([22.0, 2.0], abs=0.01)


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("STUP RRBV CNEN MISS LVIO UEIP URIP ERES RTRY STAT", ""),
        ("SET", "TEST:X.SET does not answer"),
        ("EGU DISP DISA", "TEST:X.EGU does not answer"),
    ],
    ids=["only what it may lack", "no SET", "no EGU, DISP and DISA"],
)
def test_a_record_may_lack_some_fields_and_not_others(
    start_unit: StartUnit, monkeypatch: pytest.MonkeyPatch, lacks: str, said: str
) -> None:
    monkeypatch.setattr(unit_process, "_MODULE", "tests.motion.partial_unit")
    monkeypatch.setenv("LACKS", lacks)
    start_unit()
    found = inspect_records(motion_settings())
    assert found.answers
    assert said in found.problem
    assert bool(found.problem) == bool(said)
