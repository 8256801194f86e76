"""ZeroMQ links between the processes of one run.

Every stage has an inbox (PULL) that it binds; whoever has something for it connects an
outbox (PUSH). Frames to the classification workers go through a desk (ROUTER) that
hands them to whoever says it has room, so a slow worker holds up nobody.
Delivery is not trusted: the ledger sends again what merging has not acknowledged.
"""

from collections.abc import Iterable
from pathlib import Path

import structlog
import zmq

from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.messages import (
    MAX_MESSAGE_BYTES,
    Message,
    Ready,
    decode,
    encode,
)

DESK = "desk"
"""Where preprocessing hands out frames to the workers."""

_DROPPABLE_QUEUE = 20

_log = structlog.get_logger(__name__)


def endpoint(run_dir: Path, name: str) -> str:
    """The address of a stage's inbox or desk within a run."""
    return f"ipc://{run_dir / name}.sock"


def _socket(kind: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    # What a process leaves unsent when it ends is sent again by whoever is responsible.
    socket.setsockopt(zmq.LINGER, 0)
    # Queues are bounded by the ring: no more frames are under way than it has slots.
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    return socket


def _decoded(data: bytes, link: str) -> Message | None:
    try:
        return decode(data)
    except WireError as error:
        _log.warning("message refused", link=link, reason=str(error))
        return None


def _next(socket: zmq.Socket[bytes], link: str) -> Message | None:
    """The next good message that is there now; refuses what comes before it."""
    while True:
        try:
            data = socket.recv(zmq.DONTWAIT)
        except zmq.Again:
            return None
        if (message := _decoded(data, link)) is not None:
            return message


class Inbox:
    """Where a stage receives messages."""

    def __init__(self, run_dir: Path, name: str) -> None:
        self.name = name
        self.socket = _socket(zmq.PULL)
        self.socket.bind(endpoint(run_dir, name))

    def messages(self) -> Iterable[Message]:
        """All messages that are there now, without waiting; refuses what is none."""
        while (message := self.next()) is not None:
            yield message

    def next(self) -> Message | None:
        """The next message that is there now; None if there is none."""
        return _next(self.socket, self.name)

    def close(self) -> None:
        """Unbinds."""
        self.socket.close()


class Outbox:
    """Where a stage sends messages to another's inbox; never waits."""

    def __init__(self, run_dir: Path, name: str, *, droppable: bool = False) -> None:
        self._socket = _socket(zmq.PUSH)
        self._droppable = droppable
        if droppable:  # nobody may listen: do not pile up
            self._socket.setsockopt(zmq.SNDHWM, _DROPPABLE_QUEUE)
        self._socket.connect(endpoint(run_dir, name))

    def send(self, message: Message) -> None:
        """Queues a message; it goes out as soon as the other side is there.

        Only a droppable message is ever dropped, when too many are queued already.
        """
        try:
            self._socket.send(encode(message), zmq.DONTWAIT)
        except zmq.Again:
            if not self._droppable:
                raise

    def close(self, linger_ms: int = 0) -> None:
        """Disconnects, after at most ``linger_ms`` for what is still queued."""
        self._socket.close(linger=linger_ms)


class Desk:
    """Hands frames to the workers that ask for them."""

    def __init__(self, run_dir: Path) -> None:
        self.socket = _socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.bind(endpoint(run_dir, DESK))
        # Frames that each waiting worker has room for, in the order they asked.
        self._room: dict[bytes, int] = {}
        self._numbers: dict[bytes, int] = {}

    def listen(self) -> None:
        """Takes note of all workers that said how many frames they have room for."""
        while True:
            try:
                identity, data = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            ready = _decoded(data, DESK)
            if isinstance(ready, Ready):
                self._numbers[identity] = ready.worker
                self._set_room(identity, ready.frames)

    def hand_out(self, message: Message, *, below: int | None = None) -> bool:
        """Sends a frame to a waiting worker; False if none waits.

        The one with most room has least to do; of equal ones the one that asked first. With
        ``below`` only workers of a lower number are given it.
        """
        while waiting := [one for one in self._room if below is None or self._numbers[one] < below]:
            identity = max(waiting, key=self._room.__getitem__)
            self._set_room(identity, self._room[identity] - 1)
            try:
                self.socket.send_multipart([identity, encode(message)])
            except zmq.ZMQError as error:
                if error.errno != zmq.EHOSTUNREACH:
                    raise
                self._set_room(identity, 0)
                continue  # that worker is gone
            return True
        return False

    @property
    def somebody_waits(self) -> bool:
        """Whether a worker is ready for a frame."""
        return bool(self._room)

    @property
    def room(self) -> int:
        """How many frames the waiting workers have room for."""
        return sum(self._room.values())

    def _set_room(self, identity: bytes, frames: int) -> None:
        if frames:
            self._room[identity] = frames
        else:
            self._room.pop(identity, None)


class DeskClient:
    """A worker's side of the desk."""

    def __init__(self, run_dir: Path, worker: int) -> None:
        self._worker = worker
        self.socket = _socket(zmq.DEALER)
        self.socket.connect(endpoint(run_dir, DESK))

    def ask(self, frames: int = 1) -> None:
        """Says that this worker has room for so many frames; asking twice is as asking once."""
        self.socket.send(encode(Ready(worker=self._worker, frames=frames)))

    def next(self) -> Message | None:
        """The next frame that is there now; None if there is none."""
        return _next(self.socket, DESK)

    def close(self) -> None:
        """Disconnects."""
        self.socket.close()
