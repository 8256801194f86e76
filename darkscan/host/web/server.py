"""Serves the page and its programming interface: uvicorn on sockets of our own."""

import asyncio
import gc
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn

from darkscan.host.store import Store
from darkscan.host.web._access import Access, is_loopback
from darkscan.host.web._app import make_app
from darkscan.host.web._connections import most_connections, protocol_for
from darkscan.host.web._host import Host, Link
from darkscan.host.web._hub import EventHub
from darkscan.host.web._metrics import Metrics
from darkscan.host.web._page import ASSETS, Page
from darkscan.host.web._pictures import Pictures
from darkscan.host.web._recordings import Recordings
from darkscan.pipeline.core.errors import InputError

_BACKLOG = 512
_GRACE_SECONDS = 1
_IDLE_SECONDS = 15
_UNTAKEN_MS = 30_000
_TICKS_BETWEEN_IDLE = 300
"""Of uvicorn's, which come ten times a second."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WebSettings:
    """How the page is served."""

    address: tuple[str, int] = ("127.0.0.1", 8080)
    """Host and port; port 0: any that is free."""

    token: str | None = None
    """Needed by all that are not on this computer; None: nobody else is answered."""

    token_everywhere: bool = False
    """Those on this computer need it, too."""

    names: Sequence[str] = ()
    """More names by which this host may be asked."""

    recordings: Sequence[Path] = ()
    """Folders beneath which recordings may be read."""

    assets: Path = ASSETS
    """Where the page's files are."""


class WebServer:
    """The page and its interface on a socket, over an open store."""

    def __init__(
        self, folder: Path, store: Store, link: Link, settings: WebSettings, metrics: Metrics
    ) -> None:
        """Binds the socket. ``folder``: the store's.

        Raises InputError if the address is in use or not this computer's, or if a folder of
        recordings is none.
        """
        self._hub = EventHub()
        pictures = Pictures(store, Recordings(settings.recordings))
        self._host = Host(
            folder=folder,
            store=store,
            link=link,
            access=Access(
                settings.token, everywhere=settings.token_everywhere, names=settings.names
            ),
            hub=self._hub,
            page=Page(settings.assets),
            pictures=pictures,
            metrics=metrics,
        )
        self._socket = _bound(*settings.address)
        self._server = _Server(_config(self._host), self._hub)
        self._server.on_idle = pictures.close_idle

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def run(self, on_start: Callable[[], None] = lambda: None) -> None:
        """Answers until ``stop`` is called, or SIGINT or SIGTERM comes to the main thread.

        ``on_start`` is called when requests are answered.
        """
        self._server.on_start = on_start
        end = self._host.store.subscribe(self._hub.publish)
        try:
            # Uvicorn raises a signal again that ended it; to us that is a clean end.
            with suppress(KeyboardInterrupt):
                asyncio.run(self._server.serve([self._socket]))
        finally:
            end()
            self._hub.close()
            self._host.pictures.close()
            self._socket.close()

    def stop(self) -> None:
        """Has ``run`` return soon; for any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Ends event streams when it stops, rather than wait for their clients to leave."""

    def __init__(self, config: uvicorn.Config, hub: EventHub) -> None:
        super().__init__(config)
        self._hub = hub
        self.on_start: Callable[[], None] = lambda: None
        self.on_idle: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.serve(asyncio.get_running_loop())
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what is here by now stays: looking through it again would only take time
        self.on_start()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_BETWEEN_IDLE == _TICKS_BETWEEN_IDLE - 1:
            await asyncio.to_thread(self.on_idle)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)


class _Forward(logging.Handler):
    """Uvicorn's errors, into our log. When the host ends, answers that are cut off are none."""

    def __init__(self, hub: EventHub) -> None:
        super().__init__(logging.ERROR)
        self._hub = hub

    def emit(self, record: logging.LogRecord) -> None:
        if self._hub.closed:
            _log.info("an answer was cut off", problem=record.getMessage())
        else:
            _log.error("web server", problem=record.getMessage(), exc_info=record.exc_info)


def _config(host: Host) -> uvicorn.Config:
    logger = logging.getLogger("uvicorn.error")
    logger.propagate = False
    logger.handlers = [_Forward(host.hub)]
    return uvicorn.Config(
        make_app(host),
        loop="asyncio",
        http=protocol_for(most_connections()),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises InputError."""
    where = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(
            f"{where} cannot be listened on: {error.strerror}", field="--web"
        ) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_MS)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"{where} cannot be listened on: {error.strerror}", field="--web"
        ) from error
    return listening


def only_here(host: str) -> bool:
    """Whether an address to listen on can be reached from this computer alone."""
    return host == "localhost" or is_loopback(host)
