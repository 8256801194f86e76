"""Who is connected to the link, as far as they have said anything."""

from collections import OrderedDict
from typing import NamedTuple

MOST_PEERS = 1000
"""Beyond that, who was silent for longest is forgotten and has to greet again."""


class Peer(NamedTuple):
    """One connection."""

    rig: str
    listened_to: bool
    """False: it was rejected, and what it says is not read any more."""


class Peers:
    """The connections by their routing ids, a bounded number of them."""

    def __init__(self) -> None:
        self._peers: OrderedDict[bytes, Peer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._peers)

    def get(self, identity: bytes) -> Peer | None:
        """The peer, which has just been heard of; None: it has not greeted."""
        peer = self._peers.get(identity)
        if peer is not None:
            self._peers.move_to_end(identity)
        return peer

    def put(self, identity: bytes, peer: Peer) -> None:
        """Takes note of a peer."""
        self._peers[identity] = peer
        self._peers.move_to_end(identity)
        while len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)
