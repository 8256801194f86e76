"""A recording's file as HDF5 may see it: nothing in it makes HDF5 refuse what is whole, or hang.

HDF5 refuses a file that is shorter than its writer left it; it takes a killed writer for alive,
and then waits without end for bookkeeping that is torn; and it loops for ever over a heap of
texts that was zeroed. What is whole is told by the checksums that HDF5 has for most of its
bookkeeping, and we for the rest; the file itself is not changed.
"""

import fcntl
import io
import os
import struct
from pathlib import Path
from typing import Any

from imagecodecs import h5checksum_lookup3

from darkscan.drivers.recording.superblock import (
    CHECKSUM_AT,
    FLAGS_AT,
    VERSION_AT,
    VERSION_WITH_FLAGS,
)

_HEAP = b"GCOL"
_HEAP_HEAD = struct.Struct("<8xQ")
_HEAP_OBJECT = struct.Struct("<HHIQ")


class GuardedFile(io.RawIOBase):
    """A file for reading that seems to have at least ``size`` bytes, and to be closed.

    It is locked as HDF5 locks what it reads. Raises OSError if it cannot be.
    """

    def __init__(self, path: Path, size: int) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() not in {"FALSE", "0"}:
                fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise
        self._size = max(size, os.fstat(self._descriptor).st_size)
        self._place = 0
        self._head = bytearray(os.pread(self._descriptor, CHECKSUM_AT + 4, 0))
        if len(self._head) > CHECKSUM_AT and self._head[VERSION_AT] == VERSION_WITH_FLAGS:
            stated = int.from_bytes(self._head[CHECKSUM_AT:], "little")
            if self._head[FLAGS_AT] and stated == self._checksum():
                self._head[FLAGS_AT] = 0
                self._head[CHECKSUM_AT:] = self._checksum().to_bytes(4, "little")

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a place and gives it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """The present place."""
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        """Fills a buffer from the present place on.

        Raises OSError for what lies past the end of the file, and for a heap without an end.
        """
        view = memoryview(buffer).cast("B")
        read = 0
        while read < len(view):
            more = os.preadv(self._descriptor, [view[read:]], self._place + read)
            if not more:
                raise OSError("the file ends before it")
            read += more
        head = self._head[self._place : self._place + len(view)]
        view[: len(head)] = head
        if view[: len(_HEAP)] == _HEAP and not _has_an_end(view):
            raise OSError("its texts are damaged")
        self._place += len(view)
        return len(view)

    def close(self) -> None:
        """Lets go of the file."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def _checksum(self) -> int:
        return int(h5checksum_lookup3(bytes(self._head[:CHECKSUM_AT])))


def _has_an_end(heap: memoryview) -> bool:
    """Whether going from object to object of a heap, as far as it was read, leads to its end."""
    if len(heap) < _HEAP_HEAD.size:
        return True
    (size,) = _HEAP_HEAD.unpack_from(heap)
    place = _HEAP_HEAD.size
    while place + _HEAP_OBJECT.size <= min(size, len(heap)):
        number, _, _, length = _HEAP_OBJECT.unpack_from(heap, place)
        if length > size or (number == 0 and length < _HEAP_OBJECT.size):
            return False
        place += length if number == 0 else _HEAP_OBJECT.size + -(-length // 8) * 8
    return True
