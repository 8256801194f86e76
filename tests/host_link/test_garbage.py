"""Whatever is sent to the host's port: it goes on, and takes parcels from others."""

import os
import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import msgpack
import pytest
import zmq

from darkscan.host.link import LinkServer
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link.messages import (
    LARGEST_LINK_MESSAGE,
    Hello,
    Parcel,
    Receipt,
    Receipts,
    Rejected,
    Welcome,
    decode_link,
    encode_content,
    encode_link,
    new_id,
)
from tests.host_link.conftest import DEADLINE_S, Ends, busy, until
from tests.host_link.contents import SCAN, began, ended, settled

Receive = Callable[[str, Sequence[Parcel]], Sequence[Receipt]]

STRANGERS = 1200 if resource.getrlimit(resource.RLIMIT_NOFILE)[1] not in range(4000) else 200

HELLO = encode_link(Hello(rig="R", version="1"))


def parcel() -> Parcel:
    return Parcel(id=new_id(), scan=SCAN, content=encode_content(settled()))


@contextmanager
def dealer(host: LinkServer, ends: Ends | None = None) -> Iterator[zmq.Socket[bytes]]:
    """A peer that says what it likes; with keys if there are ``ends`` to take them from."""
    peer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    peer.setsockopt(zmq.LINGER, 0)
    peer.setsockopt(zmq.RCVTIMEO, int(DEADLINE_S * 1000))
    if ends is not None:
        own = ends.rig_keys.own()
        peer.curve_publickey, peer.curve_secretkey = own.public.encode(), own.secret.encode()
        peer.curve_serverkey = ends.host_keys.own().public.encode()
    peer.connect(host.address)
    yield peer
    peer.close()


def goes_on(host: LinkServer, ends: Ends) -> None:
    """A rig that behaves is served."""
    ends.allow_rig()
    outbox, sender = ends.rig(ends.target(host.address, insecure=not host.secure))
    outbox.put(SCAN, began())
    until(lambda: outbox.counts().parcels == 0, busy(sender))


def packed(**changes: object) -> bytes:
    """A parcel's message in which something is otherwise."""
    return bytes(msgpack.packb({**msgpack.unpackb(encode_link(parcel())), **changes}))


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([[b""]], "not msgpack"),
        ([[os.urandom(1000)]], ""),
        ([[HELLO], [encode_link(parcel())[:-5]]], "not msgpack"),
        ([[b"\xdd\xff\xff\xff\xff"]], "not msgpack"),
        ([[b"\x91" * 100_000]], "not msgpack"),
        ([[HELLO], [packed(v=2)]], "wire version 2 is not 1"),
        ([[HELLO], [packed(kind="Order")]], "unknown kind of message"),
        ([[HELLO], [packed(body={"id": "x"})]], "Parcel.id"),
        ([[HELLO, HELLO]], "2 parts are no message"),
        ([[HELLO], [b"", HELLO]], "2 parts are no message"),
        ([[encode_link(parcel())]], "it has not greeted"),
        ([[HELLO], [encode_link(Receipts(receipts=()))]], "a rig does not send Receipts"),
    ],
    ids=[
        "nothing",
        "noise",
        "a parcel that is cut off",
        "an array that would be huge",
        "deeply nested",
        "of another version of the wire",
        "of another kind",
        "with a field of another type",
        "two messages in one",
        "an empty part before it",
        "a parcel without greeting",
        "what only hosts send",
    ],
)
def test_who_sends_what_is_no_message_is_told_once_and_heard_no_more(
    ends: Ends, messages: list[list[bytes]], told: str
) -> None:
    host = ends.host(insecure=True)
    with dealer(host) as peer:
        for parts in [*messages, [HELLO], [encode_link(parcel())]]:
            peer.send_multipart(parts)
        answers = [decode_link(peer.recv()) for _ in messages]
        assert all(isinstance(answer, Welcome) for answer in answers[:-1])
        rejected = answers[-1]
        assert isinstance(rejected, Rejected)
        assert told in rejected.reason
        goes_on(host, ends)
        with pytest.raises(zmq.Again):
            peer.recv(zmq.DONTWAIT)
    assert len(ends.kept.parcels) == 1


