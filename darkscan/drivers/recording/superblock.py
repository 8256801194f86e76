"""The first bytes of an HDF5 file, read without the HDF5 library.

The library cannot say whether a file is cut short or was left by a killed writer,
and waits without end for metadata that a cut SWMR file no longer holds.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from darkscan.pipeline.core.inputs import require_file

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LENGTH = 48
VERSION_AT = 8
FLAGS_AT = 11
CHECKSUM_AT = 44
VERSION_WITH_FLAGS = 3
_OFFSET_BYTES = 8
_OLD_HEADS = {0: (13, 40), 1: (13, 44)}
"""Versions of old: where the length of an offset stands, and the size of the file."""

_HEAD = (9, 28)
_FIRST_BLOCK_BYTES = 2048  # a new file's, as HDF5 states it until it writes more out
_OPEN_FOR_WRITING = 1
_OPEN_FOR_SWMR = 4


class FileState(Enum):
    """The state that its writer left an HDF5 file in."""

    FOREIGN = "not HDF5"
    CLOSED = "closed by its writer"
    SWMR = "left or still held by a writer, readable in SWMR mode"
    MARKED = "marked as open for writing, and not in SWMR mode"
    TRUNCATED = "shorter than its writer left it"


@dataclass(frozen=True)
class Superblock:
    """An HDF5 file's state and sizes, bytes."""

    state: FileState
    size: int
    stated_size: int

    @property
    def empty(self) -> bool:
        """Whether its writer has not yet written out what it made: only the start is there."""
        return self.stated_size <= _FIRST_BLOCK_BYTES


def is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5, whole or not. Raises InputError if it cannot be read."""
    require_file(path)
    return read_superblock(path).state is not FileState.FOREIGN


def read_superblock(path: Path) -> Superblock:
    """Looks at the start of a file. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        head = file.read(_LENGTH + 4)
    size = path.stat().st_size
    if not head.startswith(_SIGNATURE):
        return Superblock(FileState.FOREIGN, size, size)
    if len(head) < _LENGTH:
        return Superblock(FileState.TRUNCATED, size, _LENGTH)
    version = head[VERSION_AT]
    length_at, size_at = _OLD_HEADS.get(version, _HEAD)
    if head[length_at] != _OFFSET_BYTES or len(head) < size_at + _OFFSET_BYTES:
        return Superblock(FileState.CLOSED, size, size)
    (stated_size,) = struct.unpack_from("<Q", head, size_at)
    flags = head[FLAGS_AT] if version >= VERSION_WITH_FLAGS else 0
    if size < stated_size:
        state = FileState.TRUNCATED
    elif not flags & _OPEN_FOR_WRITING:
        state = FileState.CLOSED
    else:
        state = FileState.SWMR if flags & _OPEN_FOR_SWMR else FileState.MARKED
    return Superblock(state, size, stated_size)
