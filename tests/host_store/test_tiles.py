"""Tiles of a scan's picture: the latest revision is kept, and nothing that is no tile."""

import threading
import time

import numpy as np
import pytest
import simplejpeg

from darkscan.host.store import Store
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.host_link.messages import Tile
from tests.host_examples import ExampleScan
from tests.host_store.conftest import outcomes, send


def _jpeg(height: int, width: int, colours: str = "GRAY") -> bytes:
    shape = (height, width, 1 if colours == "GRAY" else 3)
    jpeg: bytes = simplejpeg.encode_jpeg(np.zeros(shape, np.uint8), colorspace=colours)
    return jpeg


def test_a_tile_comes_back_as_it_was_sent(store: Store, example: ExampleScan) -> None:
    tile = example.tile(1, 1, 0, revision=3, final=False)
    assert outcomes(send(store, example, example.began(), tile)) == ["stored", "stored"]
    assert store.tile(example.scan, 1, 1, 0) == (3, False, tile.jpeg)
    assert store.tile(example.scan, 1, 0, 0) is None
    assert store.tile(example.scan, 2**70, -(2**70), 0) is None


@pytest.mark.parametrize(
    ("revisions", "answers"),
    [
        ([1, 2], ["stored", "stored"]),
        ([2, 1], ["stored", "known"]),
        ([2, 2], ["stored", "known"]),
    ],
    ids=["a later one", "an earlier one", "the same"],
)
def test_only_a_later_revision_replaces_a_tile(
    store: Store, example: ExampleScan, revisions: list[int], answers: list[str]
) -> None:
    tiles = [
        updated(example.tile(2, 0, 0), revision=revision, jpeg=_jpeg(100 + number, 100))
        for number, revision in enumerate(revisions)
    ]
    receipts = send(store, example, example.began(), *tiles)
    assert outcomes(receipts)[1:] == answers
    last = max(range(2), key=lambda number: (revisions[number], -number))
    assert store.tile(example.scan, 2, 0, 0) == (max(revisions), True, tiles[last].jpeg)
    picture = store.scan(example.scan).picture
    assert picture is not None
    assert picture.tiles == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"level": 4}, "the picture has no tile 4/0/0"),
        ({"x": 3}, "the picture has no tile 1/3/0"),
        ({"y": 2}, "the picture has no tile 1/0/2"),
        ({"jpeg": b""}, "jpeg: is no JPEG"),
        ({"jpeg": b"<script>"}, "jpeg: is no JPEG"),
        ({"jpeg": _jpeg(10, 10, "RGB")}, "jpeg: must be grey, of 512 x 512 pixels at most"),
        ({"jpeg": _jpeg(513, 10)}, "jpeg: must be grey, of 512 x 512 pixels at most"),
    ],
    ids=["a level", "a column", "a row", "nothing", "something else", "colours", "too large"],
)
def test_what_is_no_tile_of_the_picture_is_refused(
    store: Store, example: ExampleScan, change: dict[str, object], reason: str
) -> None:
    good = example.tile(1, 0, 0)
    receipts = send(store, example, example.began(), updated(good, **change), good)
    assert outcomes(receipts) == ["stored", "refused", "stored"]
    assert receipts[1].reason == reason


def test_the_last_tile_of_each_row_and_column_is_of_the_picture(
    store: Store, example: ExampleScan
) -> None:
    send(store, example, example.began())
    assert set(outcomes(send(store, example, *example.tiles(finest=0)))) == {"stored"}


def test_tiles_of_a_scan_without_a_picture_are_refused(store: Store, example: ExampleScan) -> None:
    began = updated(example.began(), picture=None)
    receipts = send(store, example, began, example.tile(1, 0, 0))
    assert outcomes(receipts) == ["stored", "refused"]
    assert store.scan(example.scan).picture is None


def test_tiles_of_many_scans_are_kept_apart(store: Store) -> None:
    scans = [ExampleScan(seed=n, size_mm=(30, 20), grid=(1, 1)) for n in range(40)]
    for one in scans:
        send(store, one, one.began(), one.tile(3, 0, 0))
    for one in scans:
        assert store.tile(one.scan, 3, 0, 0) == (1, True, one.tile(3, 0, 0).jpeg)


def test_tiles_are_read_while_they_are_written(store: Store, example: ExampleScan) -> None:
    send(store, example, example.began(), example.tile(2, 0, 0))
    jpegs = {number: _jpeg(number, 100) for number in range(1, 60)}
    problems: list[object] = []
    done = threading.Event()

    def read() -> None:
        last = 0
        while not done.is_set():
            found = store.tile(example.scan, 2, 0, 0)
            if found is None or found.revision < last:
                problems.append((last, found))
                return
            if found.revision > 1 and found.jpeg != jpegs[found.revision]:
                problems.append(found.revision)
            last = found.revision
            time.sleep(0.001)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 60):
        tile = Tile(level=2, x=0, y=0, revision=number, final=False, jpeg=jpegs[number])
        assert outcomes(send(store, example, tile)) == ["stored"]
    done.set()
    for thread in threads:
        thread.join()
    assert not problems
