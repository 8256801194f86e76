"""The host's program: its parts work together, and a fault of one is told."""

import threading

import pytest

from darkscan.host import program
from darkscan.host.link import LinkServer
from darkscan.host.store import Removed, RetentionRules
from darkscan.pipeline.core.errors import StorageError

RULES = RetentionRules(keep_tiles_days=3)


class Forgetful:
    """A store that cannot remove anything at first."""

    def __init__(self) -> None:
        self.asked: list[RetentionRules] = []
        self.done = threading.Event()

    def tidy(self, rules: RetentionRules) -> list[Removed]:
        self.asked.append(rules)
        if len(self.asked) == 1:
            raise StorageError("store", "disk full")
        self.done.set()
        return [Removed("0" * 32, "plate", "tiles", 7, "older than 3 days")]


def test_what_rules_let_go_is_removed_now_and_then_whatever_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program, "_FIRST_TIDY_S", 0.01)
    monkeypatch.setattr(program, "_TIDY_EVERY_S", 0.01)
    store = Forgetful()
    tidying = program._Tidying(store, RULES)  # type: ignore[arg-type]
    tidying.start()
    assert store.done.wait(60)
    tidying.stop()
    assert not tidying.is_alive()
    assert set(store.asked) == {RULES}


def test_a_link_that_has_stopped_is_a_problem() -> None:
    link = LinkServer(
        "tcp://127.0.0.1:0",
        receive=lambda _rig, _parcels: [],
        hear=lambda _rig, _news: None,
        ring=None,
    )
    seen = program._Link(link)
    assert "stopped" in seen.problem
    with link:
        assert not seen.problem
        assert seen.rigs == 0
    assert "stopped" in seen.problem
