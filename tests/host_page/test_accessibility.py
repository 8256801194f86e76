"""Each view is looked at by axe, which knows what keeps people from using a page."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.host_examples import ExampleScan
from tests.host_page.conftest import OpenPage, send, tell
from tests.host_page.test_assets import PAGE
from tests.host_web.conftest import Served
from tests.host_web.example_server import DIED, FAILED, FINISHED

AXE = PAGE / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = pytest.mark.slow


def findings(page: Page) -> list[str]:
    """What axe holds to be serious or worse: rule, and where."""
    if not AXE.is_file():
        pytest.skip("needs the page's packages: `make web` installs them")
    page.evaluate(Path(AXE).read_text())
    result = page.evaluate(
        "rules => axe.run(document, { runOnly: { type: 'tag', values: rules } })", RULES
    )
    return [
        f"{found['id']}: {found['help']}: {[node['html'][:200] for node in found['nodes']]}"
        for found in result["violations"]
        if found["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("/", "table.scans", id="the list"),
        pytest.param(f"/scan/{FINISHED.scan}/live", ".mosaic", id="a finished scan, live"),
        pytest.param(f"/scan/{DIED.scan}/live", ".banner.bad", id="a scan that died"),
        pytest.param(f"/scan/{FAILED.scan}/live", ".banner.bad", id="a scan that failed"),
        pytest.param(f"/scan/{FINISHED.scan}/performance", ".histogram", id="performance"),
    ],
)
def test_axe_has_no_serious_findings(
    keeping: Served, open_page: OpenPage, path: str, shown: str
) -> None:
    page = open_page(keeping, path)
    expect(page.locator(shown).first).to_be_visible()
    assert findings(page) == []


def test_axe_has_no_serious_findings_while_a_scan_runs(host: Served, open_page: OpenPage) -> None:
    scan = ExampleScan(seed=80, grid=(5, 4), quarantined=3)
    send(host.store, scan, scan.began(), *scan.settled(batch=1), *scan.tiles(finest=6))
    tell(host.store, scan, scan.progress(20))
    page = open_page(host, f"/scan/{scan.scan}/live")
    expect(page.get_by_role("region", name="Stages").get_by_role("rowheader")).to_have_count(4)
    assert findings(page) == []
    page.goto(host.url)
    expect(page.get_by_role("article")).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert findings(page) == []


def test_axe_has_no_serious_findings_in_the_empty_list(host: Served, open_page: OpenPage) -> None:
    page = open_page(host, "/")
    expect(page.get_by_text("No scan has come yet")).to_be_visible()
    assert findings(page) == []
