"""What others can provoke is said now and then only."""

from darkscan.pipeline.host_link.seldom import MOST, Seldom


def test_the_same_is_said_once_a_minute_with_how_often_it_was() -> None:
    now = 0.0
    said: list[tuple[str, dict[str, object]]] = []
    warn = Seldom(lambda event, **fields: said.append((event, fields)), clock=lambda: now)
    for moment in (0.0, 1.0, 59.0, 60.0, 61.0):
        now = moment
        warn("refused", "key 1", key=1)
    warn("refused", "key 2", key=2)
    assert said == [
        ("refused", {"key": 1}),
        ("refused", {"key": 1, "unsaid_before": 2}),
        ("refused", {"key": 2}),
    ]


def test_a_flood_of_different_ones_is_bounded_too() -> None:
    now = 0.0
    said: list[str] = []
    warn = Seldom(lambda event, **_: said.append(event), clock=lambda: now)
    for number in range(10_000):
        warn("refused", f"key {number}")
    assert len(said) == MOST + 1
    now = 61.0
    warn("refused", "key 5000")
    assert len(said) == MOST + 2
