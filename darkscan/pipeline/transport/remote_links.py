"""Links to workers on other computers: messages over tcp, pixels as their second part.

By default both ends know each other by keys and all is encrypted (CurveZMQ); see
decision 32 for what that costs. What arrives is bounded while it
arrives: each part by libzmq, each connection, whatever its parts, by the turnstile.
"""

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import structlog
import zmq

from darkscan.pipeline.access.door import HANDSHAKE_FAILED, Door, Names, monitor_of
from darkscan.pipeline.access.guests import Guests
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.access.turnstile import Bounds, Turnstile
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport._remote_sockets import remote_socket, why
from darkscan.pipeline.transport.messages import Message, decode, encode

MOST_OF_ADDRESS = 64
"""Connections of one computer to a run."""

_MOST_CONNECTIONS = 256
_MOST_ANSWERS = 8  # that wait to be read from a worker; more stay with their senders
_MOST_UNSENT = 64  # messages to a worker that does not take them
_MOST_AT_A_TIME = 64
_MOST_AT_FIRST = 64 * 2**10
_LAST_WORDS_S = 1.0

_log = structlog.get_logger(__name__)


class Arrival(NamedTuple):
    """Something a worker sent: who it is, and the message, or why it is none of ours."""

    peer: bytes
    """Names its connection."""
    message: Message | None
    problem: str = ""
    key: str = ""
    """The sender's key; empty where there are no keys."""
    name: str = ""
    """The name by which that key is allowed."""
    address: str = ""
    """Of the sender's computer."""


class GatewayPort:
    """Where workers on other computers connect to."""

    def __init__(self, address: str, ring: KeyRing | None, *, largest_answer: int) -> None:
        """Binds, and lets workers in whose keys are allowed; ``ring`` None: whoever comes.

        ``largest_answer``: bytes that a message of a worker may have. Raises InputError if nothing
        can be reached there, or for keys that cannot be used.
        """
        own = None if ring is None else ring.own()
        self._guests = None if ring is None else Guests(ring)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = remote_socket(self._context, zmq.ROUTER, address, largest=largest_answer)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.RCVHWM, _MOST_ANSWERS)
        self.socket.setsockopt(zmq.SNDHWM, _MOST_UNSENT)
        if own is not None:
            self.socket.curve_server = True
            self.socket.curve_secretkey = own.secret.encode()
            self.socket.setsockopt(zmq.ZAP_DOMAIN, b"darkscan")
        bounds = Bounds(
            most=_MOST_CONNECTIONS,
            most_of_address=MOST_OF_ADDRESS,
            most_unread=(_MOST_ANSWERS + 2) * largest_answer,
            most_at_first=_MOST_AT_FIRST,
        )
        self._turnstile = Turnstile(bounds)
        self._descriptors: dict[bytes, int] = {}
        events = HANDSHAKE_FAILED | zmq.EVENT_ACCEPTED
        monitor = monitor_of(self._context, self.socket, events)
        names = Names(peer="worker", here="run", key_option="--run-key")
        self._door = Door(self._context, monitor, self._guests, names, self._turnstile)
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise InputError(why("workers cannot connect there", error), field=address) from error
        self._door.open()

    @property
    def secured(self) -> bool:
        """Whether only workers with allowed keys come in."""
        return self._guests is not None

    def arrivals(self, refused: Container[bytes] = ()) -> Iterator[Arrival]:
        """Yields arrivals without waiting; at most 64 at a time, so that other work goes on.

        Arrivals from those ``refused`` are dropped unread.
        """
        for _ in range(_MOST_AT_A_TIME):
            try:
                identity, *parts = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            peer = identity.bytes
            if peer in refused or not parts:
                continue
            self._note(peer, parts[0])
            yield self._arrival(peer, parts)

    def send(self, peer: bytes, message: Message, payload: Any = None) -> bool:
        """Sends a message and, uncopied, the buffer that belongs to it.

        False if nobody is there, or if what was sent before is not taken. The buffer may change
        once an answer to it came, or once it is known who else has it: what a worker makes of a
        changed one must not count.
        """
        more = 0 if payload is None else zmq.SNDMORE
        try:
            self.socket.send(peer, zmq.SNDMORE | zmq.DONTWAIT)
            self.socket.send(encode(message), more | zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        if payload is not None:
            self.socket.send(payload, zmq.DONTWAIT, copy=False)
        return True

    def hang_up(self, peer: bytes) -> None:
        """Ends a connection, after a moment in which its worker can read why."""
        descriptor = self._descriptors.pop(peer, None)
        if descriptor is not None:
            self._turnstile.cut(descriptor, after_s=_LAST_WORDS_S)

    def close(self) -> None:
        """Unbinds, if it has not yet."""
        if self.socket.closed:
            return
        self.socket.disable_monitor()
        self.socket.close(linger=0)
        self._door.close()
        self._context.term()

    def _note(self, peer: bytes, part: zmq.Frame) -> None:
        """Tells the turnstile that a connection's message was read."""
        descriptor = part.get(zmq.SRCFD)
        assert isinstance(descriptor, int), "as libzmq has it"
        self._turnstile.note_read(descriptor)
        if len(self._descriptors) > 2 * _MOST_CONNECTIONS:
            self._descriptors.clear()  # most are of connections that are gone
        self._descriptors[peer] = descriptor

    def _arrival(self, peer: bytes, parts: list[zmq.Frame]) -> Arrival:
        address = str(parts[0].get("Peer-Address"))
        key = name = ""
        if self._guests is not None:
            key = str(parts[0].get("User-Id"))
            allowed = self._guests.name_of(key)
            if allowed is None:
                return Arrival(peer, None, "its key is allowed no more", key, "", address)
            name = allowed
        if len(parts) != 1:
            problem = f"{len(parts)} parts are no message"
            return Arrival(peer, None, problem, key, name, address)
        try:
            return Arrival(peer, decode(parts[0].bytes), "", key, name, address)
        except WireError as error:
            return Arrival(peer, None, str(error), key, name, address)
