"""Frames as they are planned and settled, and what was traced in them."""

import sqlite3

import numpy as np

from darkscan.host.store._refusals import Refused
from darkscan.host.store._timings import add_spans, spans_of
from darkscan.host.store.columns import (
    NOT_YET,
    FrameColumns,
    ShapeColumns,
    unpack,
)
from darkscan.host.store.types import FrameCounts, NotKept
from darkscan.pipeline.core.arrays import Mask, UInt8Array
from darkscan.pipeline.host_link.messages import OUTCOMES, FramesSettled, ScanBegan, Shapes

MOST_FRAMES = 1_000_000
_MOST_SETTLED = 65_536
_MOST_WORKERS = 4096
_FARTHEST_MM = 1e6
_LARGEST_INT = 2**31 - 1
_NOT_PLANNED = -1
_LAST_REASON = 65_535  # a column of reasons is uint16


def check_plan(began: ScanBegan) -> None:
    """Raises Refused unless the planned frames can be kept."""
    if len(began.frames) > MOST_FRAMES:
        raise Refused(f"frames: there are more than {MOST_FRAMES}")
    _check_numbers(began.frames)
    if (began.strips < 0).any():
        raise Refused("strips: must not be negative")
    _check_places(began.places_mm)


def check_settled(content: FramesSettled) -> None:
    """Raises Refused unless the frames can be kept."""
    if len(content.frames) > _MOST_SETTLED:
        raise Refused(f"frames: there are more than {_MOST_SETTLED}")
    _check_numbers(content.frames)
    _check_places(content.places_mm)
    if (content.positives < 0).any():
        raise Refused("positives: must not be negative")
    if not np.isin(content.shapes.frames, content.frames).all():
        raise Refused("shapes: must be of these frames")
    workers = content.stamps[:, 2]
    if ((workers < 0) | (workers >= _MOST_WORKERS)).any():
        raise Refused(f"stamps: workers must be 0 to {_MOST_WORKERS - 1}")


def plan_frames(connection: sqlite3.Connection, scan: int, began: ScanBegan) -> None:
    """Writes the planned frames of a new scan."""
    rows = zip(began.frames.tolist(), began.strips.tolist(), began.places_mm.tolist(), strict=True)
    connection.executemany(
        "INSERT INTO frames (scan, number, strip, x_mm, y_mm) VALUES (?, ?, ?, ?, ?)",
        ((scan, number, strip, x, y) for number, strip, (x, y) in rows),
    )


def settle_frames(
    connection: sqlite3.Connection, scan: int, content: FramesSettled, *, count: bool
) -> int:
    """Writes what became of frames; gives how many had not been settled before.

    Of a frame that was, nothing changes, unless it had not been inspected, and is now by a run
    that went on from an unfinished one. ``count``: whether the scan's counts are of settled
    frames, as no map has come yet.
    """
    (revision,) = connection.execute(
        "UPDATE scans SET revision = revision + 1 WHERE key = ? RETURNING revision", (scan,)
    ).fetchone()
    if count:
        _take_again(connection, scan, content.frames[content.outcomes == 0].tolist())
    new = np.array([_settle(connection, scan, revision, row) for row in _rows(content)], bool)
    if count:
        _count(connection, scan, content.outcomes[new])
    connection.executemany(
        "INSERT OR REPLACE INTO scores VALUES (?, ?, ?)",
        (
            (scan, int(content.frames[row]), content.scores[row].tobytes())
            for row in np.flatnonzero(new & (content.outcomes == 0)).tolist()
        ),
    )
    numbers = content.frames[new]
    columns = _shape_columns(content.shapes, np.isin(content.shapes.frames, numbers), revision)
    if len(columns.counts):
        connection.execute(
            "INSERT INTO shapes (scan, revision, columns) VALUES (?, ?, ?)",
            (scan, revision, columns.packed()),
        )
    add_spans(connection, scan, spans_of(content.stamps[np.isin(content.stamps[:, 0], numbers)]))
    return int(new.sum())


def read_frames(connection: sqlite3.Connection, scan: int, after: int) -> FrameColumns:
    """The frames that changed after a revision; of revision 0, all."""
    rows = connection.execute(
        "SELECT number, x_mm, y_mm, strip, outcome, reason, positives FROM frames"
        " WHERE scan = ? AND revision >= ? ORDER BY number",
        (scan, after + 1 if after > 0 else 0),
    ).fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 7
    reasons = {"": 0}
    places = [reasons.setdefault(reason, len(reasons)) for reason in columns[5]]
    return FrameColumns(
        revision=_revision(connection, scan),
        reasons=tuple(reasons)[: _LAST_REASON + 1],
        number=np.array(columns[0], np.int32),
        x_mm=np.array(columns[1], np.float32),
        y_mm=np.array(columns[2], np.float32),
        strip=np.array(columns[3], np.int32),
        outcome=np.array(columns[4], np.uint8),
        reason=np.array(places, np.int64).clip(0, _LAST_REASON).astype(np.uint16),
        positives=np.array(columns[6], np.int32),
    )


