"""The live view."""

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from darkscan.host.store import RigName, Store
from darkscan.host.web import WebSettings
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.host_link.messages import ScanOutcome
from tests.host_examples import ExampleScan
from tests.host_page.conftest import RIG, OpenPage, send, tell
from tests.host_web.conftest import TOKEN, Served
from tests.host_web.example_server import serving

SCAN = ExampleScan(seed=70, element="plate 70", grid=(5, 4), quarantined=2)
PICTURE, FRAMES, SHAPES, POINTED = range(4)
"""The sheets of the element's drawing, one above the other."""

pytestmark = pytest.mark.slow


def begin(host: Served, frames: int = 0) -> None:
    """The scan begins, and is so many frames further."""
    send(host.store, SCAN, SCAN.began(), *SCAN.settled(batch=1)[:frames])
    tell(host.store, SCAN, SCAN.progress(frames))


def live(scan: ExampleScan) -> str:
    return f"/scan/{scan.scan}/live"


COUNT_PAINTED = """sheet => {
    const canvas = document.querySelectorAll(".mosaic canvas")[sheet];
    if (!canvas) return 0;
    const { width, height } = canvas;
    // A copy, as reading from a canvas slows it down for ever.
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    let painted = 0;
    for (let k = 3; k < data.length; k += 4) if (data[k] > 0) painted++;
    return painted;
}"""


def painted(page: Page, sheet: int) -> int:
    """How many pixels of a sheet have any colour."""
    return int(page.evaluate(COUNT_PAINTED, sheet))


def wait_until_painted(page: Page, sheet: int) -> None:
    page.wait_for_function(COUNT_PAINTED, arg=sheet)


def figure(page: Page, title: str) -> Locator:
    return page.locator(".figure").filter(has=page.get_by_role("heading", name=title))


def test_the_element_fills_in_as_frames_settle(host: Served, open_page: OpenPage) -> None:
    begin(host)
    page = open_page(host, live(SCAN))
    expect(page.locator(".huge")).to_have_text("0.0 %")
    wait_until_painted(page, FRAMES)  # the frames to come
    assert painted(page, PICTURE) == 0
    before = painted(page, FRAMES)

    send(host.store, SCAN, *SCAN.settled(batch=1)[:10])
    tell(host.store, SCAN, SCAN.progress(10))
    expect(page.locator(".huge")).to_have_text("50.0 %")
    expect(page.get_by_text("10 of 20 frames")).to_be_visible()
    expect(page.locator(".mosaic .here")).to_be_visible()
    assert painted(page, FRAMES) < before

    send(host.store, SCAN, *SCAN.tiles(finest=3))
    wait_until_painted(page, PICTURE)


def test_the_element_has_its_true_proportions(host: Served, open_page: OpenPage) -> None:
    begin(host)
    page = open_page(host, live(SCAN))
    expect(page.locator(".mosaic")).to_be_visible()
    box = page.locator(".mosaic").bounding_box()
    assert box is not None
    width, height = SCAN.size_mm
    assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.01)


@pytest.mark.parametrize(
    ("flip", "left_mm"),
    [
        pytest.param(False, 0.0, id="columns run along x"),
        pytest.param(True, -20.48, id="columns run against x"),
    ],
)
def test_frames_lie_where_the_rig_sees_them(
    host: Served, open_page: OpenPage, *, flip: bool, left_mm: float
) -> None:
    lattice = PixelToStage.from_pitch(SCAN.pitch_um, flip_x=flip)
    send(host.store, SCAN, SCAN.began().model_copy(update={"pixel_to_stage": lattice}))
    send(host.store, SCAN, *SCAN.settled(batch=1)[:3])
    page = open_page(host, live(SCAN))
    here, element = (page.locator(name).bounding_box() for name in (".here", ".mosaic"))
    assert here is not None
    assert element is not None
    corner = (here["x"] - element["x"]) / element["width"] * SCAN.size_mm[0]
    assert corner == pytest.approx(SCAN.places_mm[2][0] + left_mm, abs=2)


def test_scratches_appear_and_are_counted(host: Served, open_page: OpenPage) -> None:
    begin(host)
    page = open_page(host, live(SCAN))
    expect(figure(page, "Found so far")).to_contain_text("0")
    send(host.store, SCAN, *SCAN.settled(batch=1))
    scratches = int((SCAN.kinds == 0).sum())
    counted = figure(page, "Found so far").locator("li.scratch .value")
    expect(counted).not_to_have_text("0")
    assert int(counted.inner_text()) >= scratches  # one that several frames show has several traces
    wait_until_painted(page, SHAPES)


