"""The list of scans."""

import re

import pytest
from playwright.sync_api import expect

from tests.host_examples import AWKWARD_NAME, ExampleScan
from tests.host_page.conftest import OpenPage, send, tell
from tests.host_web.conftest import Served
from tests.host_web.example_server import DIED, FINISHED

pytestmark = pytest.mark.slow


def test_an_empty_host_says_how_to_send_the_first_scan(host: Served, open_page: OpenPage) -> None:
    page = open_page(host, "/")
    expect(page.get_by_role("heading", name="No scan has come yet")).to_be_visible()
    expect(page.get_by_text("darkscan replay RECORDING")).to_be_visible()


def test_a_scan_that_begins_appears_as_a_card_by_itself(host: Served, open_page: OpenPage) -> None:
    page = open_page(host, "/")
    expect(page.get_by_text("No scan has come yet")).to_be_visible()
    scan = ExampleScan(seed=50, element="plate 50", quarantined=0)
    send(host.store, scan, scan.began(), *scan.settled()[:1])
    tell(host.store, scan, scan.progress(8))
    card = page.get_by_role("article")
    expect(card.get_by_role("link", name="plate 50")).to_be_visible()
    expect(card.get_by_text("33 %")).to_be_visible()
    expect(card.get_by_text("running")).to_be_visible()
    card.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/scan/{scan.scan}/live$"))


def test_scans_are_chosen_and_opened_by_keyboard(keeping: Served, open_page: OpenPage) -> None:
    page = open_page(keeping, "/")
    rows = page.locator("table.scans tbody tr")
    expect(rows.first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_class("chosen")
    expect(rows.nth(1).get_by_role("link").first).to_be_focused()
    page.keyboard.press("k")
    expect(rows.first).to_have_class("chosen")
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile("/performance$"))
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(rows.first).to_be_visible()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"Element": "plate 1"}, [FINISHED], id="a part of the element's name"),
        pytest.param({"State": "died"}, [DIED], id="a state"),
        pytest.param({"Element": "plate", "State": "died"}, [DIED], id="two at once"),
        pytest.param({"Element": "no such"}, [], id="nothing is like that"),
    ],
)
def test_filters_narrow_the_list(
    keeping: Served, open_page: OpenPage, filters: dict[str, str], found: list[ExampleScan]
) -> None:
    page = open_page(keeping, "/")
    for name, value in filters.items():
        control = page.get_by_label(name, exact=True)
        if name == "Element":
            control.fill(value)
        else:
            control.select_option(value)
    names = page.locator("table.scans tbody th")
    expect(names).to_have_text([scan.element for scan in found])
    if not found:
        expect(page.get_by_text("No scan is like that.")).to_be_visible()


def test_earlier_scans_are_loaded_as_they_come_into_sight(
    host: Served, open_page: OpenPage
) -> None:
    for number in range(130):
        scan = ExampleScan(
            seed=100 + number,
            element=f"plate {number}",
            began_at=f"2026-03-01T{number // 60:02}:{number % 60:02}:00Z",
            grid=(1, 1),
            defects=0,
        )
        send(host.store, scan, scan.began(), scan.ended("aborted", "stopped by hand"))
    page = open_page(host, "/")
    names = page.locator("table.scans tbody th")
    expect(names.first).to_have_text("plate 129")
    page.keyboard.press("End")
    expect(names).to_have_count(130)
    expect(names.last).to_have_text("plate 0")


def test_a_name_with_marks_of_html_is_only_a_name(host: Served, open_page: OpenPage) -> None:
    scan = ExampleScan(seed=60, element=AWKWARD_NAME)
    send(host.store, scan, scan.began(), *scan.settled())
    page = open_page(host, "/")
    expect(page.get_by_role("link", name=AWKWARD_NAME)).to_be_visible()
    assert page.locator("script").count() == 1


def test_keys_are_listed_and_the_focus_stays_in_the_dialog(
    keeping: Served, open_page: OpenPage
) -> None:
    page = open_page(keeping, "/")
    expect(page.locator("table.scans")).to_be_visible()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.get_by_text("next scan", exact=True)).to_be_visible()
    for _ in range(5):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || "
            "document.querySelector('dialog').contains(document.activeElement)"
        )
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
