"""How soon the live view shows what the host has received, in a browser without a GPU.

    python benchmarks/host_live.py [--rounds N]

A scan of 1100 frames runs; the host receives one frame more, with the tile that has it, as a rig
sends them. Measured by the clock of the one computer: from handing them to the store to the
frame counted, hatching gone and tile drawn on the screen. Medians and the longest of all rounds.
What a rig takes before it sends (about a second's worth of frames go together) comes on top.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from darkscan.host.store import RigName, Store
from darkscan.host.web import WebSettings
from darkscan.pipeline.host_link.messages import Content, News
from tests.host_examples import ExampleScan, parcel
from tests.host_web.example_server import serving

RIG = RigName("bench")
SCAN = ExampleScan(seed=95, element="FS-2291", grid=(44, 25), defects=400, quarantined=0)
SCREEN = ViewportSize(width=1920, height=1080)
SETTLED_BEFORE = 300
_PAUSE_S = 1.1  # rounds are apart, so that none waits for the one before

# When the page has last drawn frames, drawn a tile, and changed the count, ms since 1970.
_WATCH = """() => {
    window.seen = { counted: 0, hatched: 0, pictured: 0 };
    const onScreen = (name) => requestAnimationFrame(() => (window.seen[name] = Date.now()));
    const { drawImage, clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.drawImage = function (...values) {
        drawImage.apply(this, values);
        onScreen("pictured");
    };
    CanvasRenderingContext2D.prototype.clearRect = function (...values) {
        clearRect.apply(this, values);
        onScreen("hatched");
    };
    new MutationObserver(() => onScreen("counted")).observe(
        document.querySelector(".done"), { subtree: true, characterData: true, childList: true });
}"""
_ALL_AFTER = "moment => Object.values(window.seen).every((seen) => seen >= moment)"


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place) / "store") as store:
        send(store, SCAN.began(), *SCAN.settled(batch=SETTLED_BEFORE)[:1])
        with (
            serving(store, Path(place) / "store", WebSettings(("127.0.0.1", 0))) as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            page = browser.new_page(viewport=SCREEN)
            page.goto(f"http://127.0.0.1:{server.address[1]}/scan/{SCAN.scan}/live")
            page.get_by_text(f"{SETTLED_BEFORE} of").wait_for()
            page.evaluate(_WATCH)
            measure(page, store, rounds)


def send(store: Store, *contents: Content) -> None:
    """Contents reach the store."""
    store.receive(RIG, [parcel(SCAN.scan, content) for content in contents])


def measure(page: Page, store: Store, rounds: int) -> None:
    """One frame more each round; prints how long each part of it took to be seen."""
    frames = SCAN.settled(batch=1)[SETTLED_BEFORE : SETTLED_BEFORE + rounds]
    shown: dict[str, list[float]] = {"counted": [], "hatched": [], "pictured": []}
    level = SCAN.pyramid.levels - 3  # the one that the view takes on this screen
    for number, frame in enumerate(frames, 1):
        tile = SCAN.tile(level, 0, 0, revision=number, final=False)
        time.sleep(_PAUSE_S)
        began = time.time() * 1000
        send(store, frame, tile)
        store.hear(RIG, News(scan=SCAN.scan, progress=SCAN.progress(SETTLED_BEFORE + number)))
        page.wait_for_function(_ALL_AFTER, arg=began)
        for name, moment in page.evaluate("window.seen").items():
            shown[name].append(moment - began)
    for name, times in shown.items():
        print(f"{name:9} median {statistics.median(times):4.0f} ms, longest {max(times):4.0f} ms")


if __name__ == "__main__":
    main()
