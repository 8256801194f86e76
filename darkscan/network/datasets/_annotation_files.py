"""Files of marks: JSON, names of images, labels, and the picture that labelme embeds."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from darkscan.drivers.images import Picture, read_picture
from darkscan.network.datasets.marks import MarksError, require_size
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_text

_FIELD = "imageData"  # the key of a labelme file


@dataclass(frozen=True)
class EmbeddedPicture:
    """The size and the levels of an embedded picture, which the image must share.

    ``shape`` is (height, width); ``levels`` is a hash of the levels, "" after lossy
    compression, which changes them.
    """

    shape: tuple[int, int]
    pixel_type: str
    levels: str

    @classmethod
    def read(cls, text: str, file: Path) -> Self:
        """Decodes ``imageData``. Raises MarksError naming ``file`` if it is no picture."""
        try:
            data = base64.b64decode(text, validate=False)
        except (binascii.Error, ValueError) as error:
            raise MarksError("is damaged: not base64", file=file, field=_FIELD) from error
        # The reader of images wants a file: this one lies in memory.
        descriptor = os.memfd_create(_FIELD)
        with os.fdopen(descriptor, "wb") as content:
            content.write(data)
            content.flush()
            try:
                picture = read_picture(Path(f"/proc/self/fd/{descriptor}"))
            except InputError as error:
                raise MarksError(error.problem, file=file, field=_FIELD) from error
        height, width = picture.levels.shape
        return cls((height, width), picture.levels.dtype.name, _hash(picture))

    def check(self, picture: Picture, path: Path, file: Path) -> None:
        """Raises MarksError naming ``file`` if ``picture``, of ``path``, is another one."""
        require_size(self.shape, picture.levels.shape, file, _FIELD, "holds a picture of")
        levels = _hash(picture)
        # labelme shows 16 bits as 8, and keeps JPEG as another JPEG: then levels tell nothing.
        comparable = self.levels and levels and self.pixel_type == picture.levels.dtype.name
        if comparable and self.levels != levels:
            problem = f"holds another picture than {path.name}: the marks were made on that"
            raise MarksError(problem, file=file, field=_FIELD)


def read_json(file: Path) -> object:
    """The content of a JSON file. Raises InputError, also if a name occurs twice in an object."""
    text = read_text(file)
    try:
        content: object = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", file=file) from error
    return content


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
    if "\\" in name and not path.exists():
        path = folder / name.replace("\\", "/")
    return path


def existing_image(folder: Path, name: str, file: Path, field: str) -> Path:
    """The same of a file that is there. Raises InputError if it is not."""
    path = image_path(folder, name, file, field)
    if not path.exists():
        raise InputError(f"{name!r} is not there: looked for {path}", file=file, field=field)
    return path


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


def _hash(picture: Picture) -> str:
    """The hash of a picture's levels; "" if compression changed them."""
    return "" if picture.lossy else hashlib.sha256(picture.levels.tobytes()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object from its pairs. Raises ValueError if a name occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice in one object")
    return found


def _plain(label: str) -> str:
    """A label without differences of case and spaces."""
    return " ".join(label.split()).casefold()
