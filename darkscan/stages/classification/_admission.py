"""Which workers elsewhere may take part, and how many of one computer."""

import time
from importlib.metadata import version

import structlog

from darkscan.pipeline.access.seldom import Seldom
from darkscan.pipeline.core.frame_results import Scorer
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.transport.messages import Join
from darkscan.pipeline.transport.remote_links import Arrival
from darkscan.stages.classification._peers import Guest, Peer, Peers

MOST_WORKERS = 128
"""Workers elsewhere of one run."""
MOST_OF_OWNER = 16
"""Workers of one computer: one for each of its GPUs."""

_LONGEST_LOADING_S = 600.0
_LONGEST_NAME = 80
_LONGEST_WORDS = 300
_MOST_SHUT_OUT = 1000

_log = structlog.get_logger(__name__)


def short(text: str) -> str:
    """A stranger's words as they may be logged, shown and drawn: one printable, short line."""
    return printable(text)[:_LONGEST_WORDS]


class Admission:
    """Takes workers in, refuses them, and shuts those out that answer late or falsely."""

    def __init__(self, peers: Peers, *, secured: bool) -> None:
        """``secured``: whether workers are known by their keys."""
        self._peers = peers
        self._secured = secured
        self._seldom = Seldom(_log)
        self._shut_out: dict[tuple[str, str], str] = {}

    def guest(self, arrival: Arrival, join: Join) -> Guest:
        """Who wants to join: by its key, or without keys by its address and its own words."""
        name = printable(arrival.name if self._secured else join.name)[:_LONGEST_NAME]
        if name == "here":
            name = "a worker called here"
        owner = arrival.key if self._secured else arrival.address
        return Guest(arrival.peer, Scorer(name=name, secured=self._secured), owner)

    def why_not(self, guest: Guest, join: Join) -> str | None:
        """Why a worker cannot take part; None if it can. Makes room if a silent one has it."""
        ours = version("darkscan")
        if join.version != ours:
            return f"it runs darkscan {short(join.version)}, this run {ours}"
        if (reason := self._shut_out.get(self._one(guest.owner, guest.scorer))) is not None:
            return f"it takes no part in this run any more: {reason}"
        own = self._peers.of_owner(guest.owner)
        if len(own) >= MOST_OF_OWNER and not any(map(_is_idle, own)):
            return f"there are {MOST_OF_OWNER} workers of its computer already"
        if len(self._peers) >= MOST_WORKERS and not any(map(_is_idle, self._peers)):
            return f"there are {MOST_WORKERS} workers already"
        return None

    def to_leave_for(self, guest: Guest) -> Peer | None:
        """The worker that has a place and does nothing with it, if one must go for this one."""
        own = self._peers.of_owner(guest.owner)
        if len(own) >= MOST_OF_OWNER:
            return next(filter(_is_idle, own), None)
        if len(self._peers) >= MOST_WORKERS:
            return next(filter(_is_idle, self._peers), None)
        return None

    def shut_out(self, peer: Peer, reason: str) -> None:
        """Has a worker's computer take no part in this run any more."""
        if len(self._shut_out) < _MOST_SHUT_OUT:
            self._shut_out[self._one(peer.owner, peer.scorer)] = reason

    def tell(self, name: str, reason: str) -> None:
        """Logs why somebody is refused; the same reason again after a minute only."""
        self._seldom.warning("worker refused", f"{name} {reason}", name=name, reason=reason)

    def _one(self, owner: str, scorer: Scorer) -> tuple[str, str]:
        """Without keys several workers may share an address: then their names tell them apart."""
        return owner, "" if self._secured else scorer.name


def overdue_to_begin(peer: Peer) -> bool:
    """Whether a worker joined long ago and never said that it is ready."""
    return not peer.capacity and time.monotonic() - peer.joined_at > _LONGEST_LOADING_S


def _is_idle(peer: Peer) -> bool:
    """Whether a worker joined and never said that it is ready: it may be loading, or a stranger."""
    return not peer.capacity
