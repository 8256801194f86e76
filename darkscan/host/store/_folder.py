"""The store's folder: what lies in it, and that one host at a time uses it."""

import fcntl
import os
from pathlib import Path

from darkscan.pipeline.core.errors import InputError, StorageError

DATABASE_NAME = "store.sqlite"
TILES_NAME = "tiles"
_LOCK_NAME = "lock"
_OURS = {DATABASE_NAME, TILES_NAME, _LOCK_NAME, "token"}
_LOG_ENDING = ".jsonl"  # a host's log may be begun in the folder before the store is


class FolderLock:
    """The right to use a store's folder; the kernel takes it back when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Takes it. Raises InputError if another process has it, or StorageError."""
        path = folder / _LOCK_NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            by = f" (process {holder})" if holder else ""
            raise InputError(f"is in use by another host{by}", file=folder) from error
        except OSError as error:
            os.close(self._descriptor)
            raise StorageError(path, error) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Gives it up."""
        os.close(self._descriptor)


def prepare_folder(folder: Path) -> None:
    """Makes the folder if there is none. Raises InputError if other things lie in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in folder.iterdir()}
        others = {name for name in names - _OURS if not name.endswith(_LOG_ENDING)}
        if DATABASE_NAME not in names and others:
            raise InputError("is neither a store nor empty", file=folder)
        (folder / TILES_NAME).mkdir(exist_ok=True)
    except FileExistsError as error:
        raise InputError("is not a folder", file=folder) from error
    except NotADirectoryError as error:
        raise InputError("is not a folder", file=folder) from error
    except OSError as error:
        raise StorageError(folder, error) from error
