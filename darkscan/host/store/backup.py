"""A copy of the store, taken while the host runs."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class BackupSummary(NamedTuple):
    """What a copy holds."""

    scans: int
    maps: int
    reviews: int
    pictures: int
    """How many scans have tiles in it."""
    size_bytes: int


def backup(
    store: Path,
    destination: Path,
    *,
    tiles: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> BackupSummary:
    """Copies a store to a new folder, whole or not at all, while a host may be using it.

    The copy is of one moment, and checked. To restore, have a host open it. ``progress`` is
    called with the bytes copied and the bytes there are. Raises InputError if ``store`` is no
    store or ``destination`` exists, StorageError if the copy cannot be written or is damaged.
    """
    raise NotImplementedError
