"""A browser without a window, and hosts whose page it opens."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from darkscan.host.store import RigName, Store
from darkscan.host.web import WebSettings
from darkscan.pipeline.host_link.messages import Content, News, Progress
from tests.host_examples import ExampleScan, parcel
from tests.host_web.conftest import Served, host_in

RIG = RigName("bench")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 30_000
"""How long to wait for what a page is to show, on a machine that is busy."""


OpenPage = Callable[..., Page]
"""Opens an address of a host: ``open_page(host, "/")``. ``expects``: parts of the messages of
the browser's console that may come; others fail the test. ``clock``: the page's time is ours.
Tests ask for it after the host, so that pages are closed before the host is."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium, or another that is installed."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        # No sandbox: in a container it has none of the rights that it needs.
        expect.set_options(timeout=WAIT_MS)
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages; at the end no console may have said anything that was not expected."""
    complaints: list[str] = []
    expected: list[str] = []
    contexts = []

    def hear(kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(part in text for part in expected):
            complaints.append(f"{kind}: {text}")

    def opened(
        host: Served, path: str, *, expects: tuple[str, ...] = (), clock: bool = False
    ) -> Page:
        expected.extend(expects)
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: hear(message.type, message.text))
        page.on("pageerror", lambda error: hear("error", str(error)))
        if clock:
            page.clock.install()
        page.goto(host.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    """A host of its own that keeps nothing yet."""
    with host_in(tmp_path / "store", WebSettings(("127.0.0.1", 0)), examples=False) as served:
        yield served


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host that keeps the example scans; for tests that change nothing."""
    folder = tmp_path_factory.mktemp("keeping") / "store"
    with host_in(folder, WebSettings(("127.0.0.1", 0))) as served:
        yield served


def send(store: Store, scan: ExampleScan, *contents: Content, rig: RigName = RIG) -> None:
    """What a rig sends of a scan reaches the store."""
    receipts = store.receive(rig, [parcel(scan.scan, content) for content in contents])
    assert {receipt.outcome for receipt in receipts} <= {"stored"}


def tell(store: Store, scan: ExampleScan, progress: Progress, rig: RigName = RIG) -> None:
    """A rig's latest progress reaches the store."""
    store.hear(rig, News(scan=scan.scan, progress=progress))
