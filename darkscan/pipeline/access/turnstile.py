"""The turnstile before a socket: how many connections there are, from where, and what they send.

libzmq itself bounds none of these. It holds a message until its last part has come, however many
parts that takes; so what each connection has sent is read from the kernel, and a connection that
sends more than it may without one whole message is cut: libzmq then frees what it held.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from darkscan.pipeline.access.seldom import Seldom

_LOOK_S = 0.1
_BYTES_RECEIVED = 128  # tcpi_bytes_received within struct tcp_info, a uint64, since Linux 4.1
_TCP_INFO_BYTES = 256

_log = structlog.get_logger(__name__)


class Bounds(NamedTuple):
    """What connections may do."""

    most: int
    """Connections in all."""
    most_of_address: int
    """Connections from one computer."""
    most_unread: int
    """Bytes that one may send without one whole message that we have read."""
    most_at_first: int
    """The same before its first message."""


@dataclass
class _Connection:
    """One connection that was accepted."""

    descriptor: int
    peer: tuple[str, int]
    """Address and port at the other end: another connection with this descriptor has others."""
    heard: bool = False
    """Whether a message of it was read."""
    read_since: bool = False
    """Whether a message of it was read since it was last looked at."""
    base: int = 0
    """Bytes that had come when a message of it was last read."""
    cut_at: float | None = None
    """When it is to be cut (monotonic); None: not."""
    entered_at: float = field(default_factory=time.monotonic)


class Turnstile:
    """Keeps the connections of one listening socket within bounds.

    ``enter`` and ``look`` are the door's, ``note_read`` and ``cut`` the reader's: two threads.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._open: dict[int, _Connection] = {}
        self._next_look = 0.0
        self._seldom = Seldom(_log)
        self.turned_away = 0
        """Connections that were cut."""

    def enter(self, descriptor: int) -> None:
        """A connection was accepted. Where there are too many, one that said nothing yet goes."""
        with _borrowed(descriptor) as connected:
            peer = None if connected is None else _peer_of(connected)
        if peer is None:
            return
        entering = _Connection(descriptor, peer)
        with self._lock:
            self._open[descriptor] = entering
            alike = [one for one in self._open.values() if one.peer[0] == peer[0]]
            if len(alike) > self._bounds.most_of_address:
                self._cut_one(alike, "too many connections from its address")
            elif len(self._open) > self._bounds.most:
                self._cut_one(list(self._open.values()), "too many connections")

    def note_read(self, descriptor: int) -> None:
        """A whole message of a connection was read."""
        with self._lock:
            if (connection := self._open.get(descriptor)) is not None:
                connection.heard = connection.read_since = True

    def cut(self, descriptor: int, *, after_s: float = 0.0) -> None:
        """Ends a connection, after a moment in which it can read what it was sent."""
        with self._lock:
            if (connection := self._open.get(descriptor)) is not None:
                connection.cut_at = time.monotonic() + after_s

    def look(self) -> None:
        """Forgets connections that are gone, cuts those that send too much; ten times a second."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        with self._lock:
            for connection in list(self._open.values()):
                self._look_at(connection, now)

    def _look_at(self, connection: _Connection, now: float) -> None:
        if connection.cut_at is not None and now >= connection.cut_at:
            self._cut(connection, "it was refused")
            return
        with _borrowed(connection.descriptor, connection.peer) as connected:
            received = None if connected is None else bytes_received(connected)
        if received is None:
            del self._open[connection.descriptor]
            return
        if connection.read_since:
            connection.base, connection.read_since = received, False
        bounds = self._bounds
        most = bounds.most_unread if connection.heard else bounds.most_at_first
        if received - connection.base > most:
            self._cut(connection, f"it sent {received - connection.base} bytes and no message")

    def _cut_one(self, connections: list[_Connection], problem: str) -> None:
        """Cuts the one that waits for longest to say something; if all have, the newest."""
        silent = [one for one in connections if not one.heard]
        one = min(silent, key=lambda each: each.entered_at) if silent else connections[-1]
        self._cut(one, problem)

    def _cut(self, connection: _Connection, problem: str) -> None:
        self.turned_away += 1
        del self._open[connection.descriptor]
        shut_down(connection.descriptor, connection.peer)
        self._seldom.warning(
            "a connection is cut", f"{problem:.20}", address=connection.peer[0], reason=problem
        )


def shut_down(descriptor: int, peer: tuple[str, int] | None = None) -> None:
    """Ends a connection of libzmq's, which then closes it; ``peer``: only if it is with that."""
    with _borrowed(descriptor, peer) as connected:
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def received_by(descriptor: int) -> int | None:
    """The bytes that came over a connection of libzmq's; None if it is gone."""
    with _borrowed(descriptor) as connected:
        return None if connected is None else bytes_received(connected)


def bytes_received(connected: socket.socket) -> int | None:
    """The bytes that came over a TCP connection, as the kernel counts them; None: it is gone."""
    try:
        told = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(told) < _BYTES_RECEIVED + 8:
        return 0  # a kernel that does not count: then libzmq's own bounds remain
    return int(struct.unpack_from("Q", told, _BYTES_RECEIVED)[0])


@contextmanager
def _borrowed(
    descriptor: int, peer: tuple[str, int] | None = None
) -> Iterator[socket.socket | None]:
    """A duplicate of libzmq's descriptor; None if that is closed, or another connection by now."""
    try:
        duplicate = os.dup(descriptor)
    except OSError:
        yield None
        return
    try:
        connected = socket.socket(fileno=duplicate)
    except OSError:  # no socket any more
        os.close(duplicate)
        yield None
        return
    with connected:
        found = _peer_of(connected)
        yield connected if found is not None and peer in {None, found} else None


def _peer_of(connected: socket.socket) -> tuple[str, int] | None:
    """Address and port at the other end; None if there is none, or it is no TCP connection."""
    try:
        name = connected.getpeername()
    except OSError:
        return None
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
