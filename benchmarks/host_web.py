"""The host's web interface over HTTP: tiles, lists and columns, beside a route of fixed bytes.

    python benchmarks/host_web.py [--rounds 20] [--defects 100000] [--maps 1000]

A server in a process of its own answers one client on loopback that keeps its connection, as a
page does. Each round asks for everything once a few times, in turn; what is told is the time
from the request to the last byte of the answer. "fixed" is a file of the page from memory: what
HTTP itself costs here. Tiles are those of the store, and ones cut from a recording.
"""

import argparse
import gc
import http.client
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from figures import machine, ratio

from darkscan.drivers.recording import RecordingWriter
from darkscan.host.store import RigName, Store
from darkscan.host.web import Metrics, WebServer, WebSettings
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.host_link.messages import Content, ScanBegan
from tests.host_examples import FRAME_PX, ExampleScan, parcel

RIG = RigName("bench")
SIZE_MM = (60.0, 40.0)
REPEATS = 10
"""Of each request, in a round."""

Ask = Callable[[], float]


class NoLink:
    """No rigs."""

    problem = ""
    rigs = 0


def main() -> None:
    """Prints medians, 99th percentiles, and ratios to the fixed bytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--defects", type=int, default=100_000)
    parser.add_argument("--maps", type=int, default=1000)
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        here, there = multiprocessing.get_context("spawn").Pipe()
        host = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(Path(folder), arguments.maps, arguments.defects, there)
        )
        host.start()
        try:
            port, large, recorded = here.recv()
            _measure(port, large, recorded, arguments.rounds)
        finally:
            here.send("end")
            host.join()


def _measure(port: int, large: str, recorded: str, rounds: int) -> None:
    ways: dict[str, Ask] = {}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    fetch = partial(_fetch, connection)
    level = ExampleScan(size_mm=SIZE_MM).pyramid.levels - 1
    ways["fixed, 40 KiB"] = lambda: fetch("/assets/fixed.txt")
    ways["tile of the store"] = lambda: fetch(f"/api/scans/{recorded}/tiles/{level}/0/0")
    ways["tile cut from a recording"] = lambda: fetch(f"/api/scans/{recorded}/tiles/0/3/3")
    ways["list of 100 scans"] = lambda: fetch("/api/scans?limit=100")
    ways["list of all scans"] = lambda: fetch("/api/scans?limit=1000")
    ways["details"] = lambda: fetch(f"/api/scans/{large}")
    ways["defects as columns"] = lambda: fetch(f"/api/scans/{large}/defects")
    ways["one defect"] = lambda: fetch(f"/api/scans/{large}/defects/D0777")
    figures: dict[str, list[float]] = {name: [] for name in ways}
    medians: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times = [way() for _ in range(REPEATS)]
            figures[name] += times
            medians[name].append(statistics.median(times))
    print(f"{'request':<30}{'p50 ms':>9}{'p99 ms':>9}  x fixed (range)")
    for name, times in figures.items():
        p50, p99 = np.percentile(times, [50, 99]) * 1000
        print(f"{name:<30}{p50:>9.2f}{p99:>9.2f}  {ratio(medians, name, 'fixed, 40 KiB')}")


def _fetch(connection: http.client.HTTPConnection, path: str) -> float:
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    size = len(answer.read())
    if answer.status != http.HTTPStatus.OK or not size:
        raise RuntimeError(f"{path}: {answer.status}")
    return time.perf_counter() - began


def _serve(folder: Path, maps: int, defects: int, pipe: Connection) -> None:
    """A host in this process: many small maps, one with many defects, one with a recording."""
    page = folder / "page"
    page.mkdir()
    (page / "index.html").write_text("page")
    (page / "fixed.txt").write_bytes(b"0123456789abcdef" * 2560)
    large = ExampleScan(seed=1, defects=defects).scan
    recorded = ExampleScan(seed=2, size_mm=SIZE_MM, grid=(3, 2), defects=20, finest=2)
    with Store.open(folder / "store") as store:
        for number in range(maps):
            small = ExampleScan(seed=1000 + number, grid=(2, 2), defects=5)
            store.receive(RIG, small.parcels())
        # The map as Python's objects goes at once: a host has none of them.
        store.receive(RIG, ExampleScan(seed=1, defects=defects).parcels())
        began = _record(recorded, folder / "scan.h5")
        contents: list[Content] = [began, *recorded.tiles()]
        store.receive(RIG, [parcel(recorded.scan, each) for each in contents])
        settings = WebSettings(("127.0.0.1", 0), assets=page, recordings=[folder])
        server = WebServer(folder / "store", store, NoLink(), settings, Metrics())
        threading.Thread(target=_end_with, args=(pipe, server), daemon=True).start()
        gc.collect()
        server.run(lambda: pipe.send((server.address[1], large, recorded.scan)))


def _end_with(pipe: Connection, server: WebServer) -> None:
    pipe.recv()
    server.stop()


def _record(scan: ExampleScan, path: Path) -> ScanBegan:
    """Writes a recording of noise, and gives the scan's beginning that names it."""
    rng = np.random.default_rng(0)
    info = ScanInfo(
        element=scan.element,
        side=scan.side,
        element_size_mm=scan.size_mm,
        region_mm=(0.0, 0.0, *scan.size_mm),
        pitch_um=scan.pitch_um,
        pixel_to_stage=PixelToStage.from_pitch(scan.pitch_um, rotation_mrad=1.0),
        frame_shape=(FRAME_PX, FRAME_PX),
        pixel_type="uint8",
        bit_depth=8,
        frames_planned=scan.frames,
    )
    plan = [
        FrameMeta(frame=number, strip=0, position_mm=(x, y, 0.0), exposure_ns=number)
        for number, (x, y) in enumerate(scan.places_mm.tolist())
    ]
    with RecordingWriter(path, info, plan) as writer:
        for meta in plan:
            noise = rng.normal(30, 6, (FRAME_PX, FRAME_PX)).clip(0, 255).astype(np.uint8)
            writer.write(meta, noise)
    return scan.began().model_copy(update={"recording": str(path)})


if __name__ == "__main__":
    main()
