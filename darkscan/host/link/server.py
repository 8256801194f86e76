"""The thread that takes parcels from rigs, has them kept, and only then answers."""

import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple, Self

import structlog
import zmq

from darkscan.host.link._peers import Peer, Peers
from darkscan.host.link._port import Arrival, HostPort
from darkscan.pipeline.access.keys import LONGEST_NAME, KeyRing, warn_of_insecure_link
from darkscan.pipeline.access.seldom import Seldom
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link.messages import (
    Hello,
    News,
    Parcel,
    Receipt,
    Receipts,
    Rejected,
    Welcome,
)

Receive = Callable[[str, Sequence[Parcel]], Sequence[Receipt]]
"""Keeps a rig's parcels and gives a receipt for each, once they would survive a power cut."""

Hear = Callable[[str, News], None]

MOST_AT_ONCE = 64
MOST_BYTES_AT_ONCE = 32 * 2**20
"""What one commit takes at most; a larger parcel goes alone."""

_LOOK_MS = 200
_PAUSE_S = 0.5
_LONGEST_REASON = 300

_MACHINES_FAULTS = (DarkscanError, OSError, MemoryError, sqlite3.Error)
"""What may be over in a minute, and says nothing against a parcel."""

_log = structlog.get_logger(__name__)


class LinkFigures(NamedTuple):
    """What the link has done since it was started."""

    parcels: int
    """Stored, known or refused."""
    content_bytes: int
    """Of the parcels."""
    refused: int
    """Parcels."""
    news: int
    rejected: int
    """Connections that were told ``Rejected``."""
    kept_out: int
    """Connections that did not come past the handshake."""
    peers: int
    """Connections that have greeted and were heard in the last 15 s."""
    problem: str
    """Why nothing can be stored at the moment; empty: it can."""


