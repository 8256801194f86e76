"""What files of marks have in common: JSON, names of images, labels."""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.text import read_text


def read_json(file: Path) -> object:
    """The content of a JSON file. Raises InputError, also if a name occurs twice in an object."""
    text = read_text(file)
    try:
        content: object = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", file=file) from error
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice in one object")
    return found


def image_path(folder: Path, name: str, file: Path | str, field: str) -> Path:
    """The image called ``name`` in a file of marks, from ``folder``; Windows' backslashes too.

    Raises InputError if no file can have that name.
    """
    try:
        possible = bool(name.strip()) and b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise InputError(f"{name!r} is not the name of a file", file=file, field=field)
    path = folder / name
    return path if "\\" not in name or path.exists() else folder / name.replace("\\", "/")


def check_labels(wanted: Sequence[str], known: Collection[str], file: Path | str) -> None:
    """Raises InputError if a label that is wanted does not occur, or almost the same one does."""
    for label in wanted:
        if label not in known:
            found = ", ".join(sorted(known)) or "none"
            problem = f"no label is called {label!r}, found are: {found}"
            raise InputError(problem, file=file, field="--label")
        for other in sorted(set(known) - set(wanted)):
            if _plain(other) == _plain(label):
                problem = f"{other!r} is a label as well as {label!r}: name both, or mend the file"
                raise InputError(problem, file=file, field="--label")


def _plain(label: str) -> str:
    return " ".join(label.split()).casefold()
