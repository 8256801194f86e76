"""The workers on other computers, as the gateway knows them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import SystemRandom
from typing import NamedTuple

from darkscan.pipeline.core.frame_results import Scorer
from darkscan.pipeline.transport.links import DeskClient
from darkscan.pipeline.transport.messages import FrameRef, Prepared
from darkscan.pipeline.transport.station import Station
from darkscan.stages.classification._pace import Pace

_ASK_AGAIN_S = 0.5
_CHECKED = 0.02  # the part of a worker's answers that is checked
_FIRST_ONES = 16  # among which one more is checked

_chance = SystemRandom()


class InHand(NamedTuple):
    """A frame that a worker has, and when it was sent (monotonic, ns)."""

    prepared: Prepared
    sent_ns: int

    @property
    def seconds(self) -> float:
        """How long the worker has had it."""
        return (time.monotonic_ns() - self.sent_ns) / 1e9


class Guest(NamedTuple):
    """Who wants to join, as far as the connection tells."""

    identity: bytes
    scorer: Scorer
    owner: str


@dataclass
class Peer:
    """A worker on another computer, and its place at the desk."""

    identity: bytes
    scorer: Scorer
    owner: str
    """Its key; without keys its address: what counts its places, and what is shut out."""

    process: str
    number: int
    desk: DeskClient
    pace: Pace
    joined_at: float = field(default_factory=time.monotonic)
    last_heard: float = field(default_factory=time.monotonic)
    capacity: int = 0
    """The frames it can hold at a time; none before its backend is open."""

    has_asked_for_model: bool = False

    in_hands: dict[FrameRef, InHand] = field(default_factory=dict)
    """The frames it holds, the oldest first: it is at work on that one."""

    implausible: int = 0
    """Answers in a row that cannot be those to their frames."""

    missed: int = 0
    """Frames that it did not answer in time."""

    answers: int = 0
    """Its answers that fit."""

    _also_checked: int = field(default_factory=lambda: _chance.randrange(1, _FIRST_ONES))

    asked: int = 0
    """Frames that the desk was asked for and has not given yet, as far as the gateway knows."""

    asked_at: float = 0.0

    def next(self) -> Prepared | None:
        """The next frame that the desk gave for this worker; None if there is none."""
        prepared = _next(self.desk)
        self.asked = max(0, self.asked - (prepared is not None))
        return prepared

    @property
    def name(self) -> str:
        """For people."""
        return self.scorer.name

    def is_checked(self) -> bool:
        """Whether its present answer is to be checked: the first, another one soon, one in 50."""
        first = self.answers in {0, self._also_checked}
        return first or _chance.random() < _CHECKED

    def ask_if_room(self, share: int) -> None:
        """Asks the desk for as many frames as there is room for, and again after a while.

        ``share``: the frames that it may have. One that has not answered yet, or not in time, is
        given one at a time.
        """
        proven = self.pace.known and not self.missed
        most = min(self.capacity, share if proven else min(share, 1))
        room, now = max(0, most - len(self.in_hands)), time.monotonic()
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

    def add(self, guest: Guest, process: str, pace: Pace) -> Peer:
        """Adds a worker that has joined."""
        number, desk = self._left.pop() if self._left else self._new_place()
        peer = Peer(guest.identity, guest.scorer, guest.owner, process, number, desk, pace)
        self._connected[guest.identity] = peer
        return peer

    def of_owner(self, owner: str) -> list[Peer]:
        """The workers of one computer."""
        return [peer for peer in self if peer.owner == owner]

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
