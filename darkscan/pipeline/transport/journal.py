"""Merging's journal: each frame's result is written here before it is acknowledged.

Records follow each other as (length, crc32, message). A process killed while writing
leaves at most one torn record at the end, which is cut off when the journal is opened.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.frame_results import FrameResult, NotInspected, Outcome
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.messages import decode, encode

_HEAD = struct.Struct("<II")
JOURNAL_NAME = "journal"

Settled = FrameResult | NotInspected


class Journal:
    """An append-only file of settled frames, each of them counted once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settled: dict[FrameId, Settled] = {}
        try:
            self._file = path.open("ab", buffering=0)
            good = 0
            for end, record in _records(path):
                self.settled[record.meta.frame] = record
                good = end
            self._file.truncate(good)
        except OSError as error:
            raise StorageError(path, error) from error

    def append(self, record: Settled) -> bool:
        """Writes a frame's result; False if the frame is in the journal already.

        Raises StorageError if it cannot be written; the journal then is as it was before.
        """
        if record.meta.frame in self.settled:
            return False
        payload = encode(record)
        rest = memoryview(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        end = os.fstat(self._file.fileno()).st_size
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            os.ftruncate(self._file.fileno(), end)
            raise StorageError(self.path, error) from error
        self.settled[record.meta.frame] = record
        return True

    def close(self) -> None:
        """Closes the file; what was appended stays."""
        self._file.close()


class JournalFollower:
    """Reads a journal that grows: frames in the order in which they were settled, each once."""

    def __init__(self, path: Path) -> None:
        """The file need not be there yet."""
        self._path = path
        self._read = 0

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
                file.seek(self._read)
                while len(records) != most and (payload := next_payload(file)) is not None:
                    record = decode(payload)
                    self._read = file.tell()
                    if isinstance(record, FrameResult | NotInspected):
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
    if not path.exists():
        return {}
    return {record.meta.frame: record for _, record in _records(path)}


def _records(path: Path) -> Iterator[tuple[int, Settled]]:
    """Whole records with the file offset after each; stops at a torn one."""
    with path.open("rb") as file:
        while (payload := next_payload(file)) is not None:
            record = decode(payload)
            if not isinstance(record, FrameResult | NotInspected):
                return
            yield file.tell(), record


def next_payload(file: BinaryIO) -> bytes | None:
    """The next whole record's message from where ``file`` stands; None if there is none yet."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload) != checksum:
        return None
    return payload
