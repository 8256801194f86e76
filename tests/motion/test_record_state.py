"""What a motor record's fields say of an order, before it is given and after."""

from dataclasses import replace

import pytest

from darkscan.drivers.motion._channel_access import Sample
from darkscan.drivers.motion.record_state import (
    Gate,
    Look,
    Meaning,
    Outcome,
    Stand,
    Switches,
    obstacle,
    unmoved,
)
from darkscan.drivers.rig import AxisSettings
from tests.motion.units import motion_settings

HOMED, POWER_SWITCH, SLIPPED, NO_CONTROLLER = 1 << 14, 1 << 11, 1 << 6, 1 << 12
NOISE_MM = 0.01


def a_stand(user_mm: float = 5.0, dial_mm: float = 5.0, **changes: float | str) -> Stand:
    steps = dial_mm / 1e-4
    stand = Stand(
        rbv=Sample(user_mm, 0), drbv=dial_mm, rrbv=round(steps), dmov=1, msta=HOMED, set=0
    )
    return replace(stand, **changes)  # type: ignore[arg-type]


def switches(**changes: float | str) -> Switches:
    usual = Switches(egu="mm", disp=0, disa=0, mres=1e-4, eres=1e-4)
    return replace(usual, **changes)  # type: ignore[arg-type]


def problem(
    stand: Stand, others: Switches, *, unit: str | None = None, spmg: float = 3, **settings: object
) -> str:
    axis = AxisSettings.model_validate({"record": "R:X", "unit": unit})
    look = Look(stand, Gate(spmg=spmg, llm=0.0, hlm=300.0), others)
    return obstacle(look, "R:X", axis, motion_settings(**settings))


@pytest.mark.parametrize("unit", ["mm", "MM", " mm ", "Millimeter", "millimetres"])
def test_millimetres_may_be_written_in_many_ways(unit: str) -> None:
    assert not problem(a_stand(), switches(egu=unit))


@pytest.mark.parametrize(
    "unit", ["um", "micron", "µm", "\ufffdm", "deg", "inch", "m", "steps", "mm/s", "mm\nx"]
)
@pytest.mark.parametrize("asserted", [None, "mm"], ids=["as it is", "with mm asserted"])
def test_any_other_unit_is_refused(unit: str, asserted: str | None) -> None:
    said = problem(a_stand(), switches(egu=unit), unit=asserted)
    assert said.startswith("R:X.EGU is ")
    assert "mm" in said
    assert "\n" not in said


@pytest.mark.parametrize("unit", ["", "  "], ids=["empty", "blank"])
def test_a_missing_unit_needs_the_rig_files_word(unit: str) -> None:
    said = problem(a_stand(), switches(egu=unit))
    assert said.startswith("R:X.EGU is ")
    assert 'unit = "mm"' in said
    assert not problem(a_stand(), switches(egu=unit), unit="mm")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"disp": 1}, "R:X.DISP is 1", id="no orders are taken"),
        pytest.param({"disa": 1}, "R:X.DISA is 1, as DISV", id="disabled"),
        pytest.param({"disa": 0, "disv": 0}, "R:X.DISA is 0, as DISV", id="disabled by DISV"),
        pytest.param({"stup": 2}, 'R:X.STUP is "BUSY"', id="waiting for its controller"),
        pytest.param({"udf": 1}, "R:X.UDF is 1", id="without a value"),
    ],
)
def test_a_switch_that_keeps_the_axis_from_moving(changes: dict[str, float], said: str) -> None:
    assert problem(a_stand(), switches(**changes)).startswith(said)


@pytest.mark.parametrize(
    ("number", "word"), [(0, "Stop"), (1, "Pause"), (2, "Move")], ids=["Stop", "Pause", "Move"]
)
def test_only_go_lets_all_orders_through(number: int, word: str) -> None:
    said = problem(a_stand(), switches(), spmg=number)
    assert said == f'R:X.SPMG is "{word}": set it to "Go"'


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"set": 1}, 'R:X.SET is "Set"', id="SET"),
        pytest.param({"sevr": 3}, "R:X.SEVR is INVALID (STAT is COMM)", id="invalid alarm"),
        pytest.param({"msta": HOMED | NO_CONTROLLER}, "controller (MSTA)", id="no controller"),
        pytest.param({"msta": HOMED | SLIPPED}, "a slip or a stall (MSTA)", id="slipped"),
        pytest.param({"msta": 0}, "not homed", id="not homed"),
    ],
)
def test_a_readback_that_is_not_to_be_believed(changes: dict[str, float], said: str) -> None:
    assert said in problem(a_stand(**changes), switches(stat="COMM"))


def test_an_alarm_that_is_not_invalid_is_no_hindrance() -> None:
    assert not problem(a_stand(sevr=2), switches())


def test_a_drive_that_is_off_counts_where_the_record_switches_it() -> None:
    off = switches(cnen=0)
    assert not problem(a_stand(), off)
    stand = a_stand(msta=HOMED | POWER_SWITCH)
    assert problem(stand, off).startswith('R:X.CNEN is "Disable"')
    assert not problem(stand, off, power_field="none")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        pytest.param(a_stand(25.0, 25.0), "", id="it moved"),
        pytest.param(a_stand(25.0, -15.0, rrbv=-150_000), "", id="its dial runs the other way"),
        pytest.param(a_stand(5.005, 5.0), "", id="too short a way to tell"),
        pytest.param(a_stand(25.0, 5.0), "R:X.DRBV moved by 0.000 mm", id="a frozen dial"),
        pytest.param(a_stand(25.0, 24.9), "R:X.DRBV moved by 19.900 mm", id="a dial that lags"),
        pytest.param(
            a_stand(25.0, 25.0, rrbv=50_000), "R:X.RRBV moved by 0 steps", id="frozen steps"
        ),
        pytest.param(
            a_stand(25.0, 25.0, rrbv=float("nan")), "", id="a record without raw readback"
        ),
    ],
)
def test_the_dial_must_have_gone_the_way_that_the_readback_says(after: Stand, said: str) -> None:
    found = unmoved(a_stand(), after, switches(), "R:X", NOISE_MM)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_raw_counts_may_be_the_encoders() -> None:
    after = a_stand(25.0, 25.0, rrbv=50_000 + 20_000)
    assert not unmoved(a_stand(), after, switches(eres=1e-3), "R:X", NOISE_MM)
    assert unmoved(a_stand(), after, switches(), "R:X", NOISE_MM)


@pytest.mark.parametrize("field", ["off", "dir", "mres", "eres", "ueip", "urip"])
def test_what_positions_hang_on_must_stay(field: str) -> None:
    gate = Gate(spmg=3, llm=0.0, hlm=300.0)
    before = Meaning.of(Look(a_stand(), gate, switches()))
    assert not before.difference(before, "R:X")
    after = replace(before, **{field: 7.5})
    assert f"R:X.{field.upper()} was " in before.difference(after, "R:X")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(hls=1), " on its upper limit"),
        (Outcome(lls=1, lvio=1), " on its lower limit"),
        (Outcome(lvio=1), " (LVIO"),
        (Outcome(miss=1), " (MISS"),
        (Outcome(), ""),
    ],
    ids=["upper limit", "lower limit", "soft limit", "missed", "nothing known"],
)
def test_why_a_move_ended_early(outcome: Outcome, said: str) -> None:
    assert str(outcome).startswith(said)
