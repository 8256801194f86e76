"""What may mark the scratches of one image, and how marks are held against that image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from darkscan.drivers.images import Picture
from darkscan.network.datasets.truth import FloatArray, Mask
from darkscan.pipeline.errors import InputError


class MarksError(InputError):
    """The marks of one image do not fit it, or cannot be understood."""

    @property
    def reason(self) -> str:
        """The message without folders: the same wherever the files lie."""
        name = "" if self.file is None else Path(self.file).name
        return ": ".join(filter(None, (name, self.field, self.problem)))


@dataclass(frozen=True)
class Drawing:
    """Marked scratches: a mask (H, W) of their pixels, and centre lines (K, 2), x and y.

    ``void`` (H, W) are pixels of which nobody said what they show, None if there are none.
    ``remark`` says why nothing is marked, if nothing is.
    """

    mask: Mask
    lines: tuple[FloatArray, ...] = ()
    void: Mask | None = None
    remark: str = ""

    @property
    def scratched(self) -> bool:
        """Whether any scratch is marked."""
        return bool(self.lines) or bool(self.mask.any())


class Marks(Protocol):
    """What marks the scratches of one image."""

    def check(self, picture: Picture, path: Path) -> None:
        """Raises MarksError if the marks were drawn on another picture than that at ``path``."""
        ...

    def draw(self, shape: tuple[int, int]) -> Drawing:
        """The marks on an image of (height, width). Raises MarksError if they do not fit it."""
        ...

    def content(self) -> bytes:
        """What tells these marks from others."""
        ...


def require_size(
    found: Sequence[int], shape: Sequence[int], file: Path, field: str, subject: str = "is"
) -> None:
    """Raises MarksError unless ``found`` is the (height, width) ``shape`` of the image.

    ``subject`` begins the message, and says what has the size that was found.
    """
    if tuple(found) == tuple(shape):
        return
    (high, wide), (height, width) = found, shape
    turned = (wide, high) == (height, width)
    problem = f"{subject} {wide}x{high} pixels, but its image is {width}x{height}"
    raise MarksError(problem + (": one of them was turned" * turned), file=file, field=field)


@dataclass(frozen=True)
class StatedSize:
    """The size that a file of marks gives for its picture, px; None where it is silent.

    ``fields`` are the names of width and height there.
    """

    width: int | None
    height: int | None
    fields: tuple[str, str]

    @property
    def known(self) -> bool:
        """Whether both are given."""
        return self.width is not None and self.height is not None

    def check(self, shape: tuple[int, int], file: Path) -> None:
        """Raises MarksError if it is not that of an image of (height, width)."""
        height, width = shape
        found = (
            height if self.height is None else self.height,
            width if self.width is None else self.width,
        )
        wrong = self.fields[self.width is None or self.width == width]
        require_size(found, shape, file, wrong, "was made on a picture of")