def test_a_message_that_is_too_large_ends_the_connection_only(ends: Ends) -> None:
    host = ends.host(insecure=True)
    with dealer(host) as peer:
        peer.send(bytes(LARGEST_LINK_MESSAGE + 1))
        goes_on(host, ends)
    assert host.figures.rejected == 0  # libzmq itself hung up


def test_a_flood_is_rejected_once_and_takes_no_room(ends: Ends) -> None:
    host = ends.host(insecure=True)
    with dealer(host) as peer:
        peer.setsockopt(zmq.SNDTIMEO, int(DEADLINE_S * 1000))
        for _ in range(20_000):
            peer.send(b"garbage")
        goes_on(host, ends)
    assert host.figures.rejected == 1


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 64,
        b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48) + b"\x06" + b"\xff" * 8,
    ],
    ids=["nothing", "a web browser's", "all ones", "ZeroMQ's, without a key, then a huge command"],
)
def test_many_connections_of_strangers_keep_no_rig_out(ends: Ends, greeting: bytes) -> None:
    host = ends.host()
    place = ("127.0.0.1", int(host.address.rpartition(":")[2]))
    with ExitStack() as opened:
        for _ in range(STRANGERS):
            stranger = opened.enter_context(socket.create_connection(place, DEADLINE_S))
            stranger.sendall(greeting)
        goes_on(host, ends)


def test_strangers_without_keys_are_kept_out_of_a_secure_port(ends: Ends) -> None:
    host = ends.host()
    with ExitStack() as opened:
        peers = [opened.enter_context(dealer(host)) for _ in range(200)]
        for peer in peers:
            with suppress(zmq.Again):  # libzmq drops a connection that cannot be
                peer.send(HELLO, zmq.DONTWAIT)
                peer.send(encode_link(parcel()), zmq.DONTWAIT)
        goes_on(host, ends)
        until(lambda: host.figures.kept_out >= 200)
    assert len(ends.kept.parcels) == 1


def test_a_rig_that_takes_no_answers_holds_up_no_other(ends: Ends) -> None:
    host = ends.host(insecure=True)
    with dealer(host) as peer:
        peer.setsockopt(zmq.RCVHWM, 1)
        for _ in range(3000):
            peer.send(HELLO)
        until(lambda: host.figures.peers)
        goes_on(host, ends)


@pytest.mark.expects_errors
def test_a_parcel_at_which_darkscan_fails_is_refused_and_the_others_are_kept(ends: Ends) -> None:
    def receive(rig: str, parcels: Sequence[Parcel]) -> Sequence[Receipt]:
        if any(parcel.id == poison for parcel in parcels):
            raise KeyError("of darkscan")
        return ends.kept.receive(rig, parcels)

    target = ends.target("tcp://127.0.0.1:0", insecure=True)
    host = ends.host(insecure=True, receive=receive)
    outbox, sender = ends.rig(target.model_copy(update={"address": host.address}))
    outbox.put(SCAN, began())
    poison = outbox.put(SCAN, settled())
    outbox.put(SCAN, ended())
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    assert len(ends.kept.parcels) == 2
    assert outbox.counts().refused == 1
    assert outbox.retry_refused() == 1
    poison = b""
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    assert len(ends.kept.parcels) == 3


def refuse_to_store(_: str, __: Sequence[Parcel]) -> Sequence[Receipt]:
    raise StorageError("store.sqlite", "database or disk is full")


@pytest.mark.expects_errors
def test_while_the_host_cannot_store_the_rig_is_told_and_keeps_its_parcels(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.pipeline.host_link._connection._REJECTED_S", 0.3)
    disk: list[Receive] = [refuse_to_store]

    def receive(rig: str, parcels: Sequence[Parcel]) -> Sequence[Receipt]:
        return disk[0](rig, parcels)

    host = ends.host(insecure=True, receive=receive)
    outbox, sender = ends.rig(ends.target(host.address, insecure=True))
    outbox.put(SCAN, began())
    until(lambda: sender.state == "rejected", busy(sender))
    assert "store.sqlite: cannot be written: database or disk is full" in sender.problem
    assert "disk is full" in host.figures.problem
    assert outbox.counts().parcels == 1
    disk[0] = ends.kept.receive
    until(lambda: outbox.counts().parcels == 0, busy(sender))
    assert not host.figures.problem
