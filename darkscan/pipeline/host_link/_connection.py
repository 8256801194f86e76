"""The rig's connection to the host: keys, greetings, and why there is none at the moment."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

from darkscan.pipeline.access.door import HANDSHAKE_FAILED
from darkscan.pipeline.access.greeting import mechanism_at
from darkscan.pipeline.access.keys import read_key_pair
from darkscan.pipeline.access.seldom import Seldom
from darkscan.pipeline.access.sockets import HANDSHAKE_MS
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link.messages import (
    Hello,
    LinkMessage,
    Receipts,
    Rejected,
    Welcome,
    decode_link,
    encode_link,
)
from darkscan.pipeline.host_link.socket_options import link_socket
from darkscan.pipeline.host_link.target import HostTarget

LinkState = Literal["connecting", "connected", "refused", "rejected"]
"""connecting: nobody has answered yet, or any more; refused: the keys do not fit; rejected:
the host does not want what this rig says."""

_ANSWERED_S = 5.0
_GREETED_S = 10.0
_KNOCK_AGAIN_S = 5.0
_REJECTED_S = 15.0
_FAILURES_MEANT = 2  # one may be of a host that just starts or ends
_MOST_AT_A_TIME = 64

_log = structlog.get_logger(__name__)


class Connection:
    """A DEALER socket that connects by itself, as often as it takes; nothing here waits."""

    def __init__(self, target: HostTarget, hello: Hello) -> None:
        """Begins to connect. Raises InputError for a key or an address that cannot be used."""
        self._target = target
        self._hello = hello
        self._own_public = ""
        self.state: LinkState = "connecting"
        self.problem = ""
        self.host = ""
        self.number = 0
        """Rises when a connection is made or lost: what was sent before may not have arrived."""
        self._failures = 0
        self._explained = False
        self._answered_by = time.monotonic() + _ANSWERED_S
        self._reconnect_at: float | None = None
        self._greeted_by: float | None = None
        self._seldom = Seldom(_log)
        self.socket = link_socket(zmq.Context.instance(), zmq.DEALER, target.address)
        self._monitor = self.socket.get_monitor_socket(
            HANDSHAKE_FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        try:
            self._prepare()
            self.socket.connect(target.address)
        except zmq.ZMQError as error:
            self.close()
            problem = f"cannot be connected to: {zmq.strerror(error.errno or 0)}"
            raise InputError(problem, file=target.address) from error
        except InputError:
            self.close()
            raise

    def receipts(self) -> Iterator[Receipts]:
        """Heeds all that happened since the last call; yields the receipts that came."""
        self._watch()
        for _ in range(_MOST_AT_A_TIME):
            try:
                parts = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            message = self._understood(parts[0])
            if isinstance(message, Receipts):
                yield message
        self._mind_deadlines()

    def post(self, message: LinkMessage) -> bool:
        """Hands a message to libzmq; False if it takes none at the moment."""
        try:
            self.socket.send(encode_link(message), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def warn(self, event: str, problem: str, **fields: object) -> None:
        """Logs a problem, and the same one again after a minute only."""
        self._seldom.warning(event, problem, host=self._target.address, reason=problem, **fields)

    def begin_anew(self, problem: str) -> None:
        """Ends the connection, for a reason that is told, and begins to connect."""
        self._lose("connecting", problem)
        self._connect_anew()

    def wait(self, seconds: float) -> None:
        """Waits until something happens, ``seconds`` at most."""
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.poll(round(seconds * 1000))

    def close(self) -> None:
        """Disconnects."""
        self.socket.disable_monitor()
        self._monitor.close(linger=0)
        self.socket.close(linger=0)

    def _prepare(self) -> None:
        self.socket.setsockopt(zmq.IMMEDIATE, 1)  # what was meant for a lost connection is lost
        self.socket.setsockopt(zmq.CONNECT_TIMEOUT, HANDSHAKE_MS)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 200)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 3000)
        if self._target.insecure:  # whoever said so was warned
            return
        assert self._target.own_key is not None, "a key of the host goes with one of our own"
        own = read_key_pair(self._target.own_key)
        self._own_public = own.public
        self.socket.curve_publickey = own.public.encode()
        self.socket.curve_secretkey = own.secret.encode()
        self.socket.curve_serverkey = self._target.server_key.encode()

    def _watch(self) -> None:
        """Heeds what libzmq says of the connection."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.number += 1
                self._failures = 0
                self._reconnect_at = None
                self._greeted_by = time.monotonic() + _GREETED_S
                self.post(self._hello)
            elif event == zmq.EVENT_DISCONNECTED:
                self._disconnected()
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._lose("refused", self._why_refused(), again_s=_KNOCK_AGAIN_S)
            else:
                self._not_greeted()
            # The next event is that the connection is ended, which is no news then.
            self._explained = bool(event & HANDSHAKE_FAILED)

    def _disconnected(self) -> None:
        if self.state == "connected":
            self._lose("connecting", "the connection to the host is cut")
        elif not self._explained:  # who does not speak as libzmq does is left without a word
            self._not_greeted()

    def _not_greeted(self) -> None:
        self._failures += 1
        if self._failures >= _FAILURES_MEANT:
            self._failures = 0
            self._lose("refused", self._why_not_greeted(), again_s=_KNOCK_AGAIN_S)
        elif self._reconnect_at is None:
            # libzmq itself does not connect again after some of these failures.
            self._reconnect_at = time.monotonic() + _KNOCK_AGAIN_S / 2

    def _why_refused(self) -> str:
        return (
            "the host does not know this computer's key; on the host: "
            f"darkscan keys allow {self._own_public} NAME"
        )

    def _why_not_greeted(self) -> str:
        insecure = self._target.insecure
        match mechanism_at(self._target.address):
            case "CURVE" if insecure:
                return "the host lets in known keys only: leave out --insecure here"
            case "CURVE":
                return f"the host has another key than {self._target.server_key}: see --host-key"
            case "NULL" if not insecure:
                return (
                    "the host was started with --insecure and has no key: start it without, "
                    "or add --insecure here"
                )
            case "NULL":
                return "the host ends connections before it greets"
            case _:
                return "what answers there is no darkscan host"

    def _understood(self, data: bytes) -> LinkMessage | None:
        """A message from the host; None for what is none, and ends the talk for now."""
        try:
            message = decode_link(data)
        except WireError as error:
            self._lose("rejected", f"the host's answer: {error}", again_s=_REJECTED_S)
            return None
        match message:
            case Welcome():
                self._welcomed(message)
            case Rejected():
                problem = f"the host will not listen: {message.reason}"
                self._lose("rejected", problem, again_s=_REJECTED_S)
            case Receipts():
                pass
            case _:
                problem = f"a host does not send {type(message).__name__}"
                self._lose("rejected", problem, again_s=_REJECTED_S)
        return message

    def _welcomed(self, message: Welcome) -> None:
        self.state, self.problem, self.host = "connected", "", message.host
        self._greeted_by = None
        _log.info("connected to the host", host=message.host, version=message.version)

    def _mind_deadlines(self) -> None:
        now = time.monotonic()
        if self._greeted_by is not None and now > self._greeted_by:
            self.begin_anew("the host does not answer")
        elif self._reconnect_at is not None and now > self._reconnect_at:
            self._connect_anew()
        elif self.state == "connecting" and not self.problem and now > self._answered_by:
            self._lose("connecting", f"nobody answers at {self._target.address}")

    def _lose(self, state: LinkState, problem: str, *, again_s: float | None = None) -> None:
        """The host cannot be spoken with now; ``again_s``: seconds until it is tried anew."""
        self.state, self.problem = state, problem
        self.number += 1
        self._greeted_by = None
        if again_s is not None:
            self._reconnect_at = time.monotonic() + again_s
        self.warn("nothing is sent to the host", problem)

    def _connect_anew(self) -> None:
        self._reconnect_at = self._greeted_by = None
        self.number += 1
        with suppress(zmq.ZMQError):  # libzmq may have given the connection up
            self.socket.disconnect(self._target.address)
        self.socket.connect(self._target.address)
