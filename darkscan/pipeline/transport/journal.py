"""Merging's journal: each frame's result is written here before it is acknowledged.

Records follow each other as (mark, length, crc32, message). A process killed while writing
leaves at most one torn record at the end, which is cut off when the journal is opened. A
damaged record is left out, and the next one found by its mark. Once a second the journal is
brought to the disk.

A run that goes on from an unfinished one appends a record without a message: frames before it
that were not inspected no longer count, so that they are taken again.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import structlog

from darkscan.pipeline.core.disk_sync import DiskSync
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.files import sync
from darkscan.pipeline.core.frame_results import FrameResult, NotInspected, Outcome
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.messages import Withdrawn, decode, encode

_log = structlog.get_logger(__name__)

_MARK = b"\xdajr\xb5"
_HEAD = struct.Struct("<4sII")
_BLOCK = 1 << 20
_MOST_WITHDRAWN = 10_000  # in one record
_TAKEN_UP = b""
"""The message of the record that says where a run went on from an unfinished one."""

JOURNAL_NAME = "journal"

Settled = FrameResult | NotInspected


class Journal:
    """An append-only file of settled frames, each of them counted once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settled: dict[FrameId, Settled] = {}
        self.withdrawals: list[str] = []
        """Why results were withdrawn."""
        try:
            self._file = path.open("ab", buffering=0)
            good = whole = 0
            for end, size, record in _records(path):
                _settle(self.settled, record)
                if isinstance(record, Withdrawn) and record.reason not in self.withdrawals:
                    self.withdrawals.append(record.reason)
                good, whole = end, whole + size
            self._file.truncate(good)
            sync(path.parent)
        except OSError as error:
            raise StorageError(path, error) from error
        if whole < good:
            _log.warning("journal is damaged", skipped_bytes=good - whole)
        self._sync: DiskSync[FrameId] = DiskSync(self._file.fileno())

    def append(self, record: Settled) -> bool:
        """Writes a frame's result; False if the frame is in the journal already.

        Raises StorageError if it cannot be written; the journal then is as it was before.
        """
        if record.meta.frame in self.settled:
            return False
        self._write(encode(record))
        self.settled[record.meta.frame] = record
        self._sync.add(record.meta.frame)
        self.keep_up()
        return True

    def withdraw(self, frames: Sequence[FrameId], reason: str) -> None:
        """Has the results of frames not count, and remembers why; they may be appended anew.

        Raises StorageError.
        """
        for first in range(0, len(frames), _MOST_WITHDRAWN):
            withdrawn = Withdrawn(
                frames=tuple(frames[first : first + _MOST_WITHDRAWN]), reason=reason
            )
            self._write(encode(withdrawn))
            _settle(self.settled, withdrawn)
        if reason not in self.withdrawals:
            self.withdrawals.append(reason)

    def take_up(self) -> None:
        """Goes on from an unfinished run: frames that were not inspected are open again.

        Raises StorageError if that cannot be written; the journal then is as it was before.
        """
        if not any(isinstance(record, NotInspected) for record in self.settled.values()):
            return
        self._write(_TAKEN_UP)
        _settle(self.settled, None)

    def _write(self, payload: bytes) -> None:
        rest = memoryview(_HEAD.pack(_MARK, len(payload), zlib.crc32(payload)) + payload)
        end = os.fstat(self._file.fileno()).st_size
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            os.ftruncate(self._file.fileno(), end)
            raise StorageError(self.path, error) from error

    def keep_up(self) -> None:
        """Has the disk take what was appended; to be called while nothing is, too.

        Raises StorageError.
        """
        try:
            self._sync.arrived()
        except OSError as error:
            raise StorageError(self.path, error) from error

    def close(self) -> None:
        """Closes the file; what was appended stays. Raises StorageError."""
        try:
            self._sync.finish()
        except OSError as error:
            raise StorageError(self.path, error) from error
        finally:
            self._sync.close()
            self._file.close()


