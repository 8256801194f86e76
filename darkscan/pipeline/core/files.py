"""Writes files that appear under their name only when they are whole."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from darkscan.pipeline.core.errors import InputError, StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Puts ``content`` at ``path``; a reader sees the old file or the new one, never a part.

    Raises StorageError naming the file; then the old file, if any, is untouched.
    """
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files that belong together: none is put in place before all are on the disk.

    They are put in place in the order given, so the last one says that all are there.
    Raises StorageError naming the file that could not be written; nothing is left of it.
    """
    waiting: list[tuple[Path, Path]] = []
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            temporary = folder / f".{name}.{os.getpid()}.part"
            waiting.append((temporary, path))
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for temporary, target in waiting:
            path = target
            temporary.replace(target)
        _sync_folder(folder)
    except OSError as error:
        raise StorageError(path, error) from error
    finally:
        for temporary, _ in waiting:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomically(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields ``path`` with ``.part`` appended; renames it to ``path`` on a clean exit.

    Whatever interrupts the writing, an interrupt from the keyboard too, the part is
    removed and an older file under that name stays as it was. Raises InputError if
    ``path`` exists and is not to be replaced, StorageError if it cannot be written.
    """
    if path.is_dir():
        raise InputError("is a folder", file=path)
    if not path.parent.is_dir():
        raise InputError("is no folder to write into", file=path.parent)
    if path.exists() and not replace:
        raise InputError("exists already", file=path)
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise StorageError(path, error) from error
    finally:
        part.unlink(missing_ok=True)
