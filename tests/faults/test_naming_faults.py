"""Faults as they are named on the command line."""

import pytest

from darkscan.faults import KINDS, Fault, parse_fault
from darkscan.pipeline.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kill:classification@frame=20", Fault("kill", "classification", 20)),
        ("stop:merging@frame=5,seconds=2.5", Fault("stop", "merging", 5, 2.5)),
        ("forge:supervisor", Fault("forge", "supervisor")),
        ("drop", Fault("drop")),
        ("disk-full@frame=3", Fault("disk-full", "", 3)),
    ],
)
def test_a_fault_is_read_as_it_is_named(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("kil:merging", "did you mean kill?", id="a slip of the pen"),
        pytest.param("explode", "there are kill, stop,", id="no kind at all"),
        pytest.param("", "must be like", id="nothing"),
        pytest.param("kill", "must name one of acquisition,", id="a kill of nobody"),
        pytest.param("kill:motion", "must name one of", id="a stage that a replay has not"),
        pytest.param("drop:merging", "drop names no stage", id="a stage too many"),
        pytest.param("drop@frame=-1", "'frame=-1' is none of", id="a negative frame"),
        pytest.param("drop@frame=99999999999", "is none of", id="a frame that no scan has"),
        pytest.param("drop@seconds=1", "for delay and stop only", id="seconds that mean nothing"),
        pytest.param("delay@seconds=9999", "from 0 to 3600", id="hours"),
        pytest.param("delay@seconds=nan", "is none of", id="no number"),
        pytest.param("delay@", "'' is none of", id="an empty condition"),
    ],
)
def test_another_is_refused_and_what_is_allowed_is_said(text: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_fault(text)
    assert caught.value.field == "--fault"
    assert str(caught.value).startswith(f"--fault: {text}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_kind_is_drawn_by_some_campaign() -> None:
    from darkscan.faults.torture import Disturbed

    drawn = {f.kind for number in range(200) for f in Disturbed.drawn(1, number).faults}
    assert drawn == set(KINDS)
