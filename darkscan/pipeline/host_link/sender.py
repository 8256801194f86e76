"""Sends what waits in the outbox to the host, whenever there is a host to send it to."""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Self, TypeVar

import zmq

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link._connection import Connection, LinkState
from darkscan.pipeline.host_link.messages import Hello, News, Progress, Receipt
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.host_link.target import HostTarget, target_of

__all__ = ["HostTarget", "LinkState", "Sender", "target_of"]

WINDOW_PARCELS = 16
WINDOW_BYTES = 16 * 2**20
"""What may be under way without a receipt; a larger parcel goes alone."""

_ANSWER_S = 30.0
_SLOWEST_BYTES_S = 2**18

_Result = TypeVar("_Result")


class Sender:
    """The rig's side of the link.

    It has no thread and never waits for the host: it works when ``work`` is called. To connect,
    and to connect again, is its own business.
    """

    def __init__(self, outbox: Outbox, target: HostTarget, name: str) -> None:
        """Begins to connect. ``name``: this rig's; a host with keys goes by its list instead.

        Raises InputError for a key or an address that cannot be used.
        """
        self._outbox = outbox
        self._connection = Connection(target, Hello(rig=name, version=version("darkscan")))
        self._news: dict[str, Progress] = {}
        self._under_way: dict[bytes, int] = {}
        self._sent_by = 0
        self._answer_by = 0.0

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """To poll on: when it can be read there is work. It stays the same."""
        return self._connection.socket

    @property
    def state(self) -> LinkState:
        """How it stands with the host."""
        return self._connection.state

    @property
    def problem(self) -> str:
        """Why nothing is sent, in one line; empty while nothing is known to be wrong."""
        return self._connection.problem

    @property
    def host(self) -> str:
        """The host's name, once it has greeted."""
        return self._connection.host

    def work(self) -> None:
        """Does what can be done without waiting; to be called twice a second, or more often."""
        receipts = [receipt for some in self._connection.receipts() for receipt in some.receipts]
        if self._sent_by != self._connection.number:
            self._under_way.clear()
            self._sent_by = self._connection.number
        if receipts:
            self._settle(receipts)
        if self._under_way and time.monotonic() > self._answer_by:
            self._connection.begin_anew("the host stores nothing")
        if self.state == "connected":
            self._send_news()
            self._send_parcels()

    def wait(self, seconds: float) -> None:
        """Waits until there is work, ``seconds`` at most."""
        self._connection.wait(seconds)

    def tell(self, scan: str, progress: Progress) -> None:
        """Has this sent next, in place of an earlier one of the scan that is not yet sent."""
        self._news[scan] = progress

    def close(self) -> None:
        """Disconnects. What has no receipt yet waits in the outbox."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            self._under_way.pop(receipt.id, None)
        self._wait_for_answers()
        refused = [receipt for receipt in receipts if receipt.outcome == "refused"]
        if refused:
            reason = refused[0].reason
            self._connection.warn("the host refused parcels", reason, parcels=len(refused))
        self._with_outbox(lambda: self._outbox.settle(receipts))

    def _send_news(self) -> None:
        for scan, progress in list(self._news.items()):
            if not self._connection.post(News(scan=scan, progress=progress)):
                return
            del self._news[scan]

    def _send_parcels(self) -> None:
        """Sends what waits, as far as the window has room."""
        parcels = WINDOW_PARCELS - len(self._under_way)
        room = WINDOW_BYTES - sum(self._under_way.values())
        if parcels <= 0 or room <= 0:
            return
        waiting = self._with_outbox(
            lambda: self._outbox.waiting(limit=parcels, limit_bytes=room, without=self._under_way)
        )
        for parcel in waiting or ():
            if not self._connection.post(parcel):
                return
            self._under_way[parcel.id] = len(parcel.content)
            self._wait_for_answers()

    def _wait_for_answers(self) -> None:
        """The host has so long from now, by how much it has to take in."""
        under_way = sum(self._under_way.values())
        self._answer_by = time.monotonic() + _ANSWER_S + under_way / _SLOWEST_BYTES_S

    def _with_outbox(self, work: Callable[[], _Result]) -> _Result | None:
        """Uses the outbox; while its disk fails, parcels stay there and are sent again."""
        try:
            return work()
        except StorageError as error:
            self._connection.warn("the outbox cannot be used", str(error))
            return None
