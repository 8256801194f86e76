"""The doctor on a rig, before a host that runs: let in, not let in, or without keys on one side."""

from pathlib import Path

import pytest

from darkscan.doctor._host import check_ports
from darkscan.doctor._link import check_host
from darkscan.pipeline.access.keys import KeyRing
from tests.doctor.subjects import subject
from tests.host_end_to_end.computers import Host, host_at_work

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    """This process is a rig with a key of its own."""
    monkeypatch.setenv("DARKSCAN_CONFIG", str(tmp_path / "rig" / "config"))
    monkeypatch.setenv("DARKSCAN_STATE", str(tmp_path / "rig" / "state"))
    ring = KeyRing()
    ring.new()
    return ring


def host_keys(host: Host) -> KeyRing:
    return KeyRing(host.computer.folder / "config" / "keys")


def test_a_rig_is_let_in_once_its_key_is_allowed_without_a_restart(
    tmp_path: Path, rig: KeyRing
) -> None:
    keys = KeyRing(tmp_path / "host" / "config" / "keys")
    rig.allow(keys.new().public, "host")
    with host_at_work(tmp_path, insecure=False) as host:
        looked_at = subject(tmp_path, host=host.address)
        (refused,) = check_host(looked_at)
        assert refused.level == "problem"
        assert "key" in refused.text
        keys.allow(rig.own().public, "rig-1")
        (answers,) = check_host(looked_at)
        assert answers.level == "ok", answers.text
        assert not host.scans()


def test_a_host_without_keys_answers_rigs_without_keys_only(tmp_path: Path, rig: KeyRing) -> None:
    rig.allow(rig.own().public, "host")
    with host_at_work(tmp_path) as host:
        (answers,) = check_host(subject(tmp_path, host=host.address, insecure=True))
        assert answers.level == "ok", answers.text
        (refused,) = check_host(subject(tmp_path, host=host.address))
        assert refused.level == "problem"
        assert "--insecure" in refused.text


def test_ports_of_a_host_that_runs_are_its_own(tmp_path: Path) -> None:
    with host_at_work(tmp_path) as host:
        looked_at = subject(
            tmp_path, store=host.store, listen=host.address, web=host.page.removeprefix("http://")
        )
        assert [each.level for each in check_ports(looked_at)] == ["ok", "ok"]
        assert all("runs there" in each.text for each in check_ports(looked_at))
