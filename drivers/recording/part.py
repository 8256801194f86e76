"""Files that appear under their name only when they are whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkscan.pipeline.errors import InputError, StorageError


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
