"""Hosts with example scans, served on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from darkscan.host.store import Store
from darkscan.host.web import WebServer, WebSettings
from tests.host_web.example_server import fill, serving

TOKEN = "the-token-of-these-tests-0123456789"  # noqa: S105 - it opens nothing


class Served(NamedTuple):
    """A host that answers."""

    store: Store
    server: WebServer
    folder: Path

    @property
    def port(self) -> int:
        return self.server.address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


@contextmanager
def host_in(
    folder: Path, settings: WebSettings, *, examples: bool = True, finest: int | None = None
) -> Iterator[Served]:
    """A host of its own, with the example scans in its store (see ``fill``) or with nothing."""
    with Store.open(folder) as store:
        if examples:
            fill(store, finest=finest)
        with serving(store, folder, settings) as server:
            yield Served(store, server, folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host that only this computer can ask, without a token."""
    folder = tmp_path_factory.mktemp("served") / "store"
    assets = tmp_path_factory.mktemp("page")
    (assets / "index.html").write_text("<!doctype html><title>darkscan</title>")
    (assets / "page-0a1b2c.js").write_text("'use strict';\n" * 500)
    (assets / "notes.exe").write_text("no part of a page")
    with host_in(folder, WebSettings(("127.0.0.1", 0), assets=assets), finest=5) as host:
        yield host


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host whose token everybody needs."""
    settings = WebSettings(
        ("127.0.0.1", 0), token=TOKEN, token_everywhere=True, names=["scans.example"]
    )
    with host_in(tmp_path_factory.mktemp("guarded") / "store", settings, finest=5) as host:
        yield host


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """A client on this computer."""
    with served.client() as client:
        yield client
