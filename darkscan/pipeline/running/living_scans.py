"""Which scans are under way on this computer: what a killed run left can be told from them."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from darkscan.pipeline.core.errors import StorageError


class LivingScan:
    """A file that is locked as long as the run of a scan lives, however it ends."""

    def __init__(self, outbox: Path, scan: str) -> None:
        """Locks it, beside the outbox that the scan is told in. Raises StorageError."""
        self._path = _path(outbox, scan)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(self._path, error) from error

    @classmethod
    def of_the_dead(cls, outbox: Path, scan: str) -> Self | None:
        """The lock of a scan whose run is gone; None while it lives."""
        try:
            return cls(outbox, scan)
        except StorageError:
            return None

    def close(self) -> None:
        """Says that the scan is over."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _path(outbox: Path, scan: str) -> Path:
    return outbox.parent / "living" / f"{scan}.lock"
