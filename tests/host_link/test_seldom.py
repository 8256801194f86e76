"""What others can provoke is said now and then only."""

import pytest

from darkscan.pipeline.host_link import seldom
from darkscan.pipeline.host_link.seldom import Seldom


def test_the_same_is_said_once_a_minute_with_how_often_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(seldom.time, "monotonic", lambda: now)
    said: list[tuple[str, dict[str, object]]] = []
    warn = Seldom(lambda event, **fields: said.append((event, fields)))
    for moment in (0.0, 1.0, 59.0, 60.0, 61.0):
        now = moment
        warn("refused", "key 1", key=1)
    warn("refused", "key 2", key=2)
    assert said == [
        ("refused", {"key": 1}),
        ("refused", {"key": 1, "unsaid_before": 2}),
        ("refused", {"key": 2}),
    ]


def test_a_flood_of_different_ones_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(seldom.time, "monotonic", lambda: now)
    said: list[str] = []
    warn = Seldom(lambda event, **_: said.append(event))
    for number in range(10_000):
        warn("refused", f"key {number}")
    assert len(said) == seldom.MOST + 1
    now = 61.0
    warn("refused", "key 5000")
    assert len(said) == seldom.MOST + 2
