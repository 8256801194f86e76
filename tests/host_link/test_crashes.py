"""Rig and host are killed while parcels flow: each is stored once, and none is lost."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.host_link.conftest import Ends, busy, until
from tests.host_link.contents import SCAN, began, ended, settled, tile


@pytest.mark.slow
def test_killed_at_random_moments_they_lose_nothing_and_store_nothing_twice() -> None:
    script = REPOSITORY / "benchmarks" / "host_link.py"
    done = subprocess.run(
        [sys.executable, script, "--kills", "8", "--rig-kills", "4"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "each once, none lost" in done.stdout


def test_a_host_that_is_down_at_first_and_goes_away_meanwhile_gets_everything(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.pipeline.host_link._connection._ANSWERED_S", 0.2)
    ends.allow_rig()
    first = ends.host()
    address = first.address
    first.stop()
    outbox, sender = ends.rig(ends.target(address))
    outbox.put(SCAN, began())
    until(lambda: sender.problem, busy(sender))
    assert sender.problem == f"nobody answers at {address}"
    assert (sender.state, outbox.counts().parcels) == ("connecting", 1)

    second = ends.host(address)
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    second.stop()
    until(lambda: sender.state == "connecting", busy(sender))
    assert sender.problem == "the connection to the host is cut"
    outbox.put(SCAN, settled())
    outbox.put_tile(SCAN, tile())
    outbox.put(SCAN, ended())
    sender.work()

    ends.host(address)
    until(lambda: outbox.counts() == (0, 0, 0, 0, 0), busy(sender))
    assert len(ends.kept.parcels) == 4


def test_a_host_that_stores_nothing_is_asked_again_and_gets_each_parcel_once(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.pipeline.host_link.sender._ANSWER_S", 0.2)
    unanswered = 3

    def receive(rig: str, parcels: object) -> list[object]:
        nonlocal unanswered
        receipts = ends.kept.receive(rig, parcels)  # type: ignore[arg-type]
        unanswered -= 1
        return list(receipts) if unanswered < 0 else []

    host = ends.host(insecure=True, receive=receive)  # type: ignore[arg-type]
    outbox, sender = ends.rig(ends.target(host.address, insecure=True))
    ids = [outbox.put(SCAN, content) for content in (began(), settled(), ended())]
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    assert [parcel.id for _, parcel in ends.kept.parcels] == ids
