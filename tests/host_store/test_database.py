"""The store's folder and its database: made, opened, brought up to date, or refused."""

import gzip
import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from darkscan.host.store import Store
from darkscan.host.store._database import Database, migrate, migrations
from darkscan.pipeline.core.errors import InputError, StorageError
from tests.host_store.conftest import RIG, outcomes
from tests.host_store.old_stores import FOLDER, OLD


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: str(file.name))
def test_a_store_of_each_version_opens_with_all_that_is_in_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(gzip.decompress(file.read_bytes()))
    with Store.open(tmp_path) as store:
        found = store.scan(OLD.scan)
        assert (found.element, found.state, found.reviewed) == (OLD.element, "incomplete", 1)
        assert store.map_bytes(OLD.scan) == OLD.map_json
        assert store.defect(OLD.scan, "D0002") == OLD.defect_map.defects[1]
        assert store.frames(OLD.scan).outcome.tolist() == [0, 0, 0, 1]
        assert store.shapes(OLD.scan).counts.sum() > 0
        assert [stage.frames for stage in store.stage_timings(OLD.scan).stages] == [3] * 4
        assert [one.verdict for one in store.reviews(OLD.scan)] == ["rejected"]
        assert store.check_reviews() is None
        assert set(outcomes(store.receive(RIG, OLD.parcels()))) == {"known"}


def test_there_is_a_store_of_the_present_version_among_them() -> None:
    assert (FOLDER / f"version-{len(migrations())}.sqlite.gz").exists(), (
        "run python -m tests.host_store.old_stores and commit what it writes"
    )


def test_a_migration_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first = "CREATE TABLE a (b INTEGER) STRICT;"
    migrate(path, [first])
    with pytest.raises(StorageError, match="no such table: nowhere"):
        migrate(path, [first, "CREATE TABLE c (d INTEGER) STRICT; DROP TABLE nowhere;"])
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
        assert names == ["a"]
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    migrate(path, [first, "CREATE TABLE c (d INTEGER) STRICT;", "INSERT INTO c VALUES (7);"])
    migrate(path, [first, "CREATE TABLE c (d INTEGER) STRICT;", "INSERT INTO c VALUES (7);"])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT d FROM c").fetchall() == [(7,)]


def test_every_table_is_strict_and_the_journal_is_safe(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store"):
        database = Database(tmp_path / "store" / "store.sqlite")
        with database.reading() as connection:
            rows = connection.execute(
                "SELECT name, strict FROM pragma_table_list WHERE schema = 'main'"
                " AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            assert rows
            assert all(strict for _, strict in rows), rows
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        database.close()


def _later(folder: Path) -> None:
    with Store.open(folder):
        pass
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 999")


def _anothers(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        connection.execute("CREATE TABLE notes (text)")


def _noise(folder: Path) -> None:
    folder.mkdir()
    (folder / "store.sqlite").write_bytes(b"This is no database at all. " * 100)


def _other_files(folder: Path) -> None:
    folder.mkdir()
    (folder / "letter.txt").write_text("Dear Ada")


def _file(folder: Path) -> None:
    folder.write_text("")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_later, "is of version 999, later than this program's"),
        (_anothers, "is no store of darkscan"),
        (_noise, "is no store of darkscan"),
        (_other_files, "is neither a store nor empty"),
        (_file, "is not a folder"),
    ],
    ids=["a later version", "another's database", "no database", "a folder of letters", "a file"],
)
def test_what_is_no_store_of_ours_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    folder = tmp_path / "store"
    make(folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(InputError, match=problem) as caught:
        Store.open(folder)
    assert str(folder) in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def _open_elsewhere(folder: Path, answer: Connection) -> None:
    try:
        Store.open(folder).close()
        said = "opened"
    except InputError as error:
        said = str(error)
    answer.send(said)


def test_one_host_at_a_time_uses_a_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")

    def elsewhere() -> str:
        ours, theirs = context.Pipe()
        process = context.Process(target=_open_elsewhere, args=(tmp_path / "store", theirs))
        process.start()
        said = str(ours.recv())
        process.join()
        return said

    with Store.open(tmp_path / "store"):
        assert elsewhere() == (
            f"{tmp_path}/store: is in use by another host (process {os.getpid()})"
        )
    assert elsewhere() == "opened"


def test_a_store_that_failed_to_open_lets_the_folder_go(tmp_path: Path) -> None:
    _later(tmp_path / "store")
    for _ in range(2):
        with pytest.raises(InputError, match="is of version"):
            Store.open(tmp_path / "store")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StorageError, match="cannot be written: Permission denied"):
        Store.open(tmp_path / "store")
    tmp_path.chmod(stat.S_IRWXU)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    store.close()
    with pytest.raises(StorageError, match="the store is closed"):
        store.scans()
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        *("lock", "store.sqlite", "tiles")
    ]
