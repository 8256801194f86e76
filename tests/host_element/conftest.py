"""Scans for the element's view, and what its tests look at."""

import io
from collections.abc import Callable
from time import monotonic, sleep

import cv2
import numpy as np
import pytest
import simplejpeg
from playwright.sync_api import Page, expect

from darkscan.pipeline.core.arrays import UInt8Array
from darkscan.pipeline.host_link.messages import Tile
from tests.host_examples import ExampleScan

# Fixtures that these tests share with those of the page's other views.
from tests.host_page.conftest import browser, host, keeping, open_page

__all__ = ["browser", "host", "keeping", "open_page"]

SMALL = ExampleScan(
    seed=90, element="plate 90", size_mm=(24.0, 18.0), grid=(2, 1), defects=40, finest=0
)
"""An element of two frames, the second of them quarantined, with 40 defects."""

REVIEWER = "Ada Lovelace"


def flat_tile(level: int, x: int, y: int, revision: int, grey: int, side: int = 512) -> Tile:
    """A tile of one grey level."""
    return pictured_tile(level, x, y, revision, np.full((side, side), grey, np.uint8))


def pictured_tile(level: int, x: int, y: int, revision: int, picture: UInt8Array) -> Tile:
    """A tile with a picture, as a rig packs it."""
    jpeg = simplejpeg.encode_jpeg(
        np.ascontiguousarray(picture[..., None]), quality=85, colorspace="GRAY"
    )
    return Tile(level=level, x=x, y=y, revision=revision, final=False, jpeg=jpeg)


def on_screen(page: Page) -> UInt8Array:
    """What the picture shows, (height, width, 3), as the screen has it."""
    shot = page.locator(".stage .deep-zoom").screenshot()
    image = cv2.imdecode(np.frombuffer(io.BytesIO(shot).getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Waits until something holds; fails if it does not within the time."""
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end, "it did not come to hold"
        sleep(0.1)


def address(page: Page) -> str:
    """The page's address as the browser has it now."""
    found: str = page.evaluate("location.href")
    return found


def open_scan(page: Page) -> None:
    """Waits until the list of defects stands."""
    expect(page.locator(".rows .row").first).to_be_visible()


def at_rest(page: Page) -> None:
    """Waits until the picture no longer moves: its address then stays the same."""
    before = ""
    for _ in range(50):
        page.wait_for_timeout(400)
        now = address(page)
        if now == before and "#" in now:
            return
        before = now
    pytest.fail("the picture did not come to rest")


def as_reviewer(page: Page, name: str = REVIEWER) -> None:
    """Gives the name that is asked for at the first verdict."""
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