@pytest.mark.parametrize(
    ("motion", "animated"),
    [
        pytest.param("no-preference", True, id="a ring runs out from it"),
        pytest.param("reduce", False, id="nothing moves for those who do not want it"),
    ],
)
def test_a_scratch_is_pointed_out_as_it_is_found(
    host: Served,
    open_page: OpenPage,
    motion: Literal["no-preference", "reduce"],
    *,
    animated: bool,
) -> None:
    begin(host, frames=1)
    page = open_page(host, live(SCAN))
    page.emulate_media(reduced_motion=motion)
    wait_until_painted(page, SHAPES)
    send(host.store, SCAN, *SCAN.settled(batch=1)[1:])
    ring = page.locator(".flash").first
    expect(ring).to_be_attached()
    name = ring.evaluate("ring => getComputedStyle(ring).animationName")
    assert (name != "none") == animated


def test_what_was_not_inspected_says_why_and_shows_where(host: Served, open_page: OpenPage) -> None:
    begin(host, frames=20)
    page = open_page(host, live(SCAN))
    entry = page.get_by_role("region", name="Not inspected, and why").get_by_role("button")
    expect(entry).to_contain_text("2 frames")
    expect(entry).to_contain_text("quarantined: ")
    expect(figure(page, "Not inspected")).to_contain_text("2 quarantined")
    assert painted(page, POINTED) == 0
    entry.focus()
    wait_until_painted(page, POINTED)


def test_each_stage_has_a_row(host: Served, open_page: OpenPage) -> None:
    begin(host, frames=3)
    page = open_page(host, live(SCAN))
    stages = page.get_by_role("region", name="Stages")
    expect(stages.get_by_role("rowheader")).to_have_text(
        ["acquisition", "preprocessing", "classification", "merging"]
    )
    expect(stages.get_by_role("row", name="merging")).to_contain_text("3.4 / 6.0")


@pytest.mark.parametrize(
    ("outcome", "reason", "words", "tone"),
    [
        pytest.param(
            "died",
            "the run's processes were gone",
            "The scan died: the run's processes were gone",
            "bad",
            id="it died",
        ),
        pytest.param(
            "failed",
            "camera: no frame within 10 s",
            "The scan failed: camera: no frame within 10 s",
            "bad",
            id="it failed",
        ),
        pytest.param("incomplete", "2 frames are missing", "Incomplete", "warn", id="incomplete"),
        pytest.param("aborted", "by hand", "The scan was aborted: by hand", "warn", id="by hand"),
    ],
)
def test_an_end_that_is_no_success_cannot_be_missed(
    host: Served,
    open_page: OpenPage,
    outcome: ScanOutcome,
    reason: str,
    words: str,
    tone: str,
) -> None:
    begin(host, frames=6)
    page = open_page(host, live(SCAN))
    expect(page.get_by_text("running")).to_be_visible()
    send(host.store, SCAN, SCAN.ended(outcome, reason))
    banner = page.get_by_role("alert").filter(has_text=words)
    expect(banner).to_be_visible()
    expect(banner).to_have_class(f"banner {tone}")
    expect(figure(page, "Not inspected")).to_contain_text("14 not reached")


