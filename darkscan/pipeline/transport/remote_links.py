"""Links to workers on other computers: messages over tcp, pixels as their second part.

They are neither encrypted nor authenticated: ciphers would take ten times as long as the
frames themselves. They belong on a private network.
"""

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import structlog
import zmq

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.messages import (
    Message,
    decode,
    encode,
)

# All lines that a frame may have are 0.6 MB; the rest is room for 800 000 scores.
_LARGEST_ANSWER = 4 * 2**20
_LARGEST_PART = 2**30
_MOST_ANSWERS = 32  # that wait to be read from a worker; more stay with their senders
_MOST_AT_A_TIME = 64
_HEARTBEAT_MS = 1000
_SILENT_MS = 10_000  # then a connection is taken for cut

_log = structlog.get_logger(__name__)


class Arrival(NamedTuple):
    """Something a worker sent: who it is, and the message, or why it is none of ours."""

    peer: bytes
    message: Message | None
    problem: str = ""


class GatewayPort:
    """Where workers on other computers connect to."""

    def __init__(self, address: str) -> None:
        """Binds. Raises InputError if nothing can be reached there."""
        self.socket = _socket(zmq.ROUTER, address, largest=_LARGEST_ANSWER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.RCVHWM, _MOST_ANSWERS)
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            self.socket.close()
            raise InputError(_why("workers cannot connect there", error), field=address) from error

    def arrivals(self, refused: Container[bytes] = ()) -> Iterator[Arrival]:
        """Yields arrivals without waiting; at most 64 at a time, so that other work goes on.

        Arrivals from those ``refused`` are dropped unread.
        """
        for _ in range(_MOST_AT_A_TIME):
            try:
                peer, *parts = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            if peer.bytes not in refused:
                yield _arrival(peer.bytes, parts)

    def send(self, peer: bytes, message: Message, payload: Any = None) -> bool:
        """Sends a message and, uncopied, the buffer that belongs to it; False if nobody is there.

        The buffer may change once an answer to it came, or once it is known who else has it:
        what a worker makes of a changed one must not count.
        """
        more = 0 if payload is None else zmq.SNDMORE
        try:
            self.socket.send(peer, zmq.SNDMORE)
            self.socket.send(encode(message), more)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        if payload is not None:
            self.socket.send(payload, copy=False)
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Unbinds, after at most ``linger_ms`` for what is still to be sent."""
        self.socket.close(linger=linger_ms)


class Delivery(NamedTuple):
    """Something the gateway sent: a message, and the buffer that belongs to it."""

    message: Message
    payload: memoryview | None


class GatewayClient:
    """A worker's side; connects by itself as soon as, and as often as, somebody is there."""

    def __init__(self, address: str) -> None:
        """Raises InputError for an address that cannot be."""
        self.socket = _socket(zmq.DEALER, address, largest=_LARGEST_PART)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        # What was meant for a connection that is gone means nothing to the next.
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        try:
            self.socket.connect(address)
        except zmq.ZMQError as error:
            self.socket.close()
            raise InputError(_why("cannot be connected to", error), field=address) from error

    def next(self) -> Delivery | None:
        """The next delivery; None if there is none. Raises WireError if it is not one of ours."""
        try:
            parts = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return None
        message = decode(parts[0].bytes)
        return Delivery(message, parts[1].buffer if len(parts) > 1 else None)

    def send(self, message: Message) -> bool:
        """Sends a message; False if nobody is there."""
        try:
            self.socket.send(encode(message), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Disconnects, after at most ``linger_ms`` for what is still to be sent."""
        self.socket.close(linger=linger_ms)


def _arrival(peer: bytes, parts: list[zmq.Frame]) -> Arrival:
    if len(parts) != 1:
        return Arrival(peer, None, f"{len(parts)} parts are no message")
    try:
        return Arrival(peer, decode(parts[0].bytes))
    except WireError as error:
        return Arrival(peer, None, str(error))


def _why(problem: str, error: zmq.ZMQError) -> str:
    return f"{problem}: {zmq.strerror(error.errno or 0)}"


def _socket(kind: int, address: str, *, largest: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    options = {
        zmq.LINGER: 0,
        zmq.SNDHWM: 0,  # bounded by how many frames a worker takes
        zmq.MAXMSGSIZE: largest,
        zmq.HEARTBEAT_IVL: _HEARTBEAT_MS,
        zmq.HEARTBEAT_TIMEOUT: _SILENT_MS,
        zmq.HEARTBEAT_TTL: _SILENT_MS,
        zmq.IPV6: int("[" in address),
    }
    for option, value in options.items():
        socket.setsockopt(option, value)
    return socket
