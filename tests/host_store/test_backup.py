"""Copies of a store: whole, checked, taken while the host runs; and opened again."""

import sqlite3
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from darkscan.host.store import NewReview, Store, backup
from darkscan.pipeline.core.errors import InputError, StorageError
from tests.host_examples import ExampleScan
from tests.host_store.conftest import RIG, send


@pytest.fixture
def kept(store: Store, example: ExampleScan) -> Store:
    """A store with the whole example and a review."""
    store.receive(RIG, example.parcels(tiles=True))
    store.review(example.scan, NewReview(defect="D0001", verdict="confirmed", name="Ada"))
    return store


def test_a_copy_opens_as_the_store_that_it_was(
    kept: Store, example: ExampleScan, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    found = backup(kept.folder, tmp_path / "copy", progress=lambda *told_: told.append(told_))
    assert (found.scans, found.maps, found.reviews, found.pictures) == (1, 1, 1, 1)
    assert told[-1][0] == told[-1][1] > 0
    assert all(a[0] <= b[0] for a, b in pairwise(told))
    assert found.size_bytes == sum(
        path.stat().st_size for path in (tmp_path / "copy").rglob("*.sqlite")
    )
    with Store.open(tmp_path / "copy") as copy:
        assert copy.scan(example.scan) == kept.scan(example.scan)
        assert copy.map_bytes(example.scan) == example.map_json
        assert copy.tile(example.scan, 1, 1, 1) == kept.tile(example.scan, 1, 1, 1)
        assert copy.reviews(example.scan) == kept.reviews(example.scan)


def test_a_copy_without_tiles_has_all_else(
    kept: Store, example: ExampleScan, tmp_path: Path
) -> None:
    assert backup(kept.folder, tmp_path / "copy", tiles=False).pictures == 0
    with Store.open(tmp_path / "copy") as copy:
        assert copy.tile(example.scan, 1, 1, 1) is None
        assert copy.defect(example.scan, "D0001") == kept.defect(example.scan, "D0001")


def test_a_copy_is_of_one_moment_while_rigs_go_on_sending(kept: Store, tmp_path: Path) -> None:
    done = threading.Event()
    problems: list[BaseException] = []

    def receive() -> None:
        try:
            seed = 100
            while not done.is_set():
                seed += 1
                one = ExampleScan(seed=seed, size_mm=(30, 20), grid=(2, 1), defects=20)
                kept.receive(RIG, one.parcels())
        except BaseException as error:  # noqa: BLE001 - the test tells of it
            problems.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        for number in range(3):
            found = backup(kept.folder, tmp_path / f"copy-{number}")
            assert found.maps == found.scans
            with Store.open(tmp_path / f"copy-{number}") as copy:
                assert len(copy.scans().scans) == min(found.scans, 100)
    finally:
        done.set()
        thread.join()
    assert not problems


def test_an_existing_folder_is_not_written_over(kept: Store, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(InputError, match="copy: exists already"):
        backup(kept.folder, tmp_path / "copy")
    with pytest.raises(InputError, match="is no folder to write into"):
        backup(kept.folder, tmp_path / "nowhere" / "copy")


@pytest.mark.parametrize("content", [None, b"x" * 5000], ids=["no file", "no database"])
def test_what_is_no_store_is_not_copied(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "store").mkdir()
    if content is not None:
        (tmp_path / "store" / "store.sqlite").write_bytes(content)
    with pytest.raises(InputError, match=r"store\.sqlite: (there|is) (is )?no store"):
        backup(tmp_path / "store", tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_a_damaged_store_gives_no_copy(tmp_path: Path, store: Store, example: ExampleScan) -> None:
    store.receive(RIG, example.parcels())
    store.close()
    path = store.folder / "store.sqlite"
    content = bytearray(path.read_bytes())
    content[8 * 4096 : 40 * 4096] = bytes(32 * 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"malformed|damaged"):
        backup(store.folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert not list(tmp_path.glob(".copy*"))


def test_a_changed_review_gives_no_copy(kept: Store, example: ExampleScan, tmp_path: Path) -> None:
    with closing(sqlite3.connect(kept.folder / "store.sqlite")) as connection:
        connection.execute("DROP TRIGGER reviews_stay")
        connection.execute("UPDATE reviews SET verdict = 'rejected'")
        connection.commit()
    with pytest.raises(StorageError, match="review 1 is not as it was written"):
        backup(kept.folder, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))


def test_what_a_killed_copy_left_is_cleared_away(kept: Store, tmp_path: Path) -> None:
    left = tmp_path / ".copy.999999999.part"
    left.mkdir()
    (left / "store.sqlite").write_bytes(b"half")
    backup(kept.folder, tmp_path / "copy")
    assert not left.exists()


def test_an_interrupted_copy_leaves_nothing(kept: Store, tmp_path: Path) -> None:
    def interrupt(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(kept.folder, tmp_path / "copy", progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    send(kept, ExampleScan(seed=5), ExampleScan(seed=5).began())
