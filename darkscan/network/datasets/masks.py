"""Images marked by masks: images of the same size, black where there is no scratch."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darkscan.drivers.images import Picture
from darkscan.network.datasets._annotation_files import image_path
from darkscan.network.datasets.marks import Drawing
from darkscan.network.datasets.mask_reading import MaskMeaning, MaskReader
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_text

_COLUMNS = 2
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True)
class MaskFile:
    """The marks of one image: a mask, and the reader of all masks that belong with it."""

    path: Path
    reader: MaskReader = field(default_factory=MaskReader)

    def check(self, picture: Picture, path: Path) -> None:
        """A mask tells nothing of its picture but the size."""

    def draw(self, shape: tuple[int, int]) -> Drawing:
        """Reads the mask. Raises InputError if it cannot be read, does not fit or is unclear."""
        return self.reader.read(self.path, shape)

    def content(self) -> bytes:
        """The file's bytes, and what they are said to mean."""
        meaning = self.reader.meaning
        said = b"" if meaning == MaskMeaning() else repr(meaning).encode()
        return self.path.read_bytes() + said


def masks_by_name(
    images: Sequence[Path], folder: Path, suffix: str, reader: MaskReader | None = None
) -> list[tuple[Path, MaskFile]]:
    """Each image with the PNG of its stem + ``suffix`` in ``folder``.

    Raises InputError if there is no such file.
    """
    reader = reader or MaskReader()
    pairs = []
    for image in images:
        mask = folder / f"{image.stem}{suffix}.png"
        if not mask.is_file():
            problem = f"has no mask: {mask} is not there (black where it has no scratch)"
            raise InputError(problem, file=image, field="--masks")
        pairs.append((image, MaskFile(mask, reader)))
    return pairs


def masks_by_list(file: Path, reader: MaskReader | None = None) -> list[tuple[Path, MaskFile]]:
    """The pairs of a list: an image and its mask on each line.

    Between them is a comma, a semicolon or a tab, the same on all lines; names that hold it
    are quoted. Names are taken from the list's own folder. Raises InputError.
    """
    reader = reader or MaskReader()
    pairs = []
    for line, names in _rows(file, read_text(file)):
        field = f"line {line}"
        if len(names) != _COLUMNS or not all(names):
            problem = f"wanted are an image and a mask, found are {len(names)} names"
            raise InputError(problem, file=file, field=field)
        image, mask = (image_path(file.parent, name, file, field) for name in names)
        pairs.append((image, MaskFile(mask, reader)))
    return pairs


def _rows(file: Path, text: str) -> list[tuple[int, list[str]]]:
    """The lines that hold anything, each with its number and names. Raises InputError."""
    try:
        divided = {separator: list(_divided(text, separator)) for separator in _SEPARATORS}
    except csv.Error as error:
        raise InputError(f"is not a list of names: {error}", file=file) from error
    fitting = {
        separator: rows
        for separator, rows in divided.items()
        if rows and all(len(names) == _COLUMNS for _, names in rows)
    }
    if len(fitting) > 1:
        found = " and ".join(_SEPARATORS[separator] for separator in fitting)
        problem = f"can be divided at each {found}: put names that hold one in quotes"
        raise InputError(problem, file=file)
    # Where none fits, the one that divides most says best what is wrong.
    likely = max(divided.values(), key=lambda rows: sum(len(names) for _, names in rows))
    return next(iter(fitting.values()), likely)


def _divided(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold anything, divided at a separator. Raises csv.Error."""
    lines = io.StringIO(text, newline="")
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    for row in rows:
        names = [name.strip() for name in row]
        if any(names):
            yield rows.line_num, names


def check_stems(images: Iterable[Path]) -> None:
    """Raises InputError if two images have one stem: windows could not say which is theirs."""
    known: dict[str, Path] = {}
    for image in images:
        other = known.setdefault(image.stem, image)
        if other is image:
            continue
        if other.resolve() == image.resolve():
            raise InputError("is given twice: an image may have one set of marks", file=image)
        problem = f"has the same name as {other}; every image needs a stem of its own"
        raise InputError(problem, file=image)