class LinkServer:
    """Listens for rigs in a thread of its own, from ``start`` to ``stop``."""

    def __init__(
        self,
        address: str,
        *,
        receive: Receive,
        hear: Hear,
        ring: KeyRing | None,
        name: str = "",
    ) -> None:
        """Binds; port 0 is any free one.

        receive, hear: called from the link's thread. ring: this host's key and the rigs that it
        allows; None: --insecure. name: this host's, for people. Raises InputError for a key or
        an address that cannot be used.
        """
        self._receive = receive
        self._hear = hear
        name = printable(name or platform.node() or "host")[:LONGEST_NAME]
        self._welcome = Welcome(host=name, version=version("darkscan"))
        self._port = HostPort(address, ring)
        self._peers = Peers()
        self._seldom = Seldom(_log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._counts = dict.fromkeys(("parcels", "content_bytes", "refused", "news", "rejected"), 0)
        self._heard_peers = 0
        self._problem = ""
        if ring is None:
            warn_of_insecure_link(self._port.address)

    @property
    def address(self) -> str:
        """Where rigs connect to, tcp://HOST:PORT."""
        return self._port.address

    @property
    def secure(self) -> bool:
        """Whether only known keys come in."""
        return self._port.secure

    @property
    def listening(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def figures(self) -> LinkFigures:
        """What the link has done so far."""
        return LinkFigures(
            **self._counts,
            kept_out=self._port.door.refused,
            peers=self._heard_peers,
            problem=self._problem,
        )

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, after what is being stored has been answered; unbinds. Twice is as once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._port.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._port.socket.poll(_LOOK_MS, zmq.POLLIN):
                    self._take_all()
                self._heard_peers = self._peers.count()
            except Exception:  # noqa: BLE001 - whatever it is, the other rigs must not suffer
                self._seldom.error("the link met an error of its own", "link", exc_info=True)
                time.sleep(_PAUSE_S)

    def _take_all(self) -> None:
        """Takes what has arrived, a bounded amount, and has it stored in one go for each rig."""
        parcels: dict[bytes, list[Parcel]] = {}
        count = size = 0
        while count < MOST_AT_ONCE and size < MOST_BYTES_AT_ONCE:
            arrival = self._port.next()
            if arrival is None:
                break
            count += 1
            size += sum(len(part) for part in arrival.parts)
            parcel = self._heed(arrival)
            if parcel is not None:
                parcels.setdefault(arrival.identity, []).append(parcel)
        for identity, some in parcels.items():
            self._store(identity, some)

    def _heed(self, arrival: Arrival) -> Parcel | None:
        """Does what an arrival asks for; a parcel is returned to be stored with others."""
        peer = self._peers.get(arrival.identity)
        if peer is not None and not peer.listened_to:
            return None
        if self._port.secure and arrival.rig is None:
            self._reject(arrival, "its key is allowed no more")
            return None
        try:
            message = arrival.message()
        except WireError as error:
            self._reject(arrival, str(error))
            return None
        match message:
            case Hello():
                self._greet(arrival, message)
            case Parcel() | News() if peer is None:
                self._reject(arrival, "it has not greeted")
            case Parcel():
                return message
            case News():
                assert peer is not None, "others were rejected"
                self._hear_news(peer.rig, message)
            case _:
                self._reject(arrival, f"a rig does not send {type(message).__name__}")
        return None

    def _greet(self, arrival: Arrival, hello: Hello) -> None:
        rig = arrival.rig or hello.rig
        self._peers.put(arrival.identity, Peer(rig, listened_to=True))
        self._port.answer(arrival.identity, self._welcome)
        self._seldom.info(
            "a rig is connected",
            f"{rig} is connected",
            rig=rig,
            computer=hello.rig,
            version=hello.version,
            address=arrival.address,
        )

    def _hear_news(self, rig: str, news: News) -> None:
        self._counts["news"] += 1
        try:
            self._hear(rig, news)
        except _MACHINES_FAULTS as error:
            self._seldom.warning(
                "news of a rig could not be taken in", str(error), reason=str(error)
            )

    def _store(self, identity: bytes, parcels: list[Parcel]) -> None:
        """Has parcels of one connection stored, and answers."""
        peer = self._peers.get(identity)
        if peer is None or not peer.listened_to:
            return  # rejected meanwhile
        try:
            receipts = self._receipts(peer.rig, parcels)
        except _MACHINES_FAULTS as error:
            self._problem = f"cannot store: {printable(str(error) or type(error).__name__)}"
            self._seldom.error("nothing can be stored", self._problem, reason=self._problem)
            self._dismiss(identity, peer.rig, self._problem)
            return
        self._problem = ""
        self._counts["parcels"] += len(parcels)
        self._counts["content_bytes"] += sum(len(parcel.content) for parcel in parcels)
        refused = [receipt for receipt in receipts if receipt.outcome == "refused"]
        self._counts["refused"] += len(refused)
        for receipt in refused:
            self._seldom.warning(
                "a parcel is refused",
                peer.rig + receipt.reason,
                rig=peer.rig,
                reason=receipt.reason,
            )
        self._port.answer(identity, Receipts(receipts=tuple(receipts)))

    def _receipts(self, rig: str, parcels: list[Parcel]) -> list[Receipt]:
        """The receipts of parcels; one at which darkscan itself fails holds up no other."""
        try:
            return list(self._receive(rig, parcels))
        except _MACHINES_FAULTS:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            self._seldom.error(
                "a parcel met an error of darkscan's", type(error).__name__, exc_info=True
            )
            if len(parcels) > 1:
                return [receipt for one in parcels for receipt in self._receipts(rig, [one])]
            reason = printable(f"an error of the host's darkscan: {error!r}")[:_LONGEST_REASON]
            return [Receipt(id=parcels[0].id, outcome="refused", reason=reason)]

    def _reject(self, arrival: Arrival, problem: str) -> None:
        """Tells a connection, once, that it is not listened to."""
        peer = self._peers.get(arrival.identity)
        rig = arrival.rig or (peer.rig if peer else "")
        address = arrival.address
        about = rig + address + problem
        self._seldom.warning(
            "a rig is not listened to", about, rig=rig, address=address, reason=problem
        )
        self._dismiss(arrival.identity, rig, problem)

    def _dismiss(self, identity: bytes, rig: str, problem: str) -> None:
        self._counts["rejected"] += 1
        self._peers.put(identity, Peer(rig, listened_to=False))
        reason = printable(problem)[:_LONGEST_REASON]
        self._port.answer(identity, Rejected(reason=reason))
