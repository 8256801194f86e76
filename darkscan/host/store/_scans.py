"""Scans as they are listed and shown."""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from darkscan.host.store import _clock
from darkscan.host.store._maps import map_figures
from darkscan.host.store._refusals import ANOTHERS_SCAN, NO_SUCH_SCAN, Refused
from darkscan.host.store.types import (
    SILENT_S,
    FrameCounts,
    NotKept,
    Picture,
    Removals,
    ScanDetails,
    ScanPage,
    ScanQuery,
    ScanState,
    ScanSummary,
)
from darkscan.pipeline.core.frame_results import DEFECT_KINDS
from darkscan.pipeline.host_link.messages import ScanBegan, ScanEnded, decode_content

_MOST_AT_ONCE = 1000
_LARGEST_INT = 2**31 - 1
UNFINISHED = frozenset({"aborted", "died", "failed"})
"""Outcomes of scans without a map; a run that goes on gives such a scan another end."""

_SUMMARY = (
    "SELECT key, id, element, side, rig, origin, began, ended, outcome, reason, heard, planned,"
    " mapped, quarantined, lost, scratch, fibre, dig, dust, length_mm, inspected_fraction,"
    " reviewed FROM scans"
)


class ScanRow(NamedTuple):
    """What must be known of a scan to add to it."""

    key: int
    id: str
    rig: str
    element: str
    outcome: str | None
    has_map: bool
    tiles_removed: bool
    revision: int


def find_scan(connection: sqlite3.Connection, scan_id: str) -> ScanRow | None:
    """The scan of this id; None: there is none."""
    found = connection.execute(
        "SELECT key, id, rig, element, outcome, scratch IS NOT NULL, tiles_removed IS NOT NULL,"
        " revision FROM scans WHERE id = ?",
        (scan_id,),
    ).fetchone()
    return None if found is None else ScanRow(*found)


def scan_row(connection: sqlite3.Connection, scan_id: str, rig: str | None = None) -> ScanRow:
    """The scan of this id. Raises Refused if there is none, or if it is another rig's."""
    found = find_scan(connection, scan_id)
    if found is None:
        raise Refused(NO_SUCH_SCAN)
    if rig is not None and found.rig != rig:
        raise Refused(ANOTHERS_SCAN)
    return found


def scan_key(connection: sqlite3.Connection, scan_id: str) -> int:
    """The scan's key in the database. Raises NotKept."""
    known = scan_id if scan_id.isascii() else ""
    found = connection.execute("SELECT key FROM scans WHERE id = ?", (known,)).fetchone()
    if found is None:
        raise NotKept(f"there is no scan {scan_id!a:.40}")
    return int(found[0])


def begin_scan(
    connection: sqlite3.Connection, scan_id: str, rig: str, began: ScanBegan, content: bytes
) -> int:
    """Writes a new scan without its frames; gives its key."""
    key = connection.execute(
        "INSERT INTO scans (id, rig, element, side, origin, began, heard, planned)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(scan_id, rig, began.element, began.side, began.origin, began.began),
            *(_clock.now(), len(began.frames)),
        ),
    ).lastrowid
    connection.execute("INSERT INTO beginnings VALUES (?, ?)", (key, content))
    return int(key or 0)


def end_scan(
    connection: sqlite3.Connection, scan: int, end: ScanEnded, *, tiles_dropped: int
) -> None:
    """Writes how a scan ended, and how many tiles its rig had dropped when last heard of."""
    connection.execute(
        "UPDATE scans SET ended = ?, outcome = ?, reason = ?, seconds = ?, ended_here = ?,"
        " frames_not_pictured = ?, tiles_dropped = ? WHERE key = ?",
        (
            *(end.ended, end.outcome, end.reason, end.seconds, _clock.now()),
            *(min(count, _LARGEST_INT) for count in (end.frames_not_pictured, tiles_dropped)),
            scan,
        ),
    )


def go_on(connection: sqlite3.Connection, scan: int) -> bool:
    """A scan that ended unfinished begins again; False if it had not ended so."""
    reopened = connection.execute(
        "UPDATE scans SET ended = NULL, outcome = NULL, reason = '', seconds = NULL,"
        " ended_here = NULL WHERE key = ? AND outcome IN (?, ?, ?)",
        (scan, *sorted(UNFINISHED)),
    )
    return bool(reopened.rowcount)


