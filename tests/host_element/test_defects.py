"""The list of defects, its filters, and what is said of the selected one."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.host_element.conftest import SMALL, open_scan
from tests.host_examples import ExampleScan
from tests.host_page.conftest import OpenPage, send
from tests.host_page.test_accessibility import findings
from tests.host_web.conftest import Served


@pytest.fixture
def page(host: Served, open_page: OpenPage) -> Page:
    """The small element's view."""
    send(host.store, SMALL, *SMALL.contents(tiles=True))
    page = open_page(host, f"/scan/{SMALL.scan}")
    open_scan(page)
    return page


def listed(page: Page) -> int:
    first = page.locator(".rows .row").first
    return int(first.get_attribute("aria-setsize") or 0) if first.count() else 0


def test_filters_show_as_many_as_there_are(page: Page) -> None:
    defects = SMALL.defect_map.defects
    lengths = np.array([defect.length_mm for defect in defects])
    scratches = np.array([defect.kind == "scratch" for defect in defects])
    heading = page.locator(".defect-filters h2")

    page.get_by_label("Length from, mm").fill("2.5")
    expect(heading).to_contain_text(f"{(lengths >= 2.5).sum()} of 40")
    assert listed(page) == (lengths >= 2.5).sum()
    page.get_by_role("group", name="Kinds").get_by_role("button", name="scratch").click()
    wanted = int(((lengths >= 2.5) & ~scratches).sum())
    expect(heading).to_contain_text(f"{wanted} of 40")
    page.get_by_label("Length to, mm").fill("0.001")
    expect(page.get_by_text("The filters hide all of them.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(heading).to_contain_text("40 of 40")


@pytest.mark.parametrize(
    ("order", "key"),
    [
        pytest.param("longest first", lambda d: -d.length_mm, id="by length"),
        pytest.param("from the top down", lambda d: d.centroid_mm[1], id="by place"),
        pytest.param("surest first", lambda d: -(d.probability or -1), id="by probability"),
    ],
)
def test_the_list_has_the_order_that_was_chosen(page: Page, order: str, key: object) -> None:
    assert callable(key)
    wanted = [defect.id for defect in sorted(SMALL.defect_map.defects, key=key)]
    page.get_by_label("Order").select_option(order)
    shown = page.locator(".rows .row").locator(".id")
    expect(shown.first).to_have_text(wanted[0])
    assert shown.all_inner_texts() == wanted[: shown.count()]


def test_the_panel_says_what_the_map_says(page: Page) -> None:
    page.keyboard.press("j")
    longest = max(SMALL.defect_map.defects, key=lambda defect: defect.length_mm)
    panel = page.get_by_role("complementary", name="Selected defect")
    expect(panel.get_by_role("heading", name=longest.id)).to_be_visible()
    x, y = longest.centroid_mm
    expect(panel).to_contain_text(f"{x:.3f}, {y:.3f}")
    expect(panel).to_contain_text("Stage, go to")
    expect(panel).to_contain_text(f"{longest.orientation_deg:.1f}°")
    expect(panel.get_by_role("img")).to_be_visible()


def test_the_other_side_is_a_click_away(page: Page, host: Served) -> None:
    back = ExampleScan(
        seed=94, element=SMALL.element, side="back", size_mm=SMALL.size_mm, grid=(2, 1), defects=3
    )
    send(host.store, back, *back.contents())
    page.reload()
    page.get_by_role("navigation", name="Sides").get_by_role("link", name="back").click()
    expect(page.locator(".defect-filters h2")).to_contain_text("3 of 3")
    expect(page.locator(".subject")).to_contain_text("back")


def test_axe_has_no_serious_findings(page: Page) -> None:
    page.keyboard.press("j")
    expect(page.locator(".crop img")).to_be_visible()
    page.get_by_role("button", name="Contrast of the picture").click()
    assert findings(page) == []
    page.keyboard.press("c")
    expect(page.get_by_label("Your name")).to_be_focused()
    assert findings(page) == []


def test_a_click_on_a_line_selects_its_defect(page: Page) -> None:
    # The list and the picture are two ways to the same selection.
    page.locator(".rows .row").nth(2).click()
    wanted = page.locator(".selection h2").inner_text()
    page.wait_for_timeout(1500)
    page.keyboard.press("Escape")
    expect(page.locator(".selection h2")).to_have_count(0)
    box = page.locator(".stage .deep-zoom").bounding_box()
    assert box is not None
    defect = next(each for each in SMALL.defect_map.defects if each.id == wanted)
    hash_ = page.evaluate("location.hash")
    fields = dict(part.split("=") for part in hash_[1:].split("&"))
    points = defect.centreline or defect.outline
    x, y = points[len(points) // 2]
    scale = float(fields["z"])
    page.mouse.click(
        box["x"] + box["width"] / 2 + (x - float(fields["x"])) * scale,
        box["y"] + box["height"] / 2 + (y - float(fields["y"])) * scale,
    )
    expect(page.locator(".selection h2")).to_have_text(wanted)
