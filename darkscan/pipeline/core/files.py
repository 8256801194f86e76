"""Writes files that appear under their name only when they are whole."""

import os
from collections.abc import Iterator, Mapping, Sequence
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(folder, error) from error
    paths = [folder / name for name in files]
    with _put_in_place(paths) as parts:
        for path, part, content in zip(paths, parts, files.values(), strict=True):
            try:
                part.write_bytes(content)
            except OSError as error:
                raise StorageError(path, error) from error


@contextmanager
def atomically(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields a temporary path to write to; the file is renamed to ``path`` on a clean exit.

    Whatever interrupts the writing, an interrupt from the keyboard too, the temporary file is
    removed and an older file under that name stays as it was. Raises InputError if
    ``path`` exists and is not to be replaced, StorageError if it cannot be written.
    """
    if path.is_dir():
        raise InputError("is a folder", file=path)
    if not path.parent.is_dir():
        raise InputError("is no folder to write into", file=path.parent)
    if path.exists() and not replace:
        raise InputError("exists already", file=path)
    with _put_in_place([path]) as (part,):
        yield part


@contextmanager
def _put_in_place(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yields a temporary path for each file of a folder; puts all in place on a clean exit."""
    for path in paths:
        _remove_leftovers(path)
    parts = [path.with_name(f".{path.name}.{os.getpid()}.part") for path in paths]
    current = paths[0]
    try:
        yield parts
        for current, part in zip(paths, parts, strict=True):  # noqa: B007 - named in the error
            sync(part)
        for current, part in zip(paths, parts, strict=True):
            part.replace(current)
        sync(current.parent)
    except OSError as error:
        raise StorageError(current, error) from error
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Removes the temporary files of processes that were killed while writing ``path``."""
    prefix = f".{path.name}."
    with suppress(OSError):
        for entry in path.parent.iterdir():
            process = entry.name.removeprefix(prefix).removesuffix(".part")
            is_part = process.isdecimal() and entry.name == f"{prefix}{process}.part"
            if is_part and not Path("/proc", process).exists():
                entry.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file's content is on the disk, or the list of a folder's files.

    Only then a new file in the folder is sure to keep its name. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
