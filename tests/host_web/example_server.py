"""A host with example scans, one of them running: to look at the page, and to develop it.

    python -m tests.host_web.example_server --port 8080 [--store DIR] [--large]

Scans: one that runs and goes on living, a finished one with 1000 defects, with ``--large`` one
with 100 000, one that failed and one that died. The page's files are read again when they were
built anew.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkscan.host.store import RigName, Store
from darkscan.host.web import Metrics, WebServer, WebSettings
from darkscan.host.web._page import ASSETS
from darkscan.pipeline.host_link.messages import (
    TILE_PX,
    Content,
    News,
    ScanEnded,
    ScanId,
    ScanOutcome,
    Tile,
)
from tests.host_examples import FRAME_PX, ExampleScan, parcel

RIG = RigName("bench")
FINISHED = ExampleScan(seed=1, element="plate 1", grid=(6, 4), defects=1000, finest=3)
LARGE = ExampleScan(seed=2, element="plate 2", grid=(6, 4), defects=100_000, finest=3)
FAILED = ExampleScan(seed=3, element="plate 3", defects=0)
DIED = ExampleScan(seed=4, element="plate 4", defects=50, origin="run")
SMALL = ExampleScan(
    seed=6, element="small plate", size_mm=(40.0, 30.0), grid=(2, 2), defects=60, finest=0
)


class NoLink:
    """Stands for the link to the rigs: the examples come without one."""

    problem = ""
    rigs = 1


def running(number: int) -> ExampleScan:
    """The scan that runs; each time another one."""
    return ExampleScan(
        seed=1000 + number,
        element=f"running plate {number}",
        grid=(9, 6),
        defects=400,
        origin="run",
    )


def fill(store: Store, *, large: bool = False, finest: int | None = None) -> None:
    """Puts the scans into a store that do not change.

    ``finest``: the finest tiles of the large element that are put there; None: all it has.
    """
    store.receive(RIG, SMALL.parcels(tiles=True))
    store.receive(RIG, FINISHED.parcels())
    store.receive(RIG, [parcel(FINISHED.scan, tile) for tile in FINISHED.tiles(finest=finest)])
    if large:
        store.receive(RIG, LARGE.parcels(tiles=True))
    ends: list[tuple[ExampleScan, ScanOutcome, str]] = [
        (FAILED, "failed", "camera: no frame within 10 s"),
        (DIED, "died", "the run's processes were gone"),
    ]
    for scan, outcome, reason in ends:
        ended: ScanEnded = scan.ended(outcome, reason)
        contents: list[Content] = [scan.began(), scan.settled()[0], ended]
        store.receive(RIG, [parcel(scan.scan, each) for each in contents])


def live(store: Store, stop: threading.Event, first: int = 1) -> None:
    """Has one scan after the other run: a few frames a second, their tiles, and progress."""
    number = first
    while not stop.is_set():
        _run(store, running(number), stop)
        number += 1


def _run(store: Store, scan: ExampleScan, stop: threading.Event) -> None:
    name: ScanId = scan.scan
    store.receive(RIG, [parcel(name, scan.began())])
    for number, part in enumerate(scan.settled(batch=1), 1):
        began = time.monotonic()
        new: list[Content] = [part, *_tiles_of(scan, number - 1, revision=number)]
        store.receive(RIG, [parcel(name, each) for each in new])
        store.hear(RIG, News(scan=name, progress=scan.progress(number)))
        if stop.wait(max(0.05, 1.0 - (time.monotonic() - began))):
            return
    store.receive(RIG, [parcel(name, scan.map_finished()), parcel(name, scan.ended())])
    stop.wait(20)


def _tiles_of(scan: ExampleScan, frame: int, revision: int) -> Iterator[Tile]:
    """The tiles that a frame reaches into, coarse ones first; the finest are not sent."""
    corner_px = scan.places_mm[frame] * 1000 / scan.pitch_um
    for level in range(scan.pyramid.levels - 1, 1, -1):
        side = TILE_PX << level
        size = scan.level_px(level)
        ranges = [
            range(int(low // side), min(-(-most // TILE_PX), int((low + FRAME_PX - 1) // side) + 1))
            for low, most in zip(corner_px.tolist(), size, strict=True)
        ]
        for x in ranges[0]:
            for y in ranges[1]:
                yield scan.tile(level, x, y, revision=revision, final=False)


@contextmanager
def serving(store: Store, folder: Path, settings: WebSettings) -> Iterator[WebServer]:
    """A server in a thread, answering, as long as the context lasts."""
    server = WebServer(folder, store, NoLink(), settings, Metrics())
    started = threading.Event()
    thread = threading.Thread(target=server.run, args=(started.set,))
    thread.start()
    try:
        assert started.wait(30)
        yield server
    finally:
        server.stop()
        thread.join(30)


def main() -> None:
    """Serves until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--store", type=Path, help="kept and used again; else a temporary one")
    parser.add_argument("--large", action="store_true", help="with 100 000 defects, too")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    arguments = parser.parse_args()
    folder = arguments.store or Path(tempfile.mkdtemp(prefix="darkscan-example-"))
    is_new = not folder.exists() or not any(folder.iterdir())
    stop = threading.Event()
    with Store.open(folder) as store:
        if is_new:
            fill(store, large=arguments.large)
        settings = WebSettings(("127.0.0.1", arguments.port), assets=arguments.assets)
        server = WebServer(folder, store, NoLink(), settings, Metrics())
        print(f"http://127.0.0.1:{server.address[1]}/", flush=True)  # noqa: T201 - for people
        first = int(time.time()) % 1_000_000
        scanning = threading.Thread(target=live, args=(store, stop, first), daemon=True)
        scanning.start()
        server.run()
        stop.set()
        scanning.join(10)
    if arguments.store is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
