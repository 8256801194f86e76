"""What the routes share: the store and all that is made from it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import anyio
from fastapi import Request

from darkscan.host.store import Store
from darkscan.host.web._access import Access
from darkscan.host.web._guard import Caller
from darkscan.host.web._hub import EventHub
from darkscan.host.web._metrics import Metrics
from darkscan.host.web._page import Page
from darkscan.host.web._pictures import Pictures

_READERS, _PAINTERS = 8, 2


class Link(Protocol):
    """What hears the rigs, as far as the web page is concerned."""

    @property
    def problem(self) -> str:
        """Why no rig can be heard; empty: they can."""

    @property
    def rigs(self) -> int:
        """How many rigs are connected."""


@dataclass(frozen=True)
class Host:
    """The parts of a running host."""

    folder: Path
    """The store's."""

    store: Store
    link: Link
    access: Access
    hub: EventHub
    page: Page
    pictures: Pictures
    metrics: Metrics
    readers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_READERS))
    """Bounds the threads that read from the store."""

    painters: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_PAINTERS)
    )
    """Bounds the threads that make pictures, so that these do not keep others waiting."""


def host_of(request: Request) -> Host:
    """The host that a request is for."""
    return cast("Host", request.app.state.host)


def caller_of(request: Request) -> Caller:
    """Who asks."""
    return cast("Caller", request.state.caller)
