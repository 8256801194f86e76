"""Keys, outbox, ports and hosts: missing, damaged, in the way, dead."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkscan.doctor._examination import guarded
from darkscan.doctor._host import check_ports, check_store
from darkscan.doctor._link import check_host, check_keys, check_outbox, knock
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.host_link.messages import Receipt, ScanEnded
from darkscan.pipeline.host_link.outbox import Outbox, outbox_file
from darkscan.pipeline.host_link.sender import HostTarget, Sender
from tests.doctor.subjects import levels, subject

HOST = "tcp://127.0.0.1:5580"
SCAN = "0" * 32


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings and state of a user who has none yet."""
    monkeypatch.setenv("DARKSCAN_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("DARKSCAN_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, "note"),
        ({"host": HOST, "insecure": True}, "note"),
        ({"host": HOST}, "problem"),
        ({"store": Path("store")}, "problem"),
    ],
    ids=["nothing is linked", "a bench without keys", "a rig", "a host"],
)
def test_a_key_is_missed_where_it_is_needed(
    fields: dict[str, object], level: str, tmp_path: Path
) -> None:
    found = list(guarded("keys", check_keys, subject(tmp_path, **fields)))
    assert found[0].level == level
    assert "darkscan keys new" in found[0].text + found[0].advice


def test_a_secret_that_others_can_read_is_a_problem_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    ring = KeyRing()
    ring.new()
    assert levels(list(check_keys(subject(tmp_path)))) == ["ok"]
    ring.own_file.chmod(0o644)
    found = list(check_keys(subject(tmp_path, host=HOST)))
    assert found[0].level == "problem"
    assert "chmod 600" in found[0].text


def test_keys_are_good_when_one_is_allowed(tmp_path: Path) -> None:
    ring = KeyRing()
    pair = ring.new()
    assert levels(list(check_keys(subject(tmp_path, host=HOST)))) == ["ok", "problem"]
    ring.allow(pair.public, "bench")
    found = list(check_keys(subject(tmp_path, host=HOST)))
    assert levels(found) == ["ok", "ok"]
    assert pair.public in found[0].text
    assert "bench" in found[1].text
    assert pair.secret not in str(found)


def test_a_damaged_list_of_keys_is_a_problem_that_names_the_line(tmp_path: Path) -> None:
    ring = KeyRing()
    ring.new()
    ring.allowed_file.write_text("nonsense\n")
    found = list(guarded("keys", check_keys, subject(tmp_path)))
    assert levels(found) == ["ok", "problem"]
    assert "line 1" in found[1].text


def test_what_waits_is_counted_for_each_host(tmp_path: Path) -> None:
    assert levels(list(check_outbox(subject(tmp_path)))) == ["ok"]
    assert not outbox_file().exists()
    end = ScanEnded(
        outcome="complete", ended="2026-01-31T12:00:00Z", seconds=1, frames_not_pictured=0
    )
    with Outbox(outbox_file(), "tcp://10.0.0.1:5580") as outbox:
        outbox.put(SCAN, end)
    with Outbox(outbox_file(), HOST) as outbox:
        refused = outbox.put(SCAN, end)
        outbox.settle([Receipt(id=refused, outcome="refused", reason="of a later version")])
    found = list(check_outbox(subject(tmp_path, host=HOST)))
    assert levels(found)[:2] == ["note", "note"]
    assert found[0].text.startswith(f"{HOST} refused 1 parcel,")
    assert found[1].text.startswith("1 parcel and 0 tiles")
    assert found[1].advice == "darkscan send --host tcp://10.0.0.1:5580"


def test_a_damaged_outbox_is_a_problem(tmp_path: Path) -> None:
    outbox_file().parent.mkdir()
    outbox_file().write_bytes(b"no database" * 100)
    (found,) = guarded("outbox", check_outbox, subject(tmp_path))
    assert found.level == "problem"
    assert str(outbox_file()) in found.text


@pytest.mark.parametrize(
    ("listen", "level", "said"),
    [
        ("tcp://127.0.0.1:{free}", "ok", "is free"),
        ("tcp://127.0.0.1:{taken}", "problem", "in use by another program"),
        ("tcp://192.0.2.1:5580", "problem", "nobody can listen there"),
        ("tcp://127.0.0.1", "problem", "is no address"),
    ],
    ids=["free", "in use", "of another computer", "no port"],
)
def test_ports_that_a_host_would_listen_at_are_tried(
    listen: str, level: str, said: str, taken: int, tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
    listen = listen.format(free=free, taken=taken)
    looked_at = subject(tmp_path, store=tmp_path, listen=listen, web=f"127.0.0.1:{free}")
    link, _page = check_ports(looked_at)
    assert link.level == level
    assert said in link.text


@pytest.mark.skipif(os.getuid() == 0, reason="root may listen anywhere")
def test_a_port_that_only_root_may_take_is_a_problem(tmp_path: Path) -> None:
    looked_at = subject(tmp_path, store=tmp_path, listen="tcp://127.0.0.1:81", web="127.0.0.1:82")
    assert levels(list(check_ports(looked_at))) == ["problem", "problem"]


def test_a_host_that_does_not_answer_is_a_problem(tmp_path: Path, taken: int) -> None:
    address = f"tcp://127.0.0.1:{taken}"  # accepts, and never says a word
    target = HostTarget(address=address, outbox=tmp_path / "outbox.sqlite")
    with Outbox(target.outbox, address) as outbox, Sender(outbox, target, "doctor") as sender:
        found = knock(sender, address, patience_s=0.5)
    assert found.level == "problem"
    assert found.text


def test_a_host_is_not_asked_without_a_key_or_an_address(tmp_path: Path) -> None:
    (keyless,) = guarded("host", check_host, subject(tmp_path, host=HOST))
    assert "darkscan keys new" in keyless.text
    (nowhere,) = guarded("host", check_host, subject(tmp_path, host="bench"))
    assert "tcp://HOST:PORT" in nowhere.text


@pytest.mark.parametrize(
    ("files", "level", "said"),
    [
        ({}, "ok", ""),
        ({"store.sqlite": b"SQLite format 3\x00..."}, "ok", ""),
        ({"thesis.tex": b""}, "problem", "neither a store nor empty"),
        ({"store.sqlite": b"\x00" * 100}, "problem", "is damaged"),
    ],
    ids=["new", "a store", "something else", "overwritten"],
)
def test_the_stores_folder_holds_a_store_or_nothing(
    files: dict[str, bytes], level: str, said: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / "store").mkdir(exist_ok=True)
        (tmp_path / "store" / name).write_bytes(content)
    _disk, *rest = check_store(subject(tmp_path, store=tmp_path / "store"))
    assert [each.level for each in rest] == ([level] if level != "ok" else [])
    assert said in str(rest)
