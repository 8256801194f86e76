"""The log of reviews: entries are appended, each with the hash of the one before in its own.

An entry's hash is the sha256 of its canonical JSON: keys in order, no spaces, UTF-8; with
the key ``before``, the hash of the entry before, of the first one 64 zeros.
"""

import json
import sqlite3
from collections.abc import Iterator
from hashlib import sha256

from darkscan.host.store import _clock
from darkscan.host.store.types import NewReview, Review, Verdict

_FIRST = "0" * 64
_FIELDS = ("number", "defect", "verdict", "kind", "comment", "name", "at", "hash")
_COLUMNS = ", ".join(_FIELDS)


def append_review(connection: sqlite3.Connection, scan_id: str, said: NewReview) -> Review:
    """Writes an entry, and the scan's count of reviewed defects."""
    last = connection.execute(
        "SELECT number, hash FROM reviews ORDER BY number DESC LIMIT 1"
    ).fetchone()
    number, before = (last[0] + 1, last[1]) if last else (1, _FIRST)
    entry = {"number": number, "scan": scan_id, **said.model_dump(), "at": _clock.utc(_clock.now())}
    entry["hash"] = _hash(entry, before)
    old = _verdict(connection, scan_id, said.defect)
    connection.execute(
        f"INSERT INTO reviews (scan, {_COLUMNS}) VALUES (?{', ?' * len(_FIELDS)})",  # noqa: S608
        (scan_id, *(entry[name] for name in _FIELDS)),
    )
    change = (said.verdict != "open") - (old != "open")
    connection.execute("UPDATE scans SET reviewed = reviewed + ? WHERE id = ?", (change, scan_id))
    return Review.model_validate({name: entry[name] for name in _FIELDS})


def list_reviews(connection: sqlite3.Connection, scan_id: str, after: int) -> list[Review]:
    """A scan's entries with numbers above ``after``, in their order."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM reviews WHERE scan = ? AND number > ? ORDER BY number",  # noqa: S608
        (scan_id, after),
    )
    return [Review.model_validate(dict(zip(_FIELDS, row, strict=True))) for row in rows]


def check_reviews(connection: sqlite3.Connection) -> int | None:
    """The number of the first entry that is not as it was written; None: all are.

    Entries that were cut off at the end of the log are not missed by it.
    """
    before, expected = _FIRST, 1
    for entry in _entries(connection):
        kept = entry.pop("hash")
        if entry["number"] != expected or kept != _hash(entry, before):
            return expected
        before, expected = str(kept), expected + 1
    return None


def _entries(connection: sqlite3.Connection) -> Iterator[dict[str, object]]:
    rows = connection.execute(f"SELECT scan, {_COLUMNS} FROM reviews ORDER BY number")  # noqa: S608
    return (dict(zip(("scan", *_FIELDS), row, strict=True)) for row in rows)


def _hash(entry: dict[str, object], before: str) -> str:
    text = json.dumps(
        {**entry, "before": before}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return sha256(text.encode()).hexdigest()


def _verdict(connection: sqlite3.Connection, scan_id: str, defect: str) -> Verdict:
    """What was said last of a defect; nobody has said anything: it is open."""
    row = connection.execute(
        "SELECT verdict FROM reviews WHERE scan = ? AND defect = ? ORDER BY number DESC LIMIT 1",
        (scan_id, defect),
    ).fetchone()
    return row[0] if row else "open"
