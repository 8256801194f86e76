"""Reviews by keyboard: kept with name and time, seen by others, and never only seemingly kept."""

import json

from playwright.sync_api import Browser, Page, Route, expect

from darkscan.host.store import NewReview
from tests.host_element.conftest import REVIEWER, SMALL, as_reviewer, eventually, open_scan
from tests.host_examples import AWKWARD_NAME, ExampleScan
from tests.host_page.conftest import OpenPage, send
from tests.host_web.conftest import Served


def reviewed(page: Page) -> str:
    return page.locator(".reviewed").inner_text()


def selected(page: Page) -> str:
    return page.locator(".selection h2").inner_text()


def test_a_review_by_keyboard_survives_a_reload(host: Served, open_page: OpenPage) -> None:
    send(host.store, SMALL, *SMALL.contents(tiles=True))
    page = open_page(host, f"/scan/{SMALL.scan}")
    open_scan(page)
    assert reviewed(page) == "reviewed 0 of 40"
    page.keyboard.press("j")
    first = selected(page)
    page.keyboard.press("c")
    as_reviewer(page)
    expect(page.locator(".selection .log")).to_contain_text(f"confirmed by {REVIEWER}")
    page.keyboard.press("j")
    expect(page.locator(".selection h2")).not_to_have_text(first)
    second = selected(page)
    page.keyboard.press("3")
    page.keyboard.press("r")
    page.keyboard.press("m")
    page.keyboard.type("a crater, not a line")
    page.keyboard.press("Enter")
    expect(page.locator(".selection .log")).to_contain_text("a crater, not a line")
    expect(page.locator(".reviewed")).to_have_text("reviewed 2 of 40")

    page.reload()
    open_scan(page)
    expect(page.locator(".reviewed")).to_have_text("reviewed 2 of 40")
    expect(page.locator(".selection h2")).to_have_text(second)
    expect(page.locator(".selection .verdict-mark").first).to_contain_text("dig, rejected")
    page.keyboard.press("k")
    expect(page.locator(".selection h2")).to_have_text(first)
    expect(page.locator(".selection .log")).to_contain_text(f"confirmed by {REVIEWER}")
    kept = host.store.reviews(SMALL.scan)
    assert [(each.defect, each.verdict, each.kind, each.comment) for each in kept] == [
        (first, "confirmed", None, ""),
        (second, "open", "dig", ""),
        (second, "rejected", "dig", ""),
        (second, "rejected", "dig", "a crater, not a line"),
    ]
    assert {each.name for each in kept} == {REVIEWER}


def test_going_on_follows_the_order_and_the_filters(host: Served, open_page: OpenPage) -> None:
    send(host.store, SMALL, *SMALL.contents(tiles=True))
    page = open_page(host, f"/scan/{SMALL.scan}")
    open_scan(page)
    ids = page.locator(".rows .row").locator(".id").all_inner_texts()
    # Only open ones: a verdict takes the defect out of the list, and the next takes its place.
    for verdict in ("confirmed", "rejected"):
        page.get_by_role("group", name="Verdicts").get_by_role("button", name=verdict).click()
    page.keyboard.press("j")
    assert selected(page) == ids[0]
    page.keyboard.press("c")
    as_reviewer(page)
    expect(page.locator(".defect-filters")).to_contain_text("39")
    page.keyboard.press("j")
    expect(page.locator(".selection h2")).to_have_text(ids[1])
    page.keyboard.press("Shift+R")
    expect(page.locator(".selection h2")).to_have_text(ids[2])
    page.keyboard.press("k")
    expect(page.locator(".selection h2")).to_have_text(ids[2])


def test_a_verdict_that_was_not_kept_is_taken_back_and_said(
    host: Served, open_page: OpenPage
) -> None:
    send(host.store, SMALL, *SMALL.contents())
    page = open_page(host, f"/scan/{SMALL.scan}", expects=("507",))
    open_scan(page)

    def refuse(route: Route) -> None:
        if route.request.method == "POST":
            body = json.dumps({"detail": "the disk is full"})
            route.fulfill(status=507, content_type="application/json", body=body)
        else:
            route.continue_()

    page.route("**/reviews*", refuse)
    page.keyboard.press("j")
    page.keyboard.press("c")
    as_reviewer(page)
    expect(page.get_by_text("Not kept")).to_contain_text("the disk is full")
    expect(page.locator(".reviewed")).to_have_text("reviewed 0 of 40")
    expect(page.locator(".selection .verdict-mark").first).to_contain_text("open")
    page.keyboard.press("m")
    page.keyboard.type("not lost")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not kept")).to_have_count(2)
    expect(page.get_by_label("Comment")).to_have_value("not lost")
    assert host.store.reviews(SMALL.scan) == []


def test_what_another_reviewer_says_appears_by_itself(host: Served, open_page: OpenPage) -> None:
    send(host.store, SMALL, *SMALL.contents())
    page = open_page(host, f"/scan/{SMALL.scan}#d=D0005")
    open_scan(page)
    expect(page.get_by_text("Nobody has reviewed it.")).to_be_visible()
    review = NewReview(defect="D0005", verdict="rejected", comment="a reflex", name="Grace")
    eventually(lambda: page.locator(".connection.open").count() == 1)
    host.store.review(SMALL.scan, review)
    expect(page.locator(".selection .log")).to_contain_text("rejected by Grace")
    expect(page.locator(".reviewed")).to_have_text("reviewed 1 of 40")


def test_names_and_comments_are_text_whatever_they_say(
    host: Served, open_page: OpenPage, browser: Browser
) -> None:
    scan = ExampleScan(
        seed=93, element=AWKWARD_NAME, size_mm=(24.0, 18.0), grid=(2, 1), defects=5, finest=0
    )
    send(host.store, scan, *scan.contents())
    nasty = "<img src=x onerror=\"document.title='taken'\"><script>alert(1)</script>\n'; --"
    host.store.review(
        scan.scan, NewReview(defect="D0002", verdict="confirmed", comment=nasty, name="<b>Eve</b>")
    )
    page = open_page(host, f"/scan/{scan.scan}#d=D0002")
    open_scan(page)
    expect(page.locator(".log .said")).to_have_text(nasty)
    expect(page.locator(".log")).to_contain_text("by <b>Eve</b>")
    expect(page.locator(".subject strong")).to_have_text(AWKWARD_NAME)
    assert page.title() != "taken"
    assert page.locator(".selection img[src='x'], .selection b").count() == 0
