"""The picture: single pixels, tiles that come later, places, and what is not there."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from darkscan.pipeline.core.arrays import UInt8Array
from tests.host_element.conftest import (
    SMALL,
    address,
    at_rest,
    eventually,
    flat_tile,
    on_screen,
    open_scan,
    pictured_tile,
)
from tests.host_examples import ExampleScan
from tests.host_page.conftest import OpenPage, send
from tests.host_web.conftest import Served

PIXEL = 16  # screen pixels that a pixel is shown with
GREYS = np.array([0, 10, 25, 50, 80, 120, 160, 200, 240, 255], np.uint8)
BLOCK = 8  # pixels; JPEG's own, so that flat ones stay flat

PLAIN = ExampleScan(seed=91, element="plate 91", size_mm=(20.48, 15.36), grid=(2, 2), finest=0)
"""An element of 4 x 3 tiles at level 0, of a pyramid of three levels."""


def blocks() -> UInt8Array:
    """A tile of blocks whose grey levels go through ``GREYS``, from left to right."""
    row = np.repeat(GREYS[np.arange(512 // BLOCK) % len(GREYS)], BLOCK)
    return np.tile(row, (512, 1))


def shown_greys(page: Page) -> list[int]:
    """The grey levels of ten neighbouring blocks, from the third on, in the middle of each."""
    picture = on_screen(page)
    height, width = picture.shape[:2]
    # The screen's middle is the corner of pixel 64, 256: of a block and of a pixel.
    first = width // 2 - 5 * BLOCK * PIXEL
    return [
        int(picture[height // 2 + PIXEL // 2, first + (2 * block + 1) * BLOCK * PIXEL // 2, 1])
        for block in range(10)
    ]


def to_blocks(page: Page) -> None:
    x, y = 64 * PLAIN.pitch_um / 1000, 256 * PLAIN.pitch_um / 1000
    page.evaluate("hash => { location.hash = hash }", f"#x={x}&y={y}&z={PIXEL * 100}")
    at_rest(page)


@pytest.fixture
def pictured(host: Served) -> Served:
    """A host with a running scan of which one tile of level 0 has come."""
    send(host.store, PLAIN, PLAIN.began(), pictured_tile(0, 0, 0, 1, blocks()))
    return host


def test_single_pixels_have_the_grey_levels_of_their_tile(
    pictured: Served, open_page: OpenPage
) -> None:
    page = open_page(pictured, f"/scan/{PLAIN.scan}")
    expect(page.locator(".readout")).to_be_visible()
    as_stored(page)
    to_blocks(page)
    wanted = GREYS[(64 // BLOCK - 5 + np.arange(10)) % len(GREYS)].astype(int)
    eventually(lambda: bool(np.abs(np.array(shown_greys(page)) - wanted).max() <= 3))
    expect(page.locator(".readout")).to_contain_text("1 pixel : 16.0 px")


def test_pixels_are_squares_across_the_border_of_tiles(host: Served, open_page: OpenPage) -> None:
    chequered = np.indices((512, 512)).sum(axis=0) % 2 * 100 + 60
    tiles = [pictured_tile(0, x, 0, 1, chequered.astype(np.uint8)) for x in range(2)]
    send(host.store, PLAIN, PLAIN.began(), *tiles)
    page = open_page(host, f"/scan/{PLAIN.scan}#x=5.12&y=2.56&z={PIXEL * 100}")
    as_stored(page)
    at_rest(page)

    def squares() -> bool:
        picture = on_screen(page)[:, :, 1].astype(int)
        row = picture[picture.shape[0] // 2 + PIXEL // 2, picture.shape[1] // 2 - 160 :][:320]
        # Within a pixel nothing changes; from pixel to pixel all does.
        edges = np.flatnonzero(np.abs(np.diff(row)) > 20)
        return len(edges) in {19, 20} and bool((abs(np.diff(edges) - PIXEL) <= 1).all())

    eventually(squares)


def test_raw_contrast_is_linear_in_the_cameras_levels(
    pictured: Served, open_page: OpenPage
) -> None:
    page = open_page(pictured, f"/scan/{PLAIN.scan}")
    expect(page.locator(".readout")).to_be_visible()
    as_stored(page)
    to_blocks(page)
    page.get_by_role("button", name="Contrast of the picture").click()
    page.get_by_role("button", name="Raw", exact=True).click()
    softening, full = PLAIN.pyramid.softening, PLAIN.pyramid.full_scale
    greys = GREYS[(64 // BLOCK - 5 + np.arange(10)) % len(GREYS)] / 255
    wanted = softening * np.sinh(greys * np.arcsinh(full / softening)) / full * 255
    eventually(lambda: bool(np.abs(np.array(shown_greys(page)) - wanted).max() <= 5))


def as_stored(page: Page) -> None:
    """Has the picture shown as its tiles are, and nothing over it."""
    layer = page.get_by_role("button", name="Layer: not inspected")
    if layer.get_attribute("aria-pressed") == "true":
        layer.click()
    page.get_by_role("button", name="Contrast of the picture").click()
    page.get_by_role("button", name="As stored").click()
    page.get_by_role("button", name="Contrast of the picture").click()


def test_by_itself_the_contrast_suits_what_is_shown(host: Served, open_page: OpenPage) -> None:
    rng = np.random.default_rng(5)
    side = PLAIN.level_px(PLAIN.pyramid.levels - 1)[::-1]
    dim = rng.normal(60, 4, side).clip(1, 255).astype(np.uint8)
    top = PLAIN.pyramid.levels - 1
    send(host.store, PLAIN, PLAIN.began(), pictured_tile(top, 0, 0, 1, dim))
    page = open_page(host, f"/scan/{PLAIN.scan}")
    page.get_by_role("button", name="Layer: not inspected").click()
    # The background becomes dark, and what is above it bright.
    eventually(lambda: np.ptp(on_screen(page)[300:600, 400:700].astype(int)) > 90)
    as_stored(page)
    eventually(lambda: np.ptp(on_screen(page)[300:600, 400:700].astype(int)) < 60)


def middle(page: Page) -> int:
    """The grey level in the middle of the picture."""
    picture = on_screen(page)
    return int(picture[picture.shape[0] // 2 + 9, picture.shape[1] // 2 + 9, 1])


def test_a_later_revision_of_a_tile_takes_the_place_of_the_one_shown(
    host: Served, open_page: OpenPage
) -> None:
    top = PLAIN.pyramid.levels - 1
    send(host.store, PLAIN, PLAIN.began(), flat_tile(top, 0, 0, 1, 60))
    page = open_page(host, f"/scan/{PLAIN.scan}")
    as_stored(page)
    eventually(lambda: abs(middle(page) - 60) <= 2)
    for revision, grey in ((2, 120), (3, 180), (4, 90)):
        send(host.store, PLAIN, flat_tile(top, 0, 0, revision, grey))
        eventually(lambda wanted=grey: abs(middle(page) - wanted) <= 2)  # type: ignore[misc]


def test_a_tile_that_was_missing_is_shown_when_it_comes(host: Served, open_page: OpenPage) -> None:
    top = PLAIN.pyramid.levels - 1
    send(host.store, PLAIN, PLAIN.began(), flat_tile(top, 0, 0, 1, 60))
    page = open_page(host, f"/scan/{PLAIN.scan}")
    as_stored(page)
    eventually(lambda: abs(middle(page) - 60) <= 2)
    page.get_by_role("button", name="Single pixels").click()
    at_rest(page)
    # Level 0 is not there: the coarser level is shown for it.
    eventually(lambda: abs(middle(page) - 60) <= 2)
    send(host.store, PLAIN, *(flat_tile(0, x, y, 1, 200) for x in range(4) for y in range(3)))
    eventually(lambda: abs(middle(page) - 200) <= 2)


def test_a_link_leads_to_a_place_and_a_defect(keeping: Served, open_page: OpenPage) -> None:
    scan = SMALL
    send(keeping.store, scan, *scan.contents())
    page = open_page(keeping, f"/scan/{scan.scan}#x=12.5&y=7.25&z=120&d=D0007")
    expect(page.get_by_role("heading", name="D0007")).to_be_visible()
    at_rest(page)
    assert place_of(page) == (12.5, 7.25, 120, "D0007")
    # The address follows, and leads back to the same place.
    before = address(page)
    page.keyboard.press("ArrowRight")
    eventually(lambda: address(page) != before)
    at_rest(page)
    before = address(page)
    page.keyboard.press("+")
    eventually(lambda: address(page) != before)
    at_rest(page)
    moved = place_of(page)
    assert moved[0] > 12.5
    assert moved[2] == pytest.approx(192, rel=0.01)
    page.reload()
    open_scan(page)
    at_rest(page)
    assert place_of(page)[:3] == pytest.approx(moved[:3], rel=1e-4)


def place_of(page: Page) -> tuple[float, float, float, str]:
    match = re.search(r"#x=([\d.-]+)&y=([\d.-]+)&z=([\d.]+)&d=(D\d+)$", address(page))
    assert match is not None, address(page)
    x, y, z = (round(float(match[part]), 3) for part in (1, 2, 3))
    return x, y, z, match[4]


def test_two_clicks_measure_a_distance_and_escape_ends_it(
    host: Served, open_page: OpenPage
) -> None:
    send(host.store, SMALL, *SMALL.contents(tiles=True))
    page = open_page(host, f"/scan/{SMALL.scan}#x=12&y=9&z=50")
    open_scan(page)
    at_rest(page)
    box = page.locator(".stage .deep-zoom").bounding_box()
    assert box is not None
    x, y = box["x"] + 300, box["y"] + 300
    page.keyboard.press("x")
    page.mouse.click(x, y)
    page.mouse.click(x + 150, y + 200)
    # 250 screen pixels at 50 to the millimetre.
    expect(page.locator(".readout")).to_contain_text("5.000 mm · dx 3.000 · dy 4.000 · 53.1°")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Measure")).to_have_attribute("aria-pressed", "false")


def test_the_pointer_says_why_a_part_was_not_inspected(host: Served, open_page: OpenPage) -> None:
    send(host.store, SMALL, *SMALL.contents(tiles=True))
    x, y = SMALL.places_mm[-1] + 0.5
    page = open_page(host, f"/scan/{SMALL.scan}#x={x}&y={y}&z=400")
    open_scan(page)
    at_rest(page)
    page.mouse.move(958, 500)
    page.mouse.move(960, 540)
    expect(page.get_by_role("status").filter(has_text="failed twice: no light")).to_be_visible()
    expect(page.locator(".readout .pointer-place")).to_contain_text(f"x {x:.1f}")


def test_without_a_picture_the_rest_works(host: Served, open_page: OpenPage) -> None:
    send(host.store, SMALL, *SMALL.contents())
    page = open_page(host, f"/scan/{SMALL.scan}")
    open_scan(page)
    expect(page.get_by_text("This scan sent no picture")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_text("No pixels of it")).to_be_visible()
    expect(page.locator(".facts").get_by_text("Orientation")).to_be_visible()


def test_a_running_scan_shows_what_was_traced_so_far_and_then_its_map(
    host: Served, open_page: OpenPage
) -> None:
    scan = ExampleScan(seed=92, size_mm=(60.0, 40.0), grid=(4, 3), defects=60, finest=0)
    parts = scan.settled(batch=4)
    send(host.store, scan, scan.began(), parts[0])
    page = open_page(host, f"/scan/{scan.scan}")
    expect(page.get_by_text("shapes so far")).to_be_visible()
    first = page.locator(".rows .row").first
    expect(first).to_be_visible()
    before = int(first.get_attribute("aria-setsize") or 0)
    send(host.store, scan, *parts[1:])
    expect(first).not_to_have_attribute("aria-setsize", str(before))
    send(host.store, scan, scan.map_finished(), scan.ended())
    expect(page.get_by_text("of 60 defects")).to_be_visible()
