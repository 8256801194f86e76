"""The workers on other computers, as the gateway knows them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from darkscan.pipeline.transport.links import DeskClient
from darkscan.pipeline.transport.messages import FrameRef, Join, Prepared
from darkscan.pipeline.transport.station import Station

_ASK_AGAIN_S = 0.5


class InHand(NamedTuple):
    """A frame that a worker has, and when it was sent (monotonic, ns)."""

    prepared: Prepared
    sent_ns: int


@dataclass
class Peer:
    """A worker on another computer, and its place at the desk."""

    identity: bytes
    name: str
    process: str
    number: int
    desk: DeskClient
    joined_at: float
    last_heard: float
    capacity: int = 0
    """The frames it can hold at a time; none before its backend is open."""

    in_hands: dict[FrameRef, InHand] = field(default_factory=dict)
    """The frames it holds, the oldest first: it is at work on that one."""

    implausible: int = 0
    """Answers in a row that cannot be those to their frames."""

    asked: int = 0
    """Frames that the desk was asked for and has not given yet, as far as the gateway knows."""

    asked_at: float = 0.0

    def next(self) -> Prepared | None:
        """The next frame that the desk gave for this worker; None if there is none."""
        prepared = _next(self.desk)
        self.asked = max(0, self.asked - (prepared is not None))
        return prepared

    def ask_if_room(self) -> None:
        """Asks the desk for as many frames as there is room for, and again after a while."""
        room, now = self.capacity - len(self.in_hands), time.monotonic()
        # Asked again, as preprocessing may have been restarted since and have forgotten.
        if room > self.asked or (room > 0 and now - self.asked_at >= _ASK_AGAIN_S):
            self.asked, self.asked_at = room, now
            self.desk.ask(room)


class Peers:
    """All workers that are connected.

    Number and place at the desk of a worker that has left are passed on to the next one.
    """

    def __init__(self, run_dir: Path, first_number: int, station: Station) -> None:
        """``first_number``: the first one that no worker on this computer has."""
        self._run_dir = run_dir
        self._first_number = first_number
        self._station = station
        self._connected: dict[bytes, Peer] = {}
        self._left: list[tuple[int, DeskClient]] = []

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._connected.values())

    def __len__(self) -> int:
        return len(self._connected)

    def __contains__(self, identity: object) -> bool:
        return identity in self._connected

    def get(self, identity: bytes) -> Peer | None:
        """The worker behind a connection; None if it has not joined."""
        return self._connected.get(identity)

    @property
    def in_hand(self) -> int:
        """The number of frames that all of them hold."""
        return sum(len(peer.in_hands) for peer in self)

    def add(self, identity: bytes, join: Join) -> Peer:
        """Adds a worker that has joined."""
        number, desk = self._left.pop() if self._left else self._new_place()
        now = time.monotonic()
        peer = Peer(identity, join.name, join.process, number, desk, joined_at=now, last_heard=now)
        self._connected[identity] = peer
        return peer

    def remove(self, peer: Peer) -> None:
        """Forgets a worker; its place at the desk stays, as frames may be on their way there."""
        del self._connected[peer.identity]
        peer.desk.ask(0)
        self._left.append((peer.number, peer.desk))

    def stranded(self) -> Iterator[Prepared]:
        """The frames that the desk gave for workers that have gone."""
        for _, desk in self._left:
            while (prepared := _next(desk)) is not None:
                yield prepared

    def _new_place(self) -> tuple[int, DeskClient]:
        number = self._first_number + len(self._connected)
        desk = DeskClient(self._run_dir, number)
        self._station.listen_to(desk.socket)
        return number, desk


def _next(desk: DeskClient) -> Prepared | None:
    while (message := desk.next()) is not None:
        if isinstance(message, Prepared):
            return message
    return None
