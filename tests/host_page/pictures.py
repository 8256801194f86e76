"""Pictures of the page for the documentation, of a large scan that runs and of those before it.

python -m tests.host_page.pictures docs/images
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import simplejpeg
from playwright.sync_api import Page, sync_playwright

from darkscan.host.store import Store
from darkscan.host.web import WebSettings
from darkscan.pipeline.core.frame_results import LedgerSums
from darkscan.pipeline.host_link.messages import (
    OUTCOMES,
    TILE_PX,
    FramesSettled,
    Progress,
    StageHealth,
    Tile,
)
from tests.host_examples import FRAME_PX, ExampleScan
from tests.host_page.conftest import BROWSERS, send, tell
from tests.host_web.example_server import serving

SCAN = ExampleScan(seed=90, element="FS-2291", grid=(44, 25), defects=420, origin="run")
DONE = 688
"""Frames that are settled."""

LOST = {*range(181, 187), *range(402, 405), 533}
QUARANTINED = {96, 97, 371, 590}
REASONS = {
    "lost": "the camera delivered 1912 of 2048 rows",
    "quarantined": "failed twice: a worker died on it",
}


def main() -> None:
    """Writes the picture into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as place, Store.open(Path(place) / "store") as store:
        fill(store)
        with (
            serving(store, Path(place) / "store", WebSettings(("127.0.0.1", 0))) as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path=next(filter(None, map(shutil.which, BROWSERS))),
                args=["--no-sandbox"],
            )
            page = browser.new_page(viewport={"width": 1920, "height": 1080})
            base = f"http://127.0.0.1:{server.address[1]}"
            page.goto(f"{base}/scan/{SCAN.scan}/live")
            page.locator(".mosaic .here").wait_for()
            take(page, store, folder / "host-live-blind.jpg")


def take(page: Page, store: Store, path: Path) -> None:
    """Waits for what is still on its way, and writes what the page shows."""
    page.wait_for_load_state("load")
    for _ in range(6):
        tell(store, SCAN, progress())
        page.wait_for_timeout(500)
    page.screenshot(path=path, type="jpeg", quality=88)


def fill(store: Store) -> None:
    """The scan that runs."""
    send(store, SCAN, SCAN.began().model_copy(update={"began": "2026-03-02T09:12:00Z"}))
    send(store, SCAN, *map(settled, SCAN.settled()[: DONE // 8]))
    send(store, SCAN, *map(seen_part, SCAN.tiles(finest=SCAN.pyramid.levels - 3)))


def settled(part: FramesSettled) -> FramesSettled:
    """Frames of which some were not inspected."""
    kinds = [
        "lost" if number in LOST else "quarantined" if number in QUARANTINED else "mapped"
        for number in part.frames
    ]
    outcomes = np.array([OUTCOMES.index(kind) for kind in kinds], np.uint8)
    reasons = tuple(REASONS.get(kind, "") for kind in kinds)
    return part.model_copy(update={"outcomes": outcomes, "reasons": reasons})


def seen_part(tile: Tile) -> Tile:
    """A tile that is black where no frame has been inspected yet."""
    grey = simplejpeg.decode_jpeg(tile.jpeg, colorspace="GRAY")[..., 0]
    pixel_mm = SCAN.pitch_um / 1000 * 2**tile.level
    seen = np.zeros_like(grey, dtype=bool)
    for number, place in enumerate(SCAN.places_mm[: DONE - 3]):
        if number in LOST:
            continue
        x, y = np.round(place / pixel_mm).astype(int) - np.array([tile.x, tile.y]) * TILE_PX
        side = round(FRAME_PX / 2**tile.level)
        seen[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)] = True
    picture = np.where(seen, grey, 0).astype(np.uint8)
    jpeg = simplejpeg.encode_jpeg(
        np.ascontiguousarray(picture[..., None]), quality=85, colorspace="GRAY"
    )
    return tile.model_copy(update={"jpeg": jpeg})


def progress() -> Progress:
    """What the rig says of the scan that runs."""
    stages = (
        ("motion", 0, 0, "drives along strip 16", None, (41.0, 66.0)),
        ("acquisition", 0, 0, "waits for a free slot", None, (12.2, 19.7)),
        ("preprocessing", 0, 1, "", (0.42, 2.1), (9.1, 12.4)),
        ("classification", 0, 2, "", (118.0, 240.0), (214.0, 262.0)),
        ("classification", 1, 1, "", (116.0, 236.0), (211.0, 259.0)),
        ("merging", 0, 0, "joins areas", (1.1, 4.4), (6.2, 31.0)),
        ("uplink", 0, 0, "connected", None, None),
    )
    return Progress(
        at="2026-03-02T09:14:00Z",
        sums=LedgerSums(
            captured=SCAN.frames,
            mapped=DONE - len(LOST) - len(QUARANTINED),
            quarantined=len(QUARANTINED),
            lost=len(LOST),
            in_flight=SCAN.frames - DONE,
        ),
        frames_per_s=8.31,
        windows_per_s=8.31 * 225,
        left_s=(SCAN.frames - DONE) / 8.31,
        doing="strip 16 of 25",
        stages=tuple(
            StageHealth(
                stage=stage,
                index=index,
                frames=DONE // (2 if stage == "classification" else 1),
                windows=DONE * 225,
                queue=queue,
                restarts=0,
                doing=doing,
                waiting_ms=waiting,
                working_ms=working,
            )
            for stage, index, queue, doing, waiting, working in stages
        ),
        parcels_waiting=2,
    )


if __name__ == "__main__":
    main()