class JournalFollower:
    """Reads a journal that grows: frames in the order in which they were settled.

    Each once, but for those whose results were withdrawn: they come again when they are settled
    again.
    """

    def __init__(self, path: Path) -> None:
        """The file need not be there yet."""
        self._path = path
        self._read = 0
        self._taken_up_at: int | None = None

    def new_records(self, most: int | None = None) -> list[Settled]:
        """The frames settled since the last call; a record that is not yet whole waits.

        most: the first of them; the others come with the next call.
        """
        return [record for _, record in self.new_places(most)]

    def new_places(self, most: int | None = None) -> list[tuple[int, Settled]]:
        """As ``new_records``, each with the place in the file where it ends."""
        records: list[tuple[int, Settled]] = []
        try:
            with self._path.open("rb") as file:
                if self._taken_up_at is None:  # a run does so before anybody follows it
                    self._taken_up_at = _taken_up_at(file)
                file.seek(self._read)
                while len(records) != most and (payload := next_payload(file)) is not None:
                    record = None if payload == _TAKEN_UP else decode(payload)
                    self._read = file.tell()
                    if isinstance(record, FrameResult) or (
                        isinstance(record, NotInspected) and self._read > self._taken_up_at
                    ):
                        records.append((self._read, record))
        except (OSError, WireError):
            # Not there yet, or none of ours: merging finds out, this only looks on.
            return records
        return records


def outcome(record: Settled) -> Outcome:
    """How a journaled frame ended, in the ledger's words."""
    return "mapped" if isinstance(record, FrameResult) else record.kind


def read_journal(path: Path) -> dict[FrameId, Settled]:
    """The settled frames of a journal that another process writes; none if there is no file."""
    settled: dict[FrameId, Settled] = {}
    if path.exists():
        for _, _, record in _records(path):
            _settle(settled, record)
    return settled


def take_up_journal(path: Path) -> int:
    """Prepares an unfinished run's journal for the run that goes on from it.

    What was inspected stays so, and the rest is open again. Returns how many frames were
    inspected. Raises StorageError.
    """
    journal = Journal(path)
    try:
        journal.take_up()
    finally:
        journal.close()
    return len(journal.settled)


def _settle(settled: dict[FrameId, Settled], record: Settled | Withdrawn | None) -> None:
    """Enters a record among the settled frames, or takes those out that it withdraws.

    None, where a run went on: frames that were not inspected are open.
    """
    match record:
        case None:
            opened = [f for f, each in settled.items() if isinstance(each, NotInspected)]
        case Withdrawn():
            opened = list(record.frames)
        case _:
            opened = []
            settled[record.meta.frame] = record
    for frame in opened:
        settled.pop(frame, None)


def _records(path: Path) -> Iterator[tuple[int, int, Settled | Withdrawn | None]]:
    """Whole records, each with the place in the file where it ends, and its size.

    None: a run went on from an unfinished one here.
    """
    with path.open("rb") as file:
        while (payload := next_payload(file)) is not None:
            try:
                record = None if payload == _TAKEN_UP else decode(payload)
            except WireError:
                continue
            if record is None or isinstance(record, FrameResult | NotInspected | Withdrawn):
                yield file.tell(), _HEAD.size + len(payload), record


def _taken_up_at(file: BinaryIO) -> int:
    """Where a run last went on from an unfinished one; 0 if none did."""
    file.seek(0)
    place = 0
    while (payload := next_payload(file)) is not None:
        if payload == _TAKEN_UP:
            place = file.tell()
    return place


def next_payload(file: BinaryIO) -> bytes | None:
    """The next whole record's message from where ``file`` stands; None if there is none yet.

    What is damaged before it is left out. Where there is none, ``file`` stands where it did.
    """
    start = file.tell()
    place: int | None = start
    while place is not None:
        payload = _payload_at(file, place)
        if payload is not None:
            return payload
        place = _next_mark(file, place + 1)
    file.seek(start)
    return None


def _payload_at(file: BinaryIO, place: int) -> bytes | None:
    """The message of a record at that place; None if there is no whole one."""
    file.seek(place)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    mark, length, checksum = _HEAD.unpack(head)
    if mark != _MARK or length > os.fstat(file.fileno()).st_size - file.tell():
        return None
    payload = file.read(length)
    return payload if zlib.crc32(payload) == checksum else None


def _next_mark(file: BinaryIO, place: int) -> int | None:
    """Where the next mark of a record stands, from that place on."""
    while True:
        file.seek(place)
        block = file.read(_BLOCK)
        found = block.find(_MARK)
        if found >= 0:
            return place + found
        if len(block) < _BLOCK:
            return None
        place += len(block) - len(_MARK) + 1