def beginning(connection: sqlite3.Connection, scan: int) -> ScanBegan:
    """How a scan began."""
    row = connection.execute("SELECT content FROM beginnings WHERE scan = ?", (scan,)).fetchone()
    began = decode_content(bytes(row[0]))
    assert isinstance(began, ScanBegan)
    return began


def summary(connection: sqlite3.Connection, scan: int, heard: dict[str, float]) -> ScanSummary:
    """One scan. ``heard``: when, by the host, the rig last spoke of each running scan."""
    row = connection.execute(f"{_SUMMARY} WHERE key = ?", (scan,)).fetchone()
    return _summary(row, heard)


def list_scans(
    connection: sqlite3.Connection, query: ScanQuery, heard: dict[str, float]
) -> ScanPage:
    """A page of scans, the newest first."""
    limit = min(max(query.limit, 1), _MOST_AT_ONCE)
    conditions, values = _conditions(query)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    cursor = connection.execute(f"{_SUMMARY}{where} ORDER BY began DESC, id DESC", values)
    found: list[ScanSummary] = []
    for row in cursor:
        one = _summary(row, heard)
        if query.state is not None and one.state != query.state:
            continue
        if len(found) == limit:
            last = found[-1]
            return ScanPage(found, f"{last.began}/{last.id}")
        found.append(one)
    return ScanPage(found, None)


def details(
    connection: sqlite3.Connection, scan: int, heard: dict[str, float], tiles: int
) -> ScanDetails:
    """All about a scan but its progress, which is not in the database."""
    began, figures = beginning(connection, scan), map_figures(connection, scan)
    not_pictured, dropped, tiles_removed, map_removed = connection.execute(
        "SELECT frames_not_pictured, tiles_dropped, tiles_removed, map_removed FROM scans"
        " WHERE key = ?",
        (scan,),
    ).fetchone()
    picture = began.picture
    return ScanDetails(
        **dict(summary(connection, scan, heard)),
        size_mm=began.element_size_mm,
        **{name: getattr(began, name) for name in _OF_BEGINNING},
        picture=None if picture is None else Picture(**dict(picture), tiles=tiles),
        not_inspected=figures.not_inspected if figures else (),
        totals=figures.totals if figures else None,
        coverage=figures.coverage if figures else None,
        progress=None,
        frames_not_pictured=not_pictured,
        tiles_dropped=dropped,
        removed=Removals(tiles=tiles_removed, map=map_removed),
    )


_OF_BEGINNING = (
    *("region_mm", "pitch_um", "recipe", "recipe_hash", "model", "model_hash", "threshold"),
    *("calibration", "frame_shape", "pixel_to_stage"),
)


def _conditions(query: ScanQuery) -> tuple[list[str], list[str]]:
    conditions, values = [], []
    if query.before:
        began, _, scan_id = query.before.partition("/")
        conditions.append("(began, id) < (?, ?)")
        values += [began, scan_id]
    if query.element:
        conditions.append("element LIKE ? ESCAPE '!'")
        plain = "".join(f"!{letter}" if letter in "!%_" else letter for letter in query.element)
        values.append(f"%{plain}%")
    if query.side:
        conditions.append("side = ?")
        values.append(query.side)
    if query.rig is not None:
        conditions.append("rig = ?")
        values.append(query.rig)
    if query.state in {"running", "silent"}:
        conditions.append("outcome IS NULL")
    elif query.state is not None:
        conditions.append("outcome = ?")
        values.append(query.state)
    return conditions, [_as_text(value) for value in values]


def _as_text(value: str) -> str:
    """Text that SQLite takes; a lone surrogate is in no name."""
    return value.encode("utf-8", "replace").decode()


def _summary(row: Sequence[Any], heard: dict[str, float]) -> ScanSummary:
    values = dict(zip(_FIELDS, row, strict=True))
    del values["key"]
    kinds = {kind: values.pop(kind) for kind in DEFECT_KINDS}
    values["defects"] = None if kinds["scratch"] is None else kinds
    values["frames"] = {name: values.pop(name) for name in _COUNTS}
    last = max(values.pop("heard"), heard.get(values["id"], 0.0))
    values["state"] = values.pop("outcome") or _state(last)
    return ScanSummary.model_validate(values)


_COUNTS = tuple(FrameCounts.model_fields)
_FIELDS = tuple(_SUMMARY.removeprefix("SELECT ").removesuffix(" FROM scans").split(", "))


def _state(heard: float) -> ScanState:
    return "running" if abs(_clock.now() - heard) < SILENT_S else "silent"
