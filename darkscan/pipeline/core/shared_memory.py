"""Files of shared memory that several processes map: the frame ring, kept borders, the rig."""

import mmap
import os
from pathlib import Path

from darkscan.pipeline.core.errors import InputError, StorageError

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - shared memory is what we mean
PAGE = 4096
"""Bytes of a page; parts of a shared file begin on pages of their own."""


def whole_pages(size: int) -> int:
    """``size`` bytes rounded up to whole pages."""
    return -(-size // PAGE) * PAGE


def create_shared(path: Path, size: int) -> mmap.mmap:
    """Makes a file of ``size`` bytes, all 0, and maps it. Raises StorageError.

    The file must not exist; nothing of it is left if there is no room for it.
    """
    return _map_new(path, size, os.O_EXCL)


def keep_shared(path: Path, size: int) -> mmap.mmap:
    """As ``create_shared``, or maps the file that a predecessor of this process made there."""
    return _map_new(path, size, 0)


def attach_shared(path: Path, what: str, *, populate: bool = False) -> mmap.mmap:
    """Maps the whole of a file that another process made.

    ``populate``: all of its pages at once, which is faster where all of them will be read.
    Raises InputError, saying that the file "is no ``what``", if it cannot be mapped.
    """
    flags = mmap.MAP_SHARED | (mmap.MAP_POPULATE if populate else 0)
    try:
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), 0, flags)
    except (OSError, ValueError) as error:
        raise InputError(f"is no {what}: {error}", file=path) from error


def _map_new(path: Path, size: int, flags: int) -> mmap.mmap:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        raise StorageError(path, error) from error
    try:
        # Without this, writing to a full /dev/shm is a SIGBUS instead of an error.
        os.posix_fallocate(descriptor, 0, size)
        return mmap.mmap(descriptor, size)
    except OSError as error:
        path.unlink()
        raise StorageError(path, error) from error
    finally:
        os.close(descriptor)
