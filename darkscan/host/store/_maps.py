"""Defect maps: read once, when they arrive, into what is asked for afterwards."""

import gc
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from darkscan.host.store._refusals import Refused
from darkscan.host.store.columns import NO_AREA, pack, unpack
from darkscan.host.store.types import (
    CoverageFigures,
    DefectCounts,
    FrameCounts,
    NotInspectedPart,
    NotKept,
)
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.defect_map import MAP_NAME, Area, Defect, DefectMap, Totals
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, Record
from darkscan.pipeline.core.map_reading import parse_map
from darkscan.pipeline.host_link.messages import MapFinished

LARGEST_FILE = 512 * 2**20
"""Bytes that a map, a run's facts or a trace may have once they are no longer compressed."""

_TOGETHER = 64  # defects in a row: few enough to be read for one of them
_LARGEST_INT = 2**31 - 1
_MOST_DIGITS = 10

_DRAWN_FIELDS = 11
_DRAWN = attrgetter(
    *("id", "kind", "probability", "length_mm", "width_um", "contrast"),
    *("centroid_mm", "box_mm", "centreline", "outline", "area"),
)
_DEFECTS = TypeAdapter(tuple[Defect, ...])
_AREAS = TypeAdapter(tuple[Area, ...])


class MapFigures(Record):
    """What is shown of a map beside its defects and areas."""

    totals: Totals
    coverage: CoverageFigures
    not_inspected: tuple[NotInspectedPart, ...]


class PreparedMap(NamedTuple):
    """A map as it will be kept."""

    sha256: str
    figures: MapFigures
    parts: dict[str, bytes]
    """Contents of the table map_parts."""
    defects: list[tuple[int, bytes]]
    """Contents of the table defects: the place of the first of some, and all of them."""
    counts: DefectCounts
    frames: FrameCounts


def prepare_map(content: MapFinished) -> PreparedMap:
    """Reads and checks a map that has arrived. Raises Refused."""
    raw = inflated(content.map_zlib, "map_zlib")
    if sha256(raw).hexdigest() != content.sha256:
        raise Refused("map_zlib: is not what sha256 says")
    for name in ("run_zlib", "trace_zlib"):
        if getattr(content, name):
            inflated(getattr(content, name), name)
    with _without_collector():
        return _prepared(content, raw)


