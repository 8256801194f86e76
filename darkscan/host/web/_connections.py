"""Connections that cannot be held open for nothing.

Uvicorn bounds how long a connection may be idle between requests, but not how long a request may
take to come, nor how long a client may take to read its answer, nor how many connections there
may be. Here both have seconds, and where there are too many connections those whose request is
not there yet are closed, oldest first.
"""

import asyncio
import resource
from collections import OrderedDict

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 15.0
"""The time for a connection's first request to come, and for each later one from its first byte on:
head and body."""

STALLED_SECONDS = 30.0
"""The time for a client to take in what waits for it."""

MOST_CONNECTIONS = 1000
"""With more than that, those that wait for a request are closed, oldest first."""

_FILES_BESIDE = 256
"""Open files that the store, recordings and the link need."""


def most_connections() -> int:
    """How many connections there may be; lets this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _FILES_BESIDE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(MOST_CONNECTIONS, soft - _FILES_BESIDE))


def protocol_for(most: int) -> "type[BoundedProtocol]":
    """The class of the connections of one server, which may have so many of them."""
    return type("Connection", (BoundedProtocol,), {"most": most, "idle": OrderedDict()})


class BoundedProtocol(H11Protocol):
    """An HTTP/1.1 connection of uvicorn's with a deadline for each request."""

    most: int
    idle: "OrderedDict[BoundedProtocol, None]"
    """The server's connections that wait for a request, the one that has waited longest first."""

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > self.most and self.idle:
            next(iter(self.idle)).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._request_is_here()
        super().connection_lost(exc)
        self._unset_stalled()

    def data_received(self, data: bytes) -> None:
        """Ends the wait with the last byte of a request."""
        super().data_received(data)
        if self._answering():
            self._request_is_here()
        elif self._deadline is None:
            self._await_request()

    def on_response_complete(self) -> None:
        """The next request may come, within uvicorn's time for idle connections."""
        super().on_response_complete()
        if not self._answering() and not self.transport.is_closing():
            self.idle[self] = None

    def pause_writing(self) -> None:
        """The client does not take in what it asked for; it has some time to."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self.drop)

    def resume_writing(self) -> None:
        """The client takes in more."""
        super().resume_writing()
        self._unset_stalled()

    def timeout_keep_alive_handler(self) -> None:
        """Uvicorn would wait for what the client has not yet taken in."""
        self.drop()

    def drop(self) -> None:
        """Closes the connection at once."""
        self._request_is_here()
        self.transport.abort()

    def _unset_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _answering(self) -> bool:
        """Whether a whole request is here, and its answer not yet on its way as a whole."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    def _await_request(self) -> None:
        self.idle[self] = None
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self.drop)

    def _request_is_here(self) -> None:
        self.idle.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
