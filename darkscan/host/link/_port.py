"""The socket that rigs connect to: what arrives at it, and answers to it."""

import resource
from typing import NamedTuple

import zmq

from darkscan.pipeline.access.door import HANDSHAKE_FAILED, Door, monitor_of
from darkscan.pipeline.access.guests import Guests
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.core.addresses import check_address
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link.messages import LinkMessage, decode_link, encode_link
from darkscan.pipeline.host_link.socket_options import link_socket

_MOST_UNREAD = 8  # messages of a rig; more stay with it
_MOST_UNSENT = 100  # answers to a rig that does not take them; more are dropped
_LINGER_MS = 300
_MOST_FILES = 65_536


class Arrival(NamedTuple):
    """Something that a rig sent."""

    identity: bytes
    """Names its connection."""
    rig: str | None
    """The name by which its key is allowed; None: no longer, or there are no keys."""
    parts: list[zmq.Frame]

    @property
    def address(self) -> str:
        """Of the computer that it came from."""
        return str(self.parts[0].get("Peer-Address")) if self.parts else ""

    def message(self) -> LinkMessage:
        """What it says. Raises WireError if it is none of our messages."""
        if len(self.parts) != 1:
            raise WireError(f"{len(self.parts)} parts are no message")
        return decode_link(self.parts[0].bytes)


class HostPort:
    """A ROUTER socket, and the door before it."""

    def __init__(self, address: str, ring: KeyRing | None) -> None:
        """Binds, and lets in whoever may come; ``ring`` None: everybody, unencrypted.

        Port 0 is any free one. Raises InputError for a key or an address that cannot be used.
        """
        check_address(address, field="--listen", any_port=True)
        _allow_many_files()
        own = None if ring is None else ring.own()
        self._guests = None if ring is None else Guests(ring)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = link_socket(self._context, zmq.ROUTER, address)
        self.socket.setsockopt(zmq.RCVHWM, _MOST_UNREAD)
        self.socket.setsockopt(zmq.SNDHWM, _MOST_UNSENT)
        if own is not None:
            self.socket.curve_server = True
            self.socket.curve_secretkey = own.secret.encode()
            self.socket.setsockopt(zmq.ZAP_DOMAIN, b"darkscan")
        monitor = monitor_of(self._context, self.socket, HANDSHAKE_FAILED)
        self.door = Door(self._context, monitor, self._guests)
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            problem = f"rigs cannot connect there: {zmq.strerror(error.errno or 0)}"
            raise InputError(problem, file=address, field="--listen") from error
        endpoint = self.socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes), "as libzmq has it"
        self.address = endpoint.rstrip(b"\0").decode()
        self.door.open()

    def next(self) -> Arrival | None:
        """The next arrival; None if there is none. Not decoded: it may be from nobody we hear."""
        try:
            identity, *parts = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return None
        rig = None
        if self._guests is not None and parts:
            rig = self._guests.name_of(str(parts[0].get("User-Id")))
        return Arrival(identity.bytes, rig, parts)

    @property
    def secure(self) -> bool:
        """Whether only known keys come in."""
        return self._guests is not None

    def answer(self, identity: bytes, message: LinkMessage) -> None:
        """Sends a message; it is dropped if that rig is gone, or does not take its answers."""
        try:
            self.socket.send_multipart([identity, encode_link(message)], zmq.DONTWAIT)
        except zmq.Again:
            return

    def close(self) -> None:
        """Unbinds, if it has not yet."""
        if self.socket.closed:
            return
        self.socket.disable_monitor()
        self.socket.close(linger=_LINGER_MS)
        self.door.close()
        self._context.term()


def _allow_many_files() -> None:
    """Lets this process have as many files open as the system lets it.

    Strangers' connections are some until their handshake is over, and the store needs its own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