def test_a_rig_that_falls_silent_is_reported(host: Served, open_page: OpenPage) -> None:
    begin(host, frames=6)
    page = open_page(host, live(SCAN), clock=True)
    expect(page.get_by_text("running")).to_be_visible()
    page.clock.run_for(17_000)
    expect(page.get_by_role("alert")).to_contain_text("Nothing is heard from bench")
    tell(host.store, SCAN, SCAN.progress(7))
    expect(page.get_by_text("running")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_view_goes_on_to_the_next_scan_of_its_rig(host: Served, open_page: OpenPage) -> None:
    begin(host, frames=20)
    send(host.store, SCAN, SCAN.map_finished(), SCAN.ended())
    page = open_page(host, live(SCAN))
    expect(page.locator(".huge")).to_be_visible()

    elsewhere = ExampleScan(seed=72, element="elsewhere", began_at="2026-03-01T09:00:00Z")
    send(host.store, elsewhere, elsewhere.began(), rig=RigName("another"))
    following = ExampleScan(seed=71, element="plate 71", began_at="2026-03-01T10:00:00Z")
    send(host.store, following, following.began())
    expect(page).to_have_url(re.compile(f"{following.scan}/live$"))
    expect(page.get_by_role("status")).to_contain_text("Now showing plate 71")

    page.get_by_label("stay on this scan").check()
    last = ExampleScan(seed=73, element="plate 73", began_at="2026-03-01T11:00:00Z")
    send(host.store, last, last.began())
    send(host.store, following, *following.settled()[:1])
    expect(page.get_by_text("8 of 24 frames")).to_be_visible()
    expect(page).to_have_url(re.compile(f"{following.scan}/live$"))


def test_a_host_that_is_gone_is_reported_and_found_again(
    tmp_path: Path, open_page: OpenPage
) -> None:
    folder = tmp_path / "store"
    with Store.open(folder) as store:
        with serving(store, folder, WebSettings(("127.0.0.1", 0))) as server:
            host = Served(store, server, folder)
            begin(host, frames=5)
            # The browser itself complains of each connection that is refused or cut.
            page = open_page(host, live(SCAN), expects=("net::ERR_",))
            expect(page.locator(".huge")).to_have_text("25.0 %")
            settings = WebSettings(("127.0.0.1", host.port))
        banner = page.get_by_role("alert").filter(has_text="No connection to the host")
        expect(banner).to_be_visible()
        assert page.evaluate("document.body.classList.contains('stale')")
        send(store, SCAN, *SCAN.settled(batch=1)[5:10])  # while nobody listens
        tell(store, SCAN, SCAN.progress(10))
        with serving(store, folder, settings):
            expect(banner).to_be_hidden()
            expect(page.locator(".huge")).to_have_text("50.0 %")
            page.close()


def test_a_host_that_wants_its_token_asks_for_it(tmp_path: Path, open_page: OpenPage) -> None:
    folder = tmp_path / "store"
    settings = WebSettings(("127.0.0.1", 0), token=TOKEN, token_everywhere=True)
    with Store.open(folder) as store, serving(store, folder, settings) as server:
        host = Served(store, server, folder)
        begin(host, frames=5)
        page = open_page(host, live(SCAN), expects=("401",))
        dialog = page.get_by_role("dialog", name="This host asks for its token")
        dialog.get_by_label("Token").fill("wrong")
        dialog.get_by_role("button", name="Enter").click()
        expect(dialog.get_by_role("alert")).to_be_visible()
        dialog.get_by_label("Token").fill(TOKEN)
        dialog.get_by_role("button", name="Enter").click()
        expect(dialog).to_be_hidden()
        expect(page.locator(".huge")).to_have_text("25.0 %")
        page.close()


def test_the_link_with_the_token_lets_in_and_leaves_the_address(
    tmp_path: Path, open_page: OpenPage
) -> None:
    folder = tmp_path / "store"
    settings = WebSettings(("127.0.0.1", 0), token=TOKEN, token_everywhere=True)
    with Store.open(folder) as store, serving(store, folder, settings) as server:
        host = Served(store, server, folder)
        begin(host, frames=5)
        page = open_page(host, f"{live(SCAN)}#token={TOKEN}", expects=("401",))
        expect(page.locator(".huge")).to_have_text("25.0 %")
        assert TOKEN not in page.url
        page.close()


def test_a_scan_that_is_not_kept_yet_is_shown_once_it_begins(
    host: Served, open_page: OpenPage
) -> None:
    page = open_page(host, live(SCAN), expects=("404",))
    expect(page.get_by_text("there is no scan")).to_be_visible()
    begin(host, frames=5)
    expect(page.locator(".huge")).to_have_text("25.0 %")


def test_nothing_of_another_rig_is_said_of_this_one(host: Served, open_page: OpenPage) -> None:
    begin(host, frames=4)
    other = ExampleScan(seed=74, element="plate 74", grid=(5, 4))
    send(host.store, other, other.began(), *other.settled(batch=1)[:15], rig=RigName("another"))
    page = open_page(host, live(SCAN))
    expect(page.get_by_text("4 of 20 frames")).to_be_visible()
    tell(host.store, other, other.progress(16), RigName("another"))
    tell(host.store, SCAN, SCAN.progress(5), RIG)
    expect(page.get_by_text("5 of 20 frames")).to_be_visible()
