"""The door of the link: libzmq asks here whether a key may come in, and who failed is told."""

import threading
from enum import IntEnum
from typing import NamedTuple

import structlog
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from darkscan.pipeline.access.guests import Guests
from darkscan.pipeline.access.seldom import Seldom
from darkscan.pipeline.access.turnstile import Turnstile

HANDSHAKE_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
"""A monitor's events: a key was refused; the ends do not speak alike; the other one hung up."""

_ZAP = "inproc://zeromq.zap.01"
_ZAP_VERSION = b"1.0"
_KEY_BYTES = 32
_LOOK_MS = 100
_MOST_AT_A_TIME = 64

_log = structlog.get_logger(__name__)


class _Failure(IntEnum):
    """What libzmq says of a handshake that failed; see zmq_socket_monitor(3)."""

    CRYPTOGRAPHIC = 0x11000001
    MECHANISM_MISMATCH = 0x11000002


def monitor_of(
    context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], events: int
) -> zmq.Socket[bytes]:
    """What libzmq says of a socket's connections.

    Without a limit to what waits to be read: at one, libzmq's thread would stand still, and with
    it the whole link, in a flood of connections.
    """
    monitor = context.socket(zmq.PAIR)
    monitor.setsockopt(zmq.RCVHWM, 0)
    address = f"inproc://monitor-{id(socket)}"
    socket.monitor(address, events)
    monitor.connect(address)
    return monitor


class Names(NamedTuple):
    """What the two ends of a link are called in the log."""

    peer: str = "rig"
    here: str = "host"
    key_option: str = "--host-key"
    """The option by which the other end names this end's key."""


_RIG_AND_HOST = Names()


class Door:
    """Answers libzmq's questions in a thread of its own, so that a slow disk keeps nobody out.

    See https://rfc.zeromq.org/spec/27/ for the questions, which are of this process alone.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        monitor: zmq.Socket[bytes],
        guests: Guests | None,
        names: Names = _RIG_AND_HOST,
        turnstile: Turnstile | None = None,
    ) -> None:
        """``monitor``: of the door's socket; ``guests`` None: everybody may come in.

        ``turnstile``: is told of the connections that the monitor sees, and looks after them.
        """
        self._turnstile = turnstile
        self._names = names
        self._monitor = monitor
        self._guests = guests
        self._seldom = Seldom(_log)
        self.refused = 0
        """Handshakes that failed."""
        self._stopping = threading.Event()
        self._poller = zmq.Poller()
        self._poller.register(monitor, zmq.POLLIN)
        self._questions: zmq.Socket[bytes] | None = None
        if guests is not None:
            self._questions = context.socket(zmq.REP)
            self._questions.bind(_ZAP)
            self._poller.register(self._questions, zmq.POLLIN)
        self._thread = threading.Thread(target=self._run, name="link door", daemon=True)

    def open(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def close(self) -> None:
        """Ends, and closes the sockets."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._monitor.close(linger=0)
        if self._questions is not None:
            self._questions.close(linger=0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for socket, _ in self._poller.poll(_LOOK_MS):
                if socket is self._monitor:
                    self._watch()
                elif self._questions is not None:
                    self._questions.send_multipart(self._answer(self._questions.recv_multipart()))
            if self._turnstile is not None:
                self._turnstile.look()

    def _watch(self) -> None:
        """Heeds what the monitor tells; not all at once, since keys are asked for meanwhile."""
        for _ in range(_MOST_AT_A_TIME):
            try:
                told = recv_monitor_message(self._monitor, zmq.DONTWAIT)
            except zmq.Again:
                return
            if told["event"] & HANDSHAKE_FAILED:  # not the monitor's own end
                self._heed(told["event"], told["value"])
            elif told["event"] == zmq.EVENT_ACCEPTED and self._turnstile is not None:
                self._turnstile.enter(told["value"])

    def _answer(self, question: list[bytes]) -> list[bytes]:
        """Whether a peer may come in; then its key is its name from here on."""
        _, request, _, address, _, mechanism, *credentials = question
        if mechanism == b"CURVE" and len(credentials[0]) == _KEY_BYTES:
            assert self._guests is not None, "without guests nobody asks"
            key = z85.encode(credentials[0]).decode()
            if self._guests.name_of(key) is not None:
                return [_ZAP_VERSION, request, b"200", b"", key.encode(), b""]
            self._seldom.warning(
                f"a {self._names.peer} with an unknown key is refused",
                key,
                key=key,
                address=address.decode(),
                to_allow_it=f"darkscan keys allow {key} NAME",
            )
        # Not 300, "try again": then libzmq would leave the rig without an answer.
        return [_ZAP_VERSION, request, b"400", b"unknown key", b"", b""]

    def _heed(self, event: int, value: int) -> None:
        """Tells of a handshake that failed; of refused keys ``_answer`` has told more."""
        self.refused += 1
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return
        peer, here, key_option = self._names
        if self._guests is None:
            likely = f"a {peer} that wants keys, while this {here} was started with --insecure"
        else:
            likely = f"a {peer} that was started with --insecure"
        match event, value:
            case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, _:
                # Of two ends that do not speak alike, the one that sees it first hangs up.
                problem = f"it hung up before it had greeted: {likely}, or no {peer}"
            case _, _Failure.MECHANISM_MISMATCH:
                problem = f"it greets otherwise than this {here}: {likely}, or no {peer}"
            case _, _Failure.CRYPTOGRAPHIC:
                problem = f"its {key_option} is not this {here}'s key"
            case _:
                problem = f"it does not speak as a {peer} does"
        self._seldom.warning("a connection is refused", problem, reason=problem)
