"""The host's store against plain files of the same bytes.

    PYTHONPATH=. python benchmarks/host_store.py [--maps 1000] [--defects 100000] [--rounds 7]

Maps of 1000 defects are received one by one, each after a floor: the same bytes appended to
a file, and fsync. Then the list of all of them is read; tiles at random places, after a floor
that reads the same bytes each from a file of its own; and the columns of an element with very
many defects, beside a file of the same bytes. All in a temporary folder (--folder: in which).
Processor time tells, on a machine that others use, what part of a time is the store's own.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from figures import exit_code_of, in_turn, machine, ratio

from darkscan.host.store import RigName, ScanQuery, Store
from darkscan.pipeline.host_link.messages import (
    Content,
    Parcel,
    Tile,
    encode_content,
    new_id,
)
from tests.host_examples import ExampleScan, parcel

RIG = RigName("rig")
_MS = 1000
_SIZE_MM = (120.0, 80.0)


def main() -> None:
    """Prints milliseconds, p50 and p99 where there are many, and ratios to the floors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=int, default=1000)
    parser.add_argument("--defects", type=int, default=100_000)
    parser.add_argument("--tiles", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    print(machine())
    with (
        tempfile.TemporaryDirectory(dir=arguments.folder) as folder,
        Store.open(Path(folder) / "store") as store,
    ):
        _commits(store, Path(folder), arguments.maps)
        _list(store, arguments.maps, arguments.rounds)
        _tiles(store, Path(folder), arguments.tiles)
        _many_defects(store, Path(folder), arguments.defects, arguments.rounds)


def _commits(store: Store, folder: Path, maps: int) -> None:
    """A map of 1000 defects, received: read, checked, prepared and committed."""
    example = ExampleScan(seed=1, size_mm=_SIZE_MM, grid=(8, 6), defects=1000)
    began, finished, ended = example.began(), example.map_finished(), example.ended()
    content = encode_content(finished)
    floors, commits, frames, processor = [], [], [], []
    with (folder / "appended").open("ab", buffering=0) as file:
        for number in range(maps):
            scan = f"{number:032x}"
            _receive(store, scan, began)
            for settled in example.settled(batch=8)[:2] if number % 50 == 0 else ():
                one = parcel(scan, settled)
                frames.append(_timed(partial(store.receive, RIG, [one])))
            floors.append(_timed(lambda: _append(file.fileno(), content)))
            one = Parcel(id=new_id(), scan=scan, content=content)
            before = time.thread_time()
            commits.append(_timed(partial(store.receive, RIG, [one])))
            processor.append(time.thread_time() - before)
            _receive(store, scan, ended)
            _tell("maps received", number, maps)
    _line(f"map of 1000 defects ({len(content) / 1000:.0f} kB), received", commits)
    _line("  of it processor time", processor)
    _line("  floor: appended and synced", floors)
    _ratio(commits, floors)
    _line("8 frames settled, received", frames)


def _list(store: Store, maps: int, rounds: int) -> None:
    query = ScanQuery(limit=maps)
    listed, processor = [], []
    for _ in range(rounds):
        before = time.thread_time()
        listed.append(_timed(lambda: store.scans(query)))
        processor.append(time.thread_time() - before)
    as_json = [
        _timed(lambda: [one.model_dump_json() for one in store.scans(query).scans])
        for _ in range(rounds)
    ]
    first = [_timed(lambda: store.scans(ScanQuery(limit=100))) for _ in range(rounds)]
    _line(f"list of {maps} maps", listed)
    _line("  of it processor time", processor)
    _line("  as JSON", as_json)
    _line("  its first 100", first)


def _tiles(store: Store, folder: Path, count: int) -> None:
    """Tiles of the live size, read at random places; the page cache is warm for both."""
    example = ExampleScan(seed=2, defects=2000, grid=(8, 6))
    _receive(store, example.scan, example.began())
    jpeg = [example.tile(3, x, 2).jpeg for x in range(8)]
    side = int(np.ceil(np.sqrt(count)))
    places = [(n % side, n // side) for n in range(count)]
    (folder / "tiles").mkdir()
    writes = []
    for first in range(0, count, 16):
        tiles = [
            Tile(level=1, x=x, y=y, revision=1, final=True, jpeg=jpeg[(x + y) % 8])
            for x, y in places[first : first + 16]
        ]
        parcels = [parcel(example.scan, tile) for tile in tiles]
        writes.append(_timed(partial(store.receive, RIG, parcels)))
        for tile in tiles:
            (folder / "tiles" / f"{tile.x}-{tile.y}.jpg").write_bytes(tile.jpeg)
    order = np.random.default_rng(0).permutation(count).tolist()
    reads, floors = [], []
    for number in order:
        x, y = places[number]
        path = folder / "tiles" / f"{x}-{y}.jpg"
        floors.append(_timed(path.read_bytes))
        reads.append(_timed(partial(store.tile, example.scan, 1, x, y)))
    _line("16 tiles received", writes)
    _line(f"tile of {len(jpeg[0]) / 1000:.0f} kB, read", reads)
    _line("  floor: a file of its own, read", floors)
    _ratio(reads, floors)


def _many_defects(store: Store, folder: Path, count: int, rounds: int) -> None:
    example = ExampleScan(seed=3, grid=(40, 24), defects=count)
    content = example.map_finished()
    _receive(store, example.scan, example.began())
    took = _timed(lambda: _receive(store, example.scan, content))
    path = folder / "columns"
    path.write_bytes(store.defects(example.scan).packed)
    ways: dict[str, Callable[[], float]] = {
        "floor": lambda: _timed(path.read_bytes),
        "columns": lambda: _timed(lambda: store.defects(example.scan)),
        "one": lambda: _timed(lambda: store.defect(example.scan, f"D{count // 2:04d}")),
        "details": lambda: _timed(lambda: store.scan(example.scan)),
    }
    figures = in_turn(ways, rounds)
    size = path.stat().st_size / 1e6
    _line(f"map of {count} defects ({len(content.map_zlib) / 1e6:.1f} MB), received", [took])
    _line(f"  its columns ({size:.1f} MB)", figures["columns"])
    _line("  floor: a file of the same bytes", figures["floor"])
    print(f"    x floor {ratio(figures, 'columns', 'floor')}")
    _line("  one of its defects", figures["one"])
    _line("  details of its scan", figures["details"])


def _receive(store: Store, scan: str, content: Content) -> None:
    (receipt,) = store.receive(RIG, [parcel(scan, content)])
    assert receipt.outcome == "stored", receipt


def _append(descriptor: int, content: bytes) -> None:
    os.write(descriptor, content)
    os.fsync(descriptor)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _line(name: str, seconds: Sequence[float]) -> None:
    p50, p99 = (float(np.quantile(seconds, part)) * _MS for part in (0.5, 0.99))
    print(f"{name:<52}{p50:>9.3f} ms p50{p99:>10.3f} ms p99   ({len(seconds)})")


def _ratio(times: Sequence[float], floors: Sequence[float]) -> None:
    ratios = [a / b for a, b in zip(times, floors, strict=True)]
    print(f"    x floor {statistics.median(ratios):.2f}")


def _tell(what: str, number: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what}: {number + 1} of {total} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
