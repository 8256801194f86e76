"""Clients that are slow, silent or many keep nobody else waiting, and nothing grows."""

import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from darkscan.host.store import StoreEvent
from darkscan.host.web import WebSettings, _connections, _event_routes, server
from tests.host_web.conftest import Served, host_in

WAIT_S = 60


@contextmanager
def many_files(wanted: int) -> Iterator[None]:
    """This process may open so many files, if the machine lets it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.skip(f"this machine lets a process open {before[1]} files only, not {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A host with little patience."""
    monkeypatch.setattr(_connections, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(_connections, "STALLED_SECONDS", 2.0)
    monkeypatch.setattr(server, "_IDLE_SECONDS", 2)
    settings = WebSettings(("127.0.0.1", 0))
    with host_in(tmp_path / "store", settings, examples=False) as served:
        yield served


def is_closed(connection: socket.socket, seconds: float = WAIT_S) -> bool:
    """Whether the host closes a connection in time; what it sends is thrown away."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ready, _, _ = select.select([connection], [], [], until - time.monotonic())
        try:
            if ready and not connection.recv(65536):
                return True
        except ConnectionResetError:
            return True
    return False


def begun(served: Served, request: bytes = b"") -> socket.socket:
    """A connection that has sent something, and no more."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S)
    connection.sendall(request)
    return connection


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "with half a head", "with half a body", "that listen"])
def test_a_thousand_slow_connections_keep_nobody_waiting(tmp_path: Path, kind: str) -> None:
    with many_files(3500), ExitStack() as stack:
        settings = WebSettings(("127.0.0.1", 0))
        served = stack.enter_context(host_in(tmp_path / "store", settings, examples=False))
        head = f"GET /api/events HTTP/1.1\r\nHost: {served.host}\r\n".encode()
        post = head.replace(b"GET /api/events", b"POST /api/session")
        sent = {
            "silent": b"",
            "with half a head": head,
            "with half a body": post
            + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
            "that listen": head + b"\r\n",
        }[kind]
        for _ in range(1000):
            stack.enter_context(begun(served, sent))
        began = time.monotonic()
        with served.client() as client:
            for _ in range(5):
                assert client.get("/healthz").status_code == 200
        assert time.monotonic() - began < 30


def test_more_connections_than_there_may_be_close_the_idlest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connections, "MOST_CONNECTIONS", 20)
    settings = WebSettings(("127.0.0.1", 0))
    with host_in(tmp_path / "store", settings, examples=False) as served, ExitStack() as stack:
        first = stack.enter_context(begun(served))
        others = [stack.enter_context(begun(served)) for _ in range(19)]
        with served.client() as client:
            assert client.get("/healthz").status_code == 200
        assert is_closed(first)
        assert not is_closed(others[-1], 0.2)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HT",
    ],
    ids=["nothing", "one letter", "half a head", "half a second request"],
)
def test_a_request_that_does_not_come_is_not_waited_for(host: Served, sent: bytes) -> None:
    with begun(host, sent) as connection:
        assert is_closed(connection)


def test_a_head_that_comes_letter_by_letter_has_no_more_time(host: Served) -> None:
    with begun(host) as connection:
        ended = threading.Event()

        def send() -> None:
            for letter in b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000:
                try:
                    connection.sendall(bytes([letter]))
                except OSError:
                    return
                if ended.wait(0.1):
                    return

        thread = threading.Thread(target=send)
        thread.start()
        closed = is_closed(connection, 20)
        ended.set()
        thread.join()
    assert closed


def test_who_does_not_read_what_it_asked_for_is_let_go(host: Served) -> None:
    with host.client() as client, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", host.port))
        deaf.sendall(f"GET /api/events HTTP/1.1\r\nHost: {host.host}\r\n\r\n".encode())
        hub = host.server._hub
        listens = "darkscan_streams_open_count 1.0"
        until = time.monotonic() + WAIT_S
        while listens not in client.get("/metrics").text:
            assert time.monotonic() < until
        while listens in client.get("/metrics").text:
            for _ in range(2000):
                hub.publish(StoreEvent("tiles", "0" * 32, {"tiles": [[1, 2, 3, 4]] * 50}))
            assert time.monotonic() < until


def test_there_are_only_so_many_streams(host: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_event_routes, "MOST_STREAMS", 3)
    request = f"GET /api/events HTTP/1.1\r\nHost: {host.host}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(3):
            stream = stack.enter_context(begun(host, request))
            assert stream.recv(12) == b"HTTP/1.1 200"
        with host.client() as client:
            answer = client.get("/api/events")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
