"""Images marked by masks: images of the same size, black where there is no scratch."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkscan.drivers.images import read_picture
from darkscan.network.datasets.images import Drawing
from darkscan.pipeline.core.errors import InputError

_COLUMNS = 2


@dataclass(frozen=True)
class MaskFile:
    """The marks of one image: every pixel of the mask that is not black is a scratch's."""

    path: Path

    def draw(self, shape: tuple[int, int]) -> Drawing:
        """Reads the mask. Raises InputError if it is not readable or of another size."""
        levels = read_picture(self.path).levels
        if levels.shape != shape:
            found, wanted = (f"{width}x{height}" for height, width in (levels.shape, shape))
            problem = f"is {found} pixels, but its image is {wanted}"
            raise InputError(problem, file=self.path, field="mask")
        return Drawing(levels != 0)

    def content(self) -> bytes:
        """The file's bytes."""
        return self.path.read_bytes()


def masks_by_name(images: Sequence[Path], folder: Path, suffix: str) -> list[tuple[Path, MaskFile]]:
    """Each image with the PNG of its stem + ``suffix`` in ``folder``.

    Raises InputError if there is no such file.
    """
    pairs = []
    for image in images:
        mask = folder / f"{image.stem}{suffix}.png"
        if not mask.is_file():
            problem = f"has no mask: {mask} is not there (black where it has no scratch)"
            raise InputError(problem, file=image, field="--masks")
        pairs.append((image, MaskFile(mask)))
    return pairs


def masks_by_list(file: Path) -> list[tuple[Path, MaskFile]]:
    """The pairs of a list: an image and its mask on each line, between them a comma.

    Names are taken from the list's own folder. Raises InputError.
    """
    try:
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"is not a list of names: {error}", file=file) from error
    pairs = []
    for number, row in enumerate(rows, 1):
        names = [name.strip() for name in row]
        if not any(names):
            continue
        if len(names) != _COLUMNS or not all(names):
            problem = f"wanted are an image and a mask, found are {len(names)} names"
            raise InputError(problem, file=file, field=f"line {number}")
        image, mask = (file.parent / name for name in names)
        pairs.append((image, MaskFile(mask)))
    return pairs


def check_stems(images: Iterable[Path]) -> None:
    """Raises InputError if two images have one stem: windows could not say which is theirs."""
    known: dict[str, Path] = {}
    for image in images:
        other = known.setdefault(image.stem, image)
        if other is not image:
            problem = f"has the same name as {other}; every image needs a stem of its own"
            raise InputError(problem, file=image)
