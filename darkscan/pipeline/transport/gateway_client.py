"""A worker's side of the link to a run on another computer."""

import time
from contextlib import suppress
from typing import NamedTuple

import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

from darkscan.pipeline.access.door import HANDSHAKE_FAILED
from darkscan.pipeline.access.greeting import mechanism_at
from darkscan.pipeline.access.keys import KeyPair
from darkscan.pipeline.access.turnstile import received_by, shut_down
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.transport._remote_sockets import remote_socket, why
from darkscan.pipeline.transport.messages import Message, decode, encode

LARGEST_PART = 2**29
"""Bytes of the largest model, and of the largest frame with its margin, that a worker takes."""

_MOST_UNREAD = LARGEST_PART + 2**26
_MOST_WAITING = 64  # messages that were not read yet
_KNOCK_AGAIN_S = 2.0
_LOOK_S = 0.1

_log = structlog.get_logger(__name__)


class RunKeys(NamedTuple):
    """The keys by which a worker and a run know each other."""

    own: KeyPair
    run: str
    """The public key of the run's computer."""


class Delivery(NamedTuple):
    """Something the gateway sent: a message, and the buffer that belongs to it."""

    message: Message
    payload: memoryview | None


class GatewayClient:
    """Connects by itself as soon as, and as often as, somebody is there."""

    def __init__(self, address: str, keys: RunKeys | None) -> None:
        """``keys`` None: nothing is encrypted. Raises InputError for an impossible address."""
        self._address = address
        self._keys = keys
        self.problem = ""
        """Why the run does not let this worker in; empty: nothing is known."""
        self._descriptor: int | None = None
        self._base = 0
        self._read = False
        self._next_look = 0.0
        self._knock_at: float | None = None
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self.socket = remote_socket(context, zmq.DEALER, address, largest=LARGEST_PART)
        self.socket.setsockopt(zmq.RCVHWM, _MOST_WAITING)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        # What was meant for a connection that is gone means nothing to the next.
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        if keys is not None:
            self.socket.curve_publickey = keys.own.public.encode()
            self.socket.curve_secretkey = keys.own.secret.encode()
            self.socket.curve_serverkey = keys.run.encode()
        self._monitor = self.socket.get_monitor_socket(
            HANDSHAKE_FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_CONNECTED
        )
        try:
            self.socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise InputError(why("cannot be connected to", error), field=address) from error

    def next(self) -> Delivery | None:
        """The next delivery; None if there is none. Raises WireError if it is not one of ours."""
        self._watch()
        try:
            parts = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return None
        self._read = True
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
        self.socket.disable_monitor()
        self._monitor.close(linger=0)
        self.socket.close(linger=linger_ms)

    def _watch(self) -> None:
        """Heeds what becomes of the connection, and how much comes over it."""
        while self._monitor.poll(0):
            told = recv_monitor_message(self._monitor)
            match told["event"]:
                case zmq.EVENT_CONNECTED:
                    self._descriptor, self._base = told["value"], 0
                case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self.problem = ""
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    self._refused(self._how_to_be_allowed())
                case event if event & HANDSHAKE_FAILED:
                    self._refused(self._why_not_greeted())
        now = time.monotonic()
        if self._knock_at is not None and now > self._knock_at:
            self._knock_at = None
            with suppress(zmq.ZMQError):  # libzmq may have given the connection up
                self.socket.disconnect(self._address)
            self.socket.connect(self._address)
        if now > self._next_look:
            self._next_look = now + _LOOK_S
            self._look(self._descriptor)

    def _look(self, descriptor: int | None) -> None:
        """Ends a connection over which more comes than may, and no whole message."""
        received = None if descriptor is None else received_by(descriptor)
        if received is None or descriptor is None:
            return
        if self._read:
            self._base, self._read = received, False
        elif received - self._base > _MOST_UNREAD:
            _log.warning("the connection is cut: it brings too much", bytes=received - self._base)
            self._descriptor = None
            shut_down(descriptor)

    def _refused(self, problem: str) -> None:
        self.problem = problem
        # After some of these failures libzmq does not connect again by itself.
        if self._knock_at is None:
            self._knock_at = time.monotonic() + _KNOCK_AGAIN_S

    def _how_to_be_allowed(self) -> str:
        assert self._keys is not None, "without keys none is refused"
        return (
            "the run does not know this computer's key; on its computer: "
            f"darkscan keys allow {self._keys.own.public} NAME"
        )

    def _why_not_greeted(self) -> str:
        match mechanism_at(self._address):
            case "CURVE" if self._keys is None:
                return "the run lets in known keys only: leave out --insecure here"
            case "CURVE" if self._keys is not None:
                return f"the run's computer has another key than {self._keys.run}: see --run-key"
            case "NULL" if self._keys is not None:
                return (
                    "the run was started with --insecure and has no key: start it without, or "
                    "add --insecure here"
                )
            case "NULL":
                return "the run ends connections before it greets"
            case _:
                return "what answers there is no darkscan run"
