"""A file that its writer left unfinished, as HDF5 will open it: closed, with zeros at its end.

HDF5 refuses a file that is shorter than it should be; and where a writer was killed, it takes
it for alive and waits without end for bookkeeping that is torn. What is whole is told by the
checksums that HDF5 has for its bookkeeping, and we for the rest; the file is not changed.
"""

import io
import os
from pathlib import Path
from typing import Any

from imagecodecs import h5checksum_lookup3

from darkscan.drivers.recording.superblock import (
    CHECKSUM_AT,
    FLAGS_AT,
    VERSION_AT,
    VERSION_WITH_FLAGS,
)


class LeftFile(io.RawIOBase):
    """A file for reading that seems to have at least ``size`` bytes, and to be closed."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = max(size, os.fstat(self._descriptor).st_size)
        self._place = 0
        self._head = bytearray(
            os.pread(self._descriptor, CHECKSUM_AT + 4, 0).ljust(CHECKSUM_AT + 4, b"\0")
        )
        if self._head[VERSION_AT] == VERSION_WITH_FLAGS:
            self._head[FLAGS_AT] = 0
            checksum = h5checksum_lookup3(bytes(self._head[:CHECKSUM_AT]))
            self._head[CHECKSUM_AT:] = int(checksum).to_bytes(4, "little")

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
        """Fills a buffer from the present place on."""
        view = memoryview(buffer).cast("B")
        read = os.preadv(self._descriptor, [view], self._place)
        view[read:] = bytes(len(view) - read)
        head = self._head[self._place : self._place + len(view)]
        view[: len(head)] = head
        self._place += len(view)
        return len(view)

    def close(self) -> None:
        """Lets go of the file."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()
