"""What people say of defects: appended to a log that nobody can change unnoticed."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from darkscan.host.store import NewReview, NotKept, Store, Verdict
from tests.host_examples import ExampleScan
from tests.host_store.conftest import RIG, send


@pytest.fixture
def kept(store: Store, example: ExampleScan) -> Store:
    """A store with the whole example."""
    store.receive(RIG, example.parcels())
    return store


def _said(defect: str, verdict: Verdict = "confirmed", comment: str = "") -> NewReview:
    return NewReview(defect=defect, verdict=verdict, comment=comment, name="Ada")


def test_reviews_come_back_in_their_order(kept: Store, example: ExampleScan) -> None:
    words = "two\nlines, <b>not bold</b>, Ω, '; DROP TABLE reviews; --"
    first = kept.review(example.scan, _said("D0003", "rejected", words))
    second = kept.review(
        example.scan, NewReview(defect="D0001", verdict="confirmed", kind="fibre", name="Grace")
    )
    assert kept.reviews(example.scan) == [first, second]
    assert kept.reviews(example.scan, after=first.number) == [second]
    assert (first.number, first.comment, second.kind, second.name) == (1, words, "fibre", "Grace")
    assert kept.check_reviews() is None


def test_a_defect_counts_as_reviewed_while_it_is_not_open(
    kept: Store, example: ExampleScan
) -> None:
    counts = []
    verdicts: list[Verdict] = ["confirmed", "rejected", "open", "open", "confirmed"]
    for verdict in verdicts:
        kept.review(example.scan, _said("D0001", verdict))
        counts.append(kept.scan(example.scan).reviewed)
    assert counts == [1, 1, 0, 0, 1]
    kept.review(example.scan, _said("D0002"))
    assert kept.scan(example.scan).reviewed == 2


def test_what_is_not_in_the_map_is_not_reviewed(
    store: Store, kept: Store, example: ExampleScan
) -> None:
    with pytest.raises(NotKept, match="the map has no defect 'D0999'"):
        kept.review(example.scan, _said("D0999"))
    running = ExampleScan(seed=7)
    send(store, running, running.began())
    with pytest.raises(NotKept, match="the map has not arrived"):
        kept.review(running.scan, _said("D0001"))
    assert kept.reviews(example.scan) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"defect": "A0001"},
        {"verdict": "perhaps"},
        {"kind": "hole"},
        {"name": ""},
        {"name": "two\nlines"},
        {"comment": "x" * 2001},
        {"comment": "\x1b[31m"},
        {"comment": "\ud800"},
        {"extra": 1},
    ],
    ids=[
        *("an area", "a verdict", "a kind", "no name", "a name of lines", "too long"),
        *("control characters", "no text", "a field"),
    ],
)
def test_a_review_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    good = {"defect": "D0001", "verdict": "confirmed", "name": "Ada"}
    with pytest.raises(ValidationError):
        NewReview.model_validate(good | fields)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reviews SET verdict = 'rejected'",
        "DELETE FROM reviews",
        "REPLACE INTO reviews SELECT number, scan, defect, '', '', '', name, at, hash FROM reviews",
    ],
    ids=["changed", "removed", "replaced"],
)
def test_the_database_lets_no_review_be_changed(
    kept: Store, example: ExampleScan, tmp_path: Path, statement: str
) -> None:
    kept.review(example.scan, _said("D0001"))
    with (
        closing(sqlite3.connect(tmp_path / "store" / "store.sqlite")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="reviews are never"),
    ):
        connection.execute(statement)
    assert [one.verdict for one in kept.reviews(example.scan)] == ["confirmed"]


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE reviews SET comment = 'no' WHERE number = 2", 2),
        ("UPDATE reviews SET scan = 'x' WHERE number = 3", 3),
        ("DELETE FROM reviews WHERE number = 1", 1),
        ("DELETE FROM reviews WHERE number = 2", 2),
    ],
    ids=["changed", "of another scan", "the first removed", "one removed"],
)
def test_who_changes_the_file_all_the_same_is_found_out(
    kept: Store, example: ExampleScan, tmp_path: Path, statement: str, broken: int
) -> None:
    for defect in ("D0001", "D0002", "D0003"):
        kept.review(example.scan, _said(defect))
    assert kept.check_reviews() is None
    with closing(sqlite3.connect(tmp_path / "store" / "store.sqlite")) as connection:
        for trigger in ("reviews_stay", "reviews_are_not_removed"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
        connection.commit()
    assert kept.check_reviews() == broken


def test_people_review_at_the_same_time_and_while_maps_arrive(
    kept: Store, example: ExampleScan
) -> None:
    def review(name: str) -> None:
        for number in range(10):
            said = NewReview(defect=f"D{number + 1:04d}", verdict="confirmed", name=name)
            kept.review(example.scan, said)

    threads = [threading.Thread(target=review, args=(name,)) for name in ("Ada", "Grace", "Hedy")]
    for thread in threads:
        thread.start()
    for seed in range(20, 26):
        other = ExampleScan(seed=seed, size_mm=(30, 20), grid=(2, 1), defects=50)
        kept.receive(RIG, other.parcels())
    for thread in threads:
        thread.join()
    assert len(kept.reviews(example.scan)) == 30
    assert kept.check_reviews() is None
    assert kept.scan(example.scan).reviewed == 10