def read_shapes(connection: sqlite3.Connection, scan: int, after: int) -> ShapeColumns:
    """The lines and spots that were traced after a revision."""
    rows = connection.execute(
        "SELECT columns FROM shapes WHERE scan = ? AND revision > ? ORDER BY revision",
        (scan, after),
    ).fetchall()
    none = _shape_columns(Shapes.none(), np.zeros(0, bool), 0)._asdict()
    parts = [none, *(unpack(row[0])[1] for row in rows)]
    joined = {
        name: np.concatenate([part[name] for part in parts]) for name in ShapeColumns._fields[1:]
    }
    return ShapeColumns(_revision(connection, scan), **joined)


def read_scores(connection: sqlite3.Connection, scan: int, frame: int) -> UInt8Array:
    """The scores (W,) of an inspected frame's windows. Raises NotKept."""
    row = connection.execute(
        "SELECT scores FROM scores WHERE scan = ? AND number = ?",
        (scan, min(max(frame, -1), _LARGEST_INT)),
    ).fetchone()
    if row is None:
        raise NotKept(f"there are no scores of frame {frame}")
    return np.frombuffer(row[0], np.uint8)


def frame_counts(connection: sqlite3.Connection, scan: int) -> FrameCounts:
    """How many frames a scan has, and what became of them."""
    row = connection.execute(
        "SELECT planned, mapped, quarantined, lost FROM scans WHERE key = ?", (scan,)
    ).fetchone()
    return FrameCounts(**dict(zip(FrameCounts.model_fields, row, strict=True)))


Row = tuple[int, float, float, int, str, int]


def _rows(content: FramesSettled) -> list[Row]:
    """Number, x, y, outcome, reason and positives of each frame."""
    x, y = content.places_mm.T.tolist()
    return list(
        zip(
            content.frames.tolist(),
            *(x, y, content.outcomes.tolist(), content.reasons, content.positives.tolist()),
            strict=True,
        )
    )


def _settle(connection: sqlite3.Connection, scan: int, revision: int, row: Row) -> bool:
    number, x, y, outcome, reason, positives = row
    return bool(
        connection.execute(
            "INSERT INTO frames (scan, number, strip, x_mm, y_mm, outcome, reason, positives,"
            " revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (scan, number) DO UPDATE SET x_mm = excluded.x_mm,"
            " y_mm = excluded.y_mm, outcome = excluded.outcome, reason = excluded.reason,"
            " positives = excluded.positives, revision = excluded.revision WHERE outcome = ?",
            (scan, number, _NOT_PLANNED, x, y, outcome, reason, positives, revision, NOT_YET),
        ).rowcount
    )


def _take_again(connection: sqlite3.Connection, scan: int, inspected: list[int]) -> None:
    """Forgets of frames that they were not inspected before."""
    for number in inspected:
        (before,) = connection.execute(
            "SELECT outcome FROM frames WHERE scan = ? AND number = ?", (scan, number)
        ).fetchone() or (NOT_YET,)
        if before in {0, NOT_YET}:
            continue
        connection.execute(
            "UPDATE frames SET outcome = ? WHERE scan = ? AND number = ?", (NOT_YET, scan, number)
        )
        quarantined = OUTCOMES[before] == "quarantined"
        connection.execute(
            "UPDATE scans SET quarantined = quarantined - ?, lost = lost - ? WHERE key = ?",
            (int(quarantined), int(not quarantined), scan),
        )


def _count(connection: sqlite3.Connection, scan: int, outcomes: UInt8Array) -> None:
    counts = np.bincount(outcomes, minlength=len(OUTCOMES)).tolist()
    connection.execute(
        "UPDATE scans SET mapped = mapped + ?, quarantined = quarantined + ?, lost = lost + ?"
        " WHERE key = ?",
        (*counts, scan),
    )


def _revision(connection: sqlite3.Connection, scan: int) -> int:
    row = connection.execute("SELECT revision FROM scans WHERE key = ?", (scan,)).fetchone()
    return int(row[0])


def _shape_columns(shapes: Shapes, chosen: Mask, revision: int) -> ShapeColumns:
    return ShapeColumns(
        revision=revision,
        points=shapes.points_mm[np.repeat(chosen, shapes.counts)].reshape(-1),
        counts=shapes.counts[chosen],
        frame=shapes.frames[chosen].astype(np.int32),
        kind=shapes.kinds[chosen],
        width_um=shapes.widths_um[chosen],
        contrast=shapes.contrasts[chosen],
    )


def _check_numbers(numbers: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
    if len(np.unique(numbers)) != len(numbers):
        raise Refused("frames: must be different")
    if ((numbers < 0) | (numbers > _LARGEST_INT)).any():
        raise Refused(f"frames: must be 0 to {_LARGEST_INT}")


def _check_places(places: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    if (np.abs(places) > _FARTHEST_MM).any():
        raise Refused("places_mm: must be within a kilometre")
