"""The contents of tiles that wait, one file each.

To drop a file gives its room back to a full disk at once, which no deletion within a database
does: that writes first.
"""

import os
import time
import zlib
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

_BEING_MADE_S = 3600.0
_ID_DIGITS = 32


class TileFiles:
    """A folder of contents by the ids of their parcels. Nothing here waits for the disk."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises OSError."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, tile_id: bytes, content: bytes) -> int:
        """Writes a content; returns its checksum. Raises OSError; then nothing is left of it."""
        path = self._path(tile_id)
        try:
            path.write_bytes(content)
        except OSError:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        return zlib.crc32(content)

    def read(self, tile_id: bytes, checksum: int) -> bytes | None:
        """A content; None if it is not as it was written, as a power cut may leave it."""
        try:
            content = self._path(tile_id).read_bytes()
        except OSError:
            return None
        return content if zlib.crc32(content) == checksum else None

    def remove(self, tile_ids: Iterable[bytes]) -> None:
        """Removes contents; those that are gone already, too."""
        for tile_id in tile_ids:
            with suppress(OSError):  # what is left is swept another time
                self._path(tile_id).unlink(missing_ok=True)

    def sweep(self, known: Container[bytes]) -> None:
        """Removes what killed processes left: old files whose ids are not ``known``."""
        before = time.time() - _BEING_MADE_S
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                is_ours = len(entry.name) == _ID_DIGITS and set(entry.name) <= set(
                    "0123456789abcdef"
                )
                if is_ours and bytes.fromhex(entry.name) not in known:
                    with suppress(OSError):  # another process was faster
                        if entry.stat().st_mtime < before:
                            os.unlink(entry.path)  # noqa: PTH108 - an entry has no unlink

    def _path(self, tile_id: bytes) -> Path:
        return self._folder / tile_id.hex()
