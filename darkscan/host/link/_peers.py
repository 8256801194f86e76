"""Who is connected to the link, as far as they have said anything."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field

MOST_PEERS = 1000
"""Beyond that, who was silent for longest is forgotten and has to greet again."""


HEARD_S = 15.0
"""Who was silent for longer may be gone: libzmq does not say when a connection ends."""


@dataclass
class Peer:
    """One connection."""

    rig: str
    listened_to: bool
    """False: it was rejected, and what it says is not read any more."""
    heard_at: float = field(default_factory=time.monotonic)


class Peers:
    """The connections by their routing ids, a bounded number of them."""

    def __init__(self) -> None:
        self._peers: OrderedDict[bytes, Peer] = OrderedDict()

    def count(self) -> int:
        """How many are listened to and were heard of late."""
        since = time.monotonic() - HEARD_S
        return sum(peer.listened_to and peer.heard_at > since for peer in self._peers.values())

    def get(self, identity: bytes) -> Peer | None:
        """The peer, which has just been heard of; None: it has not greeted."""
        peer = self._peers.get(identity)
        if peer is not None:
            peer.heard_at = time.monotonic()
            self._peers.move_to_end(identity)
        return peer

    def put(self, identity: bytes, peer: Peer) -> None:
        """Takes note of a peer."""
        self._peers[identity] = peer
        self._peers.move_to_end(identity)
        while len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)
