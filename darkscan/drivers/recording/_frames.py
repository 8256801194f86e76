"""Sorts the rows of a recording into its plan: which frames are there, missing or damaged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from darkscan.drivers.recording._checksums import row_checksum, row_of
from darkscan.drivers.recording._layout import FRAME_COLUMNS, ROW_CRC, UNWRITTEN, Table
from darkscan.drivers.recording._tables import check_rows, is_written, meta_of, rows_written
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta
from darkscan.pipeline.core.settings import updated

_MISSING = int(FrameFlag.LOST | FrameFlag.MISSING)
_DAMAGED = int(FrameFlag.LOST | FrameFlag.DAMAGED)


@dataclass(frozen=True)
class FoundFrames:
    """Every planned frame in scan order, as far as it is there."""

    frames: list[FrameMeta]
    """Missing and damaged ones with their planned place, flagged so."""

    rows: dict[int, int] = field(default_factory=dict)
    """The rows of frames with pixels, by the frame's number."""

    def without_pixels(self, numbers: Sequence[int]) -> "FoundFrames":
        """The same less some frames that should have pixels and have none: they are damaged."""
        reason = "its pixels are not in the file"
        return self._replacing({frame: partial(damaged, reason=reason) for frame in numbers})

    def less(self, numbers: Sequence[int]) -> "FoundFrames":
        """The same less some frames that were never recorded whole: they are missing."""
        return self._replacing(dict.fromkeys(numbers, _missing))

    def numbers(self, flag: FrameFlag) -> list[int]:
        """The numbers of the frames that have a flag, in scan order."""
        return [meta.frame for meta in self.frames if meta.flags & flag]

    def _replacing(self, changes: Mapping[int, Callable[[FrameMeta], FrameMeta]]) -> "FoundFrames":
        frames = [changes.get(meta.frame, _same)(meta) for meta in self.frames]
        rows = {frame: row for frame, row in self.rows.items() if frame not in changes}
        return FoundFrames(frames, rows)


def damaged(meta: FrameMeta, reason: str) -> FrameMeta:
    """A frame that the recording no longer holds whole; ``reason``: why, in words."""
    return updated(meta, flags=_DAMAGED, note=reason)


def _missing(meta: FrameMeta) -> FrameMeta:
    return updated(meta, flags=_MISSING)


def _same(meta: FrameMeta) -> FrameMeta:
    return meta


def sort_checked(plan: Table, table: Table, *, complete: bool) -> FoundFrames:
    """Sorts the rows of a recording with checksums: a frame's row is that of the plan.

    A row that matches its checksum is there, also where its number was not yet written: that
    is done when its pixels are on the disk. Any other is damaged, unless an interrupted
    recording ends with it.
    """
    frames: list[FrameMeta] = []
    rows: dict[int, int] = {}
    for row in range(len(plan["id"])):
        planned = meta_of(plan, row)
        if row >= len(table["id"]) or _is_empty(table, row):
            frames.append(_missing(planned))
        elif _matches(table, row, planned.frame):
            meta = meta_of(table, row, planned.frame)
            frames.append(meta)
            if not meta.flags & FrameFlag.LOST:
                rows[meta.frame] = row
        elif not complete and not is_written(table, row):
            frames.append(_missing(planned))
        else:
            frames.append(damaged(planned, "its row does not match its checksum"))
    return FoundFrames(frames, rows)


def sort_unchecked(plan: Table, table: Table, path: Path, *, complete: bool) -> FoundFrames:
    """Sorts the rows of a recording without checksums, by the numbers that stand there.

    Raises InputError for a row that makes no sense.
    """
    kept = rows_written(table, complete=complete)
    there = {name: values[kept] for name, values in table.items()}
    check_rows(there, FRAME_COLUMNS, path)
    recorded = {int(number): index for index, number in enumerate(there["id"])}
    strangers = sorted(set(recorded) - set(plan["id"].tolist()))
    if strangers:
        problem = f"frame {strangers[0]} is not in /plan"
        raise InputError(problem, file=path, field="/frames/id")
    frames: list[FrameMeta] = []
    rows: dict[int, int] = {}
    for row in range(len(plan["id"])):
        planned = meta_of(plan, row)
        index = recorded.get(planned.frame)
        if index is None:
            frames.append(_missing(planned))
            continue
        frames.append(meta_of(there, index))
        if not frames[-1].flags & FrameFlag.LOST:
            rows[planned.frame] = int(kept[index])
    return FoundFrames(frames, rows)


def _is_empty(table: Table, row: int) -> bool:
    return bool(table["id"][row] == UNWRITTEN and table[ROW_CRC][row] == UNWRITTEN)


def _matches(table: Table, row: int, frame: int) -> bool:
    values = row_of(table, row)
    if values["id"] not in {frame, UNWRITTEN}:
        return False
    return bool(row_checksum({**values, "id": frame}) == values[ROW_CRC])
