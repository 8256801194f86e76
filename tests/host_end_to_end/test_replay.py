"""A replay before the eyes of somebody at the host: live, zoomed into, reviewed, and kept.

The tests of this module follow one scan, and come in order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Pixels
from tests.host_end_to_end.browsers import NEEDS_BROWSER, browsing, faults_of_access, looking
from tests.host_end_to_end.computers import (
    PATIENCE_S,
    Computer,
    Host,
    Program,
    host_at_work,
    wait_for,
)
from tests.host_end_to_end.scans import FRAME, FRAMES, record_scan

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

pytestmark = [pytest.mark.slow, NEEDS_BROWSER]

TILE = 512
CUT_OFF = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE")
"""What Chromium says in the console of a host that is gone; no page can keep it from that."""


@dataclass
class Watched:
    """The scan that all tests look at."""

    host: Host
    rig: Computer
    recording: Path
    scan: str = ""

    @property
    def out(self) -> Path:
        return self.rig.folder / "out"

    def url(self, view: str = "") -> str:
        return f"{self.host.page}/scan/{self.scan}{view}"

    def replay(self) -> Program:
        """Begins the scan, a frame each two seconds."""
        return self.rig.start(
            *("replay", self.recording, "--out", self.out, "--speed", "recorded"),
            *("--host", self.host.address, "--insecure"),
            log="replay.log",
        )


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A host, and a rig that is about to replay."""
    folder = tmp_path_factory.mktemp("replay")
    recording = record_scan(folder / "scan.h5", frame_s=2.0)
    with host_at_work(folder) as host:
        yield Watched(host, Computer(folder / "rig"), recording)


def frames_done(page: "Page") -> int:
    bar = page.get_by_role("progressbar", name="Frames done")
    return int(bar.get_attribute("aria-valuenow") or 0)


def answers(page: "Page", part: str) -> list[int]:
    """The codes of the answers to requests whose address has this part, as they come."""
    codes: list[int] = []

    def note(answer: "Response") -> None:
        if part in answer.url:
            codes.append(answer.status)

    page.on("response", note)
    return codes


def test_the_live_page_fills_in_while_the_replay_runs(watched: Watched, browser: "Browser") -> None:
    with looking(browser) as page:
        tiles = answers(page, "/tiles/")
        page.goto(watched.host.page)
        with watched.replay() as replay:
            card = page.get_by_role("region", name="Scans that run").get_by_role("link").first
            card.click(timeout=PATIENCE_S * 1000)
            watched.scan = watched.host.scans()[0]["id"]
            assert page.url == watched.url("/live")
            wait_for(lambda: frames_done(page) > 0, page.content)
            first = frames_done(page)
            wait_for(lambda: frames_done(page) > first, page.content)
            assert watched.host.scans()[0]["state"] == "running"
            assert faults_of_access(page) == []
            page.locator(".state.complete").first.wait_for(timeout=PATIENCE_S * 1000)
            replay.wait()
        assert 200 in tiles
        assert set(tiles) <= {200, 204}  # 204: nothing was seen there yet


def test_the_scan_is_listed_with_what_its_map_says(watched: Watched, browser: "Browser") -> None:
    (scan,) = watched.host.scans()
    assert (scan["id"], scan["state"]) == (watched.scan, "complete")
    assert scan["frames"] == {"planned": FRAMES, "mapped": FRAMES, "quarantined": 0, "lost": 0}
    map_here = (watched.out / "defect-map.json").read_bytes()
    assert httpx.get(f"{watched.host.page}/api/scans/{watched.scan}/map").content == map_here
    with looking(browser) as page:
        page.goto(watched.host.page)
        page.get_by_text(scan["element"]).first.wait_for()
        assert faults_of_access(page) == []


def test_the_picture_is_the_recording_to_the_pixel(watched: Watched) -> None:
    details = watched.host.get(f"scans/{watched.scan}")
    picture = details["picture"]
    with Recording(watched.recording) as recording:
        pixels: Pixels = np.empty(recording.info.frame_shape, recording.info.dtype)
        recording.read_into(0, pixels)  # the first frame lies at the top left
    answer = httpx.get(f"{watched.host.page}/api/scans/{watched.scan}/tiles/0/0/0")
    assert answer.status_code == 200, answer.text
    tile = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert tile is not None
    assert tile.shape == (TILE, TILE) == (FRAME, FRAME)
    scale = np.arcsinh(picture["full_scale"] / picture["softening"])
    expected = 255 * np.arcsinh(pixels / picture["softening"]) / scale
    # Neighbouring frames overlap by 128 px; what only the first one shows is compared.
    own = (slice(0, FRAME - 128), slice(0, FRAME - 128))
    error = np.abs(tile[own].astype(float) - expected[own])
    assert np.median(error) <= 4  # JPEG of quality 85 on noise


def test_the_element_can_be_zoomed_into_to_single_pixels(
    watched: Watched, browser: "Browser"
) -> None:
    with looking(browser) as page:
        finest = answers(page, "/tiles/0/")
        page.goto(watched.url())
        page.get_by_role("listbox", name="Defects").get_by_role("option").first.wait_for()
        assert faults_of_access(page) == []
        page.keyboard.press("j")
        page.keyboard.press("p")
        zoom = page.locator(".zoom")

        def shown() -> float:
            match = re.search(r"1 pixel : ([\d.]+) px", zoom.inner_text())
            return float(match[1]) if match else 0.0

        wait_for(lambda: shown() >= 1, zoom.inner_text)
        wait_for(lambda: 200 in finest, lambda: finest)
        for _ in range(8):
            page.keyboard.press("+")
        wait_for(lambda: shown() >= 8, zoom.inner_text)
        assert set(finest) <= {200, 204}


def test_a_confirmed_scratch_outlives_a_host_that_is_killed(
    watched: Watched, browser: "Browser"
) -> None:
    with looking(browser, forgives=CUT_OFF) as page:
        page.goto(watched.url())
        page.get_by_role("listbox", name="Defects").get_by_role("option").first.wait_for()
        page.keyboard.press("j")
        selection = page.get_by_role("complementary", name="Selected defect")
        defect = selection.get_by_role("heading").first.inner_text()
        page.keyboard.press("c")
        page.get_by_label("Your name").fill("Ada")
        page.keyboard.press("Enter")
        selection.get_by_text("confirmed").first.wait_for()
        wait_for(lambda: bool(reviews(watched)), page.content)

        watched.host.program.kill()
        page.get_by_text("No connection to the host").wait_for()
        watched.host.start()
        page.get_by_text("No connection to the host").wait_for(state="detached")

        page.reload()
        page.get_by_role("listbox", name="Defects").get_by_role("option").first.wait_for()
        page.get_by_role("option").filter(has_text=defect).click()
        selection.get_by_text("confirmed").first.wait_for()
    (kept,) = reviews(watched)
    assert (kept["defect"], kept["verdict"], kept["name"]) == (defect, "confirmed", "Ada")
    assert watched.host.scans()[0]["reviewed"] == 1


def reviews(watched: Watched) -> list[dict[str, str]]:
    found: list[dict[str, str]] = watched.host.get(f"scans/{watched.scan}/reviews")["reviews"]
    return found


def test_the_performance_page_says_where_the_time_went(
    watched: Watched, browser: "Browser"
) -> None:
    with looking(browser) as page:
        page.goto(watched.url("/performance"))
        page.get_by_text("classification").first.wait_for()
        assert faults_of_access(page) == []
