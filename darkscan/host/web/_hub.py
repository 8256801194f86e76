"""The store's events on their way to the pages: numbered, kept for a while, bounded.

The store tells of events in the thread that receives from the rigs. ``publish`` only appends
to a ring, so that thread never waits for a page. Each page has a position in the ring and
reads on from there; one that is so slow that the ring has passed it is told to begin anew.
No page has a queue of its own, so none can make the host's memory grow.
"""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from darkscan.host.store import StoreEvent

KEPT = 10_000
"""Events that are remembered."""

_WAKE_S = 0.05
"""Events that come within this time are sent together."""

_AT_ONCE = 500
"""The most events that are handed out at a time."""


class Batch(NamedTuple):
    """Events that follow a position, as bytes of the stream, and the position after them."""

    data: bytes
    last: int


class EventHub:
    """Events from any thread to any number of streams on one event loop."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lock = threading.Lock()
        # Numbers go on rising when the host starts anew, so that no page takes a new event for
        # one that it has seen. They stay below 2**53, the largest whole number of a page.
        self._last = time.time_ns() // 1_000_000 * 1000
        self._events: deque[tuple[int, bytes]] = deque(maxlen=kept)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._wake_is_due = False
        self._closed = False

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._last

    @property
    def closed(self) -> bool:
        """Whether the host stops."""
        return self._closed

    def publish(self, event: StoreEvent) -> None:
        """Adds an event; for any thread, and never waits for a page."""
        data = json.dumps({"scan": event.scan, **event.data}, separators=(",", ":"))
        with self._lock:
            self._last += 1
            text = f"id: {self._last}\nevent: {event.kind}\ndata: {data}\n\n"
            self._events.append((self._last, text.encode()))
            if self._wake_is_due or self._loop is None:
                return
            self._wake_is_due = True
            self._call(self._wake_soon)

    def serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Streams will run on this loop."""
        self._loop = loop

    def close(self) -> None:
        """Ends all streams; for any thread."""
        self._closed = True
        with self._lock:
            if self._loop is not None:
                self._call(self._wake)

    def after(self, position: int) -> Batch | None:
        """What came after the event ``position``; None if some of it is no longer kept.

        Raises nothing: a position that never was is as one that is no longer kept.
        """
        with self._lock:
            oldest = self._events[0][0] if self._events else self._last + 1
            if not oldest - 1 <= position <= self._last:
                return None
            first = position - oldest + 1
            chosen = list(islice(self._events, first, first + _AT_ONCE))
        if not chosen:
            return Batch(b"", position)
        return Batch(b"".join(data for _, data in chosen), chosen[-1][0])

    async def wait(self, position: int, seconds: float) -> None:
        """Waits until there are events after ``position``, or the time is up, or the host stops."""
        woken = asyncio.Event()
        self._waiting.add(woken)
        try:
            if position != self._last or self._closed:
                return
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return
        finally:
            self._waiting.discard(woken)

    def _call(self, callback: Callable[[], object]) -> None:
        """Has the loop call something; a loop that is closed already has no streams left."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(callback)

    def _wake_soon(self) -> None:
        assert self._loop is not None
        self._loop.call_later(_WAKE_S, self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._wake_is_due = False
        for woken in self._waiting:
            woken.set()
