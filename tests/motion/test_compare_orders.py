"""What a compare output was told is read back before it is armed."""

import asyncio
from typing import Any

import pytest

from darkscan.drivers.motion import _compare_output as compare_output
from darkscan.drivers.motion._compare_output import CompareOutput
from darkscan.drivers.motion.errors import MotionError
from darkscan.drivers.rig import CompareSettings
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Compare

NAMES = CompareSettings(axis="AXIS", first="FIRST", step="STEP", count="COUNT", arm="ARM")
ORDER = Compare(first_mm=Millimetres(30.0), step_mm=Millimetres(0.5), count=101)


def armed_with(monkeypatch: pytest.MonkeyPatch, taken: dict[str, Any]) -> dict[str, Any]:
    """Arms an output that takes some values for others; gives what it has then."""
    has: dict[str, Any] = {}

    async def write(name: str, value: Any) -> None:
        has[name] = taken.get(name, value)

    async def read_numbers(names: list[str]) -> list[float]:
        return [has[name] for name in names]

    async def read_text(name: str) -> str:
        return str(has[name])

    for function in (write, read_numbers, read_text):
        monkeypatch.setattr(compare_output, function.__name__, function)
    output = CompareOutput(NAMES, lambda _n, _p: None, lambda: None, tolerance_mm=0.01)
    asyncio.run(output.arm("x", ORDER))
    return has


@pytest.mark.parametrize(
    "taken",
    [{}, {"AXIS": "X"}, {"FIRST": 30.004}, {"STEP": 0.50005}],
    ids=["as it was told", "in capitals", "first rounded a little", "step rounded a little"],
)
def test_an_output_that_took_its_orders_is_armed(
    monkeypatch: pytest.MonkeyPatch, taken: dict[str, Any]
) -> None:
    assert armed_with(monkeypatch, taken)["ARM"] == 1


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ({"AXIS": "y"}, "AXIS is y after x was written to it"),
        ({"FIRST": 0.0}, "FIRST is 0.0 after 30.0 was written to it"),
        ({"FIRST": float("nan")}, "FIRST is nan after"),
        ({"STEP": 0.501}, "STEP is 0.501 after 0.5 was written to it"),
        ({"COUNT": 100}, "COUNT is 100 after 101 was written to it"),
    ],
    ids=["another axis", "clipped", "no number", "a step whose error adds up", "too few"],
)
def test_an_output_that_did_not_is_not_armed(
    monkeypatch: pytest.MonkeyPatch, taken: dict[str, Any], said: str
) -> None:
    with pytest.raises(MotionError, match=said):
        armed_with(monkeypatch, taken)
