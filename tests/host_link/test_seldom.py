"""What others can provoke is said now and then only."""

from darkscan.pipeline.access.seldom import MOST, Seldom


class Log:
    """Takes note of what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def warning(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))


def test_the_same_is_said_once_a_minute_with_how_often_it_was() -> None:
    now, log = 0.0, Log()
    seldom = Seldom(log, clock=lambda: now)
    for moment in (0.0, 1.0, 59.0, 60.0, 61.0):
        now = moment
        seldom.warning("refused", "key 1", key=1)
    seldom.warning("refused", "key 2", key=2)
    assert log.said == [
        ("refused", {"key": 1}),
        ("refused", {"key": 1, "unsaid_before": 2}),
        ("refused", {"key": 2}),
    ]


def test_a_flood_of_different_ones_is_bounded_too() -> None:
    now, log = 0.0, Log()
    seldom = Seldom(log, clock=lambda: now)
    for number in range(10_000):
        seldom.warning("refused", f"key {number}")
    assert len(log.said) == MOST + 1
    now = 61.0
    seldom.warning("refused", "key 5000")
    assert len(log.said) == MOST + 2
