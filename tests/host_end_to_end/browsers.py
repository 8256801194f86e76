"""A real browser before the page: what it shows, and what it complains of."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
AXE = REPOSITORY / "darkscan" / "host" / "page" / "node_modules" / "axe-core" / "axe.min.js"

NEEDS_BROWSER = pytest.mark.skipif(
    PROGRAM is None, reason="no chromium here (as root: apt-get install chromium)"
)


@contextmanager
def browsing() -> Iterator["Browser"]:
    """A browser without a window."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking(browser: "Browser", *, forgives: tuple[str, ...] = ()) -> Iterator["Page"]:
    """A page in full HD; errors in its console fail the test, but those that it ``forgives``."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="en-GB")
    page = context.new_page()
    complaints: list[str] = []

    def hear(message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.text} ({message.location.get('url')})")

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(60_000)
    try:
        yield page
    finally:
        context.close()
    grave = [each for each in complaints if not any(some in each for some in forgives)]
    assert grave == []


def faults_of_access(page: "Page") -> list[str]:
    """What axe finds serious or critical, a line each."""
    if not AXE.exists():
        pytest.skip("no axe-core here (npm ci in darkscan/host/page)")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in result["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