def _prepared(content: MapFinished, raw: bytes) -> PreparedMap:
    try:
        document = parse_map(raw, file=MAP_NAME)
    except InputError as error:
        raise Refused(str(error)) from error
    sent = {"map": content.map_zlib, "run": content.run_zlib, "trace": content.trace_zlib}
    made = {
        "areas": zlib.compress(_AREAS.dump_json(document.areas), zlib.Z_BEST_SPEED),
        "columns": _columns(document.defects, content.sha256),
    }
    return PreparedMap(
        sha256=content.sha256,
        figures=_figures(document),
        parts=made | {name: data for name, data in sent.items() if data},
        defects=list(_rows(document.defects)),
        counts=_counts(document.defects),
        frames=_frames(document),
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keeps Python from looking for cycles among a map's many objects, which have none.

    It would do so many times while they are made, and double the time of a large map.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def inflated(data: bytes, name: str) -> bytes:
    """The content of a file compressed by zlib. Raises Refused if it is none, or too large."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, LARGEST_FILE)
    except zlib.error as error:
        raise Refused(f"{name}: is not compressed by zlib") from error
    if not inflater.eof:
        whole = len(content) < LARGEST_FILE
        raise Refused(f"{name}: is cut off" if whole else f"{name}: is larger than 512 MiB")
    if inflater.unused_data:
        raise Refused(f"{name}: something follows the compressed file")
    return content


def keep_map(connection: sqlite3.Connection, scan: int, ready: PreparedMap) -> None:
    """Writes a map, and what the list of scans shows of it."""
    connection.execute(
        "INSERT INTO maps VALUES (?, ?, ?)", (scan, ready.sha256, ready.figures.model_dump_json())
    )
    connection.executemany(
        "INSERT INTO map_parts (scan, part, content) VALUES (?, ?, ?)",
        ((scan, name, data) for name, data in ready.parts.items()),
    )
    connection.executemany(
        "INSERT INTO defects (scan, place, content) VALUES (?, ?, ?)",
        ((scan, place, data) for place, data in ready.defects),
    )
    totals, coverage = ready.figures.totals, ready.figures.coverage
    connection.execute(
        "UPDATE scans SET scratch = ?, fibre = ?, dig = ?, dust = ?, length_mm = ?,"
        " inspected_fraction = ?, planned = ?, mapped = ?, quarantined = ?, lost = ?,"
        " map_removed = NULL WHERE key = ?",
        (
            *(getattr(ready.counts, kind) for kind in DEFECT_KINDS),
            totals.scratch.length_mm,
            coverage.inspected_fraction,
            *(getattr(ready.frames, name) for name in FrameCounts.model_fields),
            scan,
        ),
    )


def map_sha256(connection: sqlite3.Connection, scan: int) -> str | None:
    """Of the scan's map; None: it has none."""
    row = connection.execute("SELECT sha256 FROM maps WHERE scan = ?", (scan,)).fetchone()
    return None if row is None else str(row[0])


def map_figures(connection: sqlite3.Connection, scan: int) -> MapFigures | None:
    """The map's figures; None: the scan has no map."""
    row = connection.execute("SELECT figures FROM maps WHERE scan = ?", (scan,)).fetchone()
    return None if row is None else MapFigures.model_validate_json(row[0])


def map_part(connection: sqlite3.Connection, scan: int, part: str) -> bytes:
    """A content of the table map_parts, as it lies there. Raises NotKept."""
    row = connection.execute(
        "SELECT content FROM map_parts WHERE scan = ? AND part = ?", (scan, part)
    ).fetchone()
    if row is None:
        raise NotKept(_why_not(connection, scan, part))
    return bytes(row[0])


def one_defect(connection: sqlite3.Connection, scan: int, defect_id: str) -> Defect:
    """A defect as the map has it. Raises NotKept."""
    _, columns = unpack(map_part(connection, scan, "columns"))
    places = np.flatnonzero(columns["number"] == _number(defect_id))
    for place in places[:1].tolist():
        row = connection.execute(
            "SELECT content FROM defects WHERE scan = ? AND place = ?",
            (scan, place // _TOGETHER * _TOGETHER),
        ).fetchone()
        defect: Defect = _DEFECTS.validate_json(row[0])[place % _TOGETHER]
        if defect.id == defect_id:
            return defect
    raise NotKept(f"the map has no defect {defect_id!a:.40}")


def forget_map(connection: sqlite3.Connection, scan: int, when: str) -> None:
    """Removes a map, and what was found frame by frame; the scan's figures stay."""
    for table in ("maps", "map_parts", "defects", "shapes", "scores"):
        connection.execute(f"DELETE FROM {table} WHERE scan = ?", (scan,))  # noqa: S608
    connection.execute("UPDATE scans SET map_removed = ? WHERE key = ?", (when, scan))


def map_size(connection: sqlite3.Connection, scan: int) -> int:
    """Bytes of a map and of what was found frame by frame, about."""
    sizes = (
        "SELECT coalesce(sum(length(content)), 0) FROM map_parts WHERE scan = ?",
        "SELECT coalesce(sum(length(content)), 0) FROM defects WHERE scan = ?",
        "SELECT coalesce(sum(length(columns)), 0) FROM shapes WHERE scan = ?",
        "SELECT coalesce(sum(length(scores)), 0) FROM scores WHERE scan = ?",
    )
    return sum(int(connection.execute(size, (scan,)).fetchone()[0]) for size in sizes)


def _why_not(connection: sqlite3.Connection, scan: int, part: str) -> str:
    removed, sha = connection.execute(
        "SELECT map_removed, sha256 FROM scans LEFT JOIN maps ON scan = key WHERE key = ?", (scan,)
    ).fetchone()
    if sha is not None:
        return f"the rig sent no {part}.json with the map"
    if removed is not None:
        return f"the map was removed by a rule on {removed}"
    return "the map has not arrived"


def _number(name: str) -> int:
    """D0001 -> 1; -1 for ids of other letters than 0 to 9."""
    digits = name[1:]
    if not (digits.isascii() and digits.isdecimal()):
        return -1
    return min(int(digits[:_MOST_DIGITS]), _LARGEST_INT)


def _columns(defects: Sequence[Defect], sha: str) -> bytes:
    rows = [_DRAWN(defect) for defect in defects]
    ids, kinds, probability, length, width, contrast, centroid, box, line, outline, area = (
        zip(*rows, strict=True) if rows else [()] * _DRAWN_FIELDS
    )
    numbers = np.array([_number(name) for name in ids], np.int64)
    known = (numbers >= 0) & (numbers < _LARGEST_INT)
    if len(np.unique(numbers)) != len(numbers) or not known.all():
        raise Refused(f"{MAP_NAME}: defects: their ids must be different, and not too long")
    lines = [middle or around for middle, around in zip(line, outline, strict=True)]
    areas = [NO_AREA if name is None else _number(name) for name in area]
    centres = _floats("centroid_mm", chain.from_iterable(centroid))
    columns: dict[str, npt.NDArray[Any]] = {
        "number": numbers.astype(np.int32),
        "kind": np.array([DEFECT_KINDS.index(kind) for kind in kinds], np.uint8),
        "probability": np.array(probability, np.float64).astype(np.float32),  # None: NaN
        "length_mm": _floats("length_mm", length),
        "width_um": _floats("width_um", width),
        "contrast": _floats("contrast", contrast),
        "x_mm": centres[0::2],
        "y_mm": centres[1::2],
        "box": _floats("box_mm", chain.from_iterable(box)),
        "points": _floats("points", chain.from_iterable(chain.from_iterable(lines))),
        "counts": np.array([len(points) for points in lines], np.int32),
        "area": np.array(areas, np.int32),
    }
    return pack(0, columns, sha256=sha)


def _floats(name: str, values: Iterable[float]) -> Float32Array:
    with np.errstate(over="ignore"):
        column = np.fromiter(values, np.float64).astype(np.float32)
    if not np.isfinite(column).all():
        raise Refused(f"{MAP_NAME}: defects: {name} is too large")
    return column


def _rows(defects: Sequence[Defect]) -> Iterator[tuple[int, bytes]]:
    for first in range(0, len(defects), _TOGETHER):
        yield first, _DEFECTS.dump_json(tuple(defects[first : first + _TOGETHER]))


def _counts(defects: Sequence[Defect]) -> DefectCounts:
    found = dict.fromkeys(DEFECT_KINDS, 0)
    for defect in defects:
        found[defect.kind] += 1
    return DefectCounts(**found)


def _frames(document: DefectMap) -> FrameCounts:
    sums = document.ledger
    counts = FrameCounts(
        planned=sums.captured, mapped=sums.mapped, quarantined=sums.quarantined, lost=sums.lost
    )
    if max(counts.model_dump().values()) > _LARGEST_INT:
        raise Refused(f"{MAP_NAME}: ledger: has too many frames")
    return counts


def _figures(document: DefectMap) -> MapFigures:
    coverage = document.coverage
    return MapFigures(
        totals=document.totals,
        coverage=CoverageFigures(
            **{name: getattr(coverage, name) for name in CoverageFigures.model_fields}
        ),
        not_inspected=tuple(
            NotInspectedPart(
                kind=part.kind, reason=part.reason, rings=part.contour, area_mm2=part.area_mm2
            )
            for part in coverage.not_inspected
        ),
    )
