"""The host's program: the store, the link to the rigs and the web page, in one process.

The link has a thread, the page the main thread, and a third one removes from time to time what
the rules of retention let go.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from darkscan.host.link import LinkServer
from darkscan.host.store import RetentionRules, RigName, Store
from darkscan.host.web import Metrics, WebServer, WebSettings, only_here, read_token
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.host_link.messages import News, Parcel, Receipt

TOKEN_FILE = "token"  # noqa: S105 - a name
"""The file in the store's folder that holds the token, unless another one is named."""

_FIRST_TIDY_S, _TIDY_EVERY_S = 60.0, 3600.0

_KEEP_ALL = RetentionRules()

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class HostSettings:
    """What a host is told."""

    store: Path
    listen: str
    """Where rigs connect to, tcp://HOST:PORT."""

    web: tuple[str, int]
    """Where the page is, host and port."""

    insecure: bool = False
    """Every rig is let in, unencrypted."""

    keys: Path | None = None
    """The folder of keys; None: the user's own."""

    token_file: Path | None = None
    """Then everybody needs its token; None: others than this computer need the store's."""

    names: Sequence[str] = ()
    recordings: Sequence[Path] = ()
    rules: RetentionRules = _KEEP_ALL


class Started(NamedTuple):
    """What people need to know of a host that has started."""

    listen: str
    key: str
    """This host's, for its rigs; empty: there are no keys."""

    rigs: int
    """How many are allowed."""

    web: tuple[str, int]
    token_file: Path | None
    """Where the token is; None: nobody needs one."""

    new_token: str
    """A token that was made just now; empty: it was not."""


def run_host(settings: HostSettings, on_start: Callable[[Started], None]) -> None:
    """Receives, keeps and shows until SIGINT or SIGTERM; ``on_start`` is called when all is ready.

    Raises InputError or StorageError for what is wrong with the settings, before anything is
    received.
    """
    ring = None if settings.insecure else KeyRing(settings.keys)
    key = "" if ring is None else ring.own().public
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(settings.store))
        token_file = _token_file(settings)
        is_new = token_file is not None and not token_file.exists()
        token = None if token_file is None else read_token(token_file)
        metrics = Metrics()
        receive = partial(_receive, store, metrics)
        link = LinkServer(settings.listen, receive=receive, hear=partial(_hear, store), ring=ring)
        stack.callback(link.stop)
        web = WebServer(settings.store, store, _Link(link), _web_of(settings, token), metrics)
        tidying = _Tidying(store, settings.rules)

        def start() -> None:
            link.start()
            stack.callback(tidying.stop)
            tidying.start()
            _log.info("the host has started", listen=link.address, web=web.address)
            on_start(
                Started(
                    listen=link.address,
                    key=key,
                    rigs=0 if ring is None else len(ring.allowed()),
                    web=web.address,
                    token_file=token_file,
                    new_token=token if is_new and token is not None else "",
                )
            )

        web.run(start)
    _log.info("the host has ended")


def _receive(
    store: Store, metrics: Metrics, rig: str, parcels: Sequence[Parcel]
) -> Sequence[Receipt]:
    began = time.perf_counter()
    receipts = store.receive(RigName(rig), parcels)
    metrics.received(parcels, receipts, time.perf_counter() - began)
    return receipts


def _hear(store: Store, rig: str, news: News) -> None:
    store.hear(RigName(rig), news)


class _Link:
    """What the page says of the link."""

    def __init__(self, server: LinkServer) -> None:
        self._server = server

    @property
    def problem(self) -> str:
        """Why no rig can be heard; empty: they can."""
        if not self._server.listening:
            return "the link to the rigs has stopped: start the host again"
        return self._server.figures.problem

    @property
    def rigs(self) -> int:
        """How many rigs are connected."""
        return self._server.figures.peers


class _Tidying(threading.Thread):
    """Removes what the rules let go, now and then."""

    def __init__(self, store: Store, rules: RetentionRules) -> None:
        super().__init__(name="tidying", daemon=True)
        self._store = store
        self._rules = rules
        self._stopping = threading.Event()

    def run(self) -> None:
        """Tidies until it is stopped."""
        wait_s = _FIRST_TIDY_S
        while not self._stopping.wait(wait_s):
            wait_s = _TIDY_EVERY_S
            try:
                removed = self._store.tidy(self._rules)
            except DarkscanError as error:
                _log.warning("nothing could be removed", reason=str(error))
                continue
            for each in removed:
                _log.info("removed by a rule", **each._asdict())

    def stop(self) -> None:
        """Ends, after what is being removed."""
        self._stopping.set()
        self.join()


def _web_of(settings: HostSettings, token: str | None) -> WebSettings:
    return WebSettings(
        address=settings.web,
        token=token,
        token_everywhere=settings.token_file is not None,
        names=settings.names,
        recordings=settings.recordings,
    )


def _token_file(settings: HostSettings) -> Path | None:
    if settings.token_file is not None or only_here(settings.web[0]):
        return settings.token_file
    return settings.store / TOKEN_FILE
