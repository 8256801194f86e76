"""Parcels reach the host once; who may not come in is told so."""

import socket
import threading
from contextlib import suppress

import pytest
from structlog.testing import LogCapture

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.host_link.messages import Tile, decode_content
from tests.host_link.conftest import Ends, busy, until
from tests.host_link.contents import SCAN, began, ended, progress, settled, tile


@pytest.mark.parametrize("insecure", [False, True], ids=["with keys", "insecure"])
def test_what_waits_is_sent_durable_parcels_first_and_coarse_tiles_before_fine(
    ends: Ends, *, insecure: bool
) -> None:
    ends.allow_rig()
    host = ends.host(insecure=insecure)
    outbox, sender = ends.rig(ends.target(host.address, insecure=insecure))
    outbox.put_tiles(SCAN, [tile(0), tile(1), tile(2)])
    ids = [outbox.put(SCAN, content) for content in (began(), settled(), ended())]
    sender.tell(SCAN, progress())
    until(lambda: outbox.counts() == (0, 0, 0, 0, 0), busy(sender))

    assert [parcel.id for _, parcel in ends.kept.parcels[:3]] == ids
    tiles = [decode_content(parcel.content) for _, parcel in ends.kept.parcels[3:]]
    assert [content.level for content in tiles if isinstance(content, Tile)] == [2, 1, 0]
    name = "this computer" if insecure else "rig A"
    assert {rig for rig, _ in ends.kept.parcels} == {name}
    assert [(rig, news.progress) for rig, news in ends.kept.news] == [(name, progress())]
    assert (sender.state, sender.problem, sender.host) == ("connected", "", "the host")
    assert host.figures.parcels == 6


def test_a_rig_that_is_allowed_later_comes_in_without_a_restart(
    ends: Ends, no_unexpected_errors: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.pipeline.host_link._connection._KNOCK_AGAIN_S", 0.5)
    host = ends.host()
    outbox, sender = ends.rig(ends.target(host.address))
    outbox.put(SCAN, began())
    until(lambda: sender.state == "refused", busy(sender))
    key = ends.rig_keys.own().public
    assert f"darkscan keys allow {key} NAME" in sender.problem
    until(lambda: sender.state == "refused" and host.figures.kept_out > 1, busy(sender))
    told = [line for line in no_unexpected_errors.entries if key in str(line)]
    assert sorted(line["event"] for line in told) == [
        "a rig with an unknown key is refused",
        "nothing is sent to the host",
    ]

    ends.allow_rig()
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    assert sender.state == "connected"


def test_a_rig_that_is_allowed_no_more_is_heard_no_more(ends: Ends) -> None:
    ends.allow_rig()
    host = ends.host()
    outbox, sender = ends.rig(ends.target(host.address))
    until(lambda: sender.state == "connected", busy(sender))
    ends.host_keys.remove("rig A")
    outbox.put(SCAN, began())
    until(lambda: sender.state == "rejected", busy(sender))
    assert "its key is allowed no more" in sender.problem
    assert not ends.kept.parcels


@pytest.mark.parametrize(
    ("host_insecure", "rig_insecure", "told_the_rig", "told_the_host"),
    [
        (True, False, "the host was started with --insecure", "a rig that wants keys"),
        (False, True, "leave out --insecure here", "a rig that was started with --insecure"),
    ],
    ids=["a secure rig, an insecure host", "an insecure rig, a secure host"],
)
def test_a_secure_and_an_insecure_end_are_told_of_each_other(
    ends: Ends,
    no_unexpected_errors: LogCapture,
    *,
    host_insecure: bool,
    rig_insecure: bool,
    told_the_rig: str,
    told_the_host: str,
) -> None:
    host = ends.host(insecure=host_insecure)
    _, sender = ends.rig(ends.target(host.address, insecure=rig_insecure))
    until(lambda: sender.state == "refused", busy(sender))
    assert told_the_rig in sender.problem
    until(lambda: any(told_the_host in str(line) for line in no_unexpected_errors.entries))


def test_a_host_with_another_key_is_told_from_one_that_refuses(
    ends: Ends, no_unexpected_errors: LogCapture
) -> None:
    ends.allow_rig()
    host = ends.host()
    target = ends.target(host.address)
    stranger = ends.rig_keys.own().public
    _, sender = ends.rig(target.model_copy(update={"server_key": stranger}))
    until(lambda: sender.state == "refused", busy(sender))
    assert f"the host has another key than {stranger}" in sender.problem
    told = "its --host-key is not this host's key"
    until(lambda: any(told in str(line) for line in no_unexpected_errors.entries))


def test_while_the_list_of_keys_is_damaged_it_counts_as_it_was(
    ends: Ends, no_unexpected_errors: LogCapture
) -> None:
    ends.allow_rig()
    host = ends.host()
    good = ends.host_keys.allowed_file.read_text()
    ends.host_keys.allowed_file.write_text(good + "half a li")
    outbox, sender = ends.rig(ends.target(host.address))
    outbox.put(SCAN, began())
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    told = [line for line in no_unexpected_errors.entries if "left as it was" in line["event"]]
    assert len(told) == 1
    assert "begins with no key" in told[0]["reason"]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("host:1", "--listen: must read tcp://HOST:PORT"),
        ("tcp://127.0.0.1:99999", "--listen: must read tcp://HOST:PORT"),
        ("tcp://192.0.2.1:5580", "rigs cannot connect there: Cannot assign requested address"),
        ("taken", "rigs cannot connect there: Address already in use"),
    ],
)
def test_where_no_host_can_listen_is_told_in_one_line(ends: Ends, address: str, told: str) -> None:
    taken = ends.host().address
    with pytest.raises(InputError, match=told):
        ends.host(taken if address == "taken" else address)


def test_who_answers_and_is_no_host_is_called_so(ends: Ends) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=[server], daemon=True).start()
        _, sender = ends.rig(ends.target(f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        until(lambda: sender.state == "refused", busy(sender))
        assert sender.problem == "what answers there is no darkscan host"
        server.shutdown(socket.SHUT_RDWR)


def hang_up(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            connection.sendall(b"220 mail.example.org ready\r\n")
            connection.close()
