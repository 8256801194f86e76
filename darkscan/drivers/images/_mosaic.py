"""One or several images, laid edge to edge, as one large image."""

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from darkscan.drivers.images._levels import Levels, Picture
from darkscan.drivers.images._picture import read_pictures
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.scan import PixelType

_DEPTHS = (10, 12, 14, 16)
_KEPT_BYTES = 1 << 30
_FILES_NAMED = 6


class Mosaic:
    """Images of equal size and type, ``columns`` a row from the top left.

    All files are read through once at the start, to know their size and their levels;
    afterwards the tiles that are asked for are read again as needed, and about a
    gigabyte of them is kept.

    Levels stay as they are, except that signed images with levels below zero are
    shifted by one constant for all tiles, ``shift``, which makes the lowest zero. With
    ``stretch``, a single image of fractions, gaps or more than 16 bits is brought to
    levels of 16 bits; ``stretched`` says how. ``hdu`` chooses among the images of FITS files.

    Raises InputError if a file cannot be read, tiles differ, the last row is not full,
    or the levels do not fit 16 bits.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        columns: int | None = None,
        *,
        stretch: bool = False,
        hdu: str | None = None,
    ) -> None:
        # Tiles would each be stretched by their own noise, and no longer fit together.
        self._read = partial(read_pictures, stretch=stretch and len(paths) == 1, hdu=hdu)
        self.stretched = ""
        self.paths = tuple(paths)
        self.columns = len(paths) if columns is None else columns
        if not paths:
            raise InputError("at least one image is needed")
        if self.columns < 1 or len(paths) % self.columns:
            problem = f"{len(paths)} images do not make full rows of {self.columns}"
            raise InputError(problem, field="columns")
        self._kept: OrderedDict[int, Levels] = OrderedDict()
        self._survey()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        height, width = self._tile_shape
        return height * (len(self.paths) // self.columns), width * self.columns

    @property
    def pixel_type(self) -> PixelType:
        """How the mosaic gives its levels."""
        return "uint8" if self._stored_type == "uint8" else "uint16"

    @property
    def bit_depth(self) -> int:
        """8 for uint8, else the files' own, or the least of 10, 12, 14, 16 for the levels."""
        if self.pixel_type == "uint8":
            return 8
        return self._bits or next(depth for depth in _DEPTHS if self.highest < 2**depth)

    @property
    def description(self) -> str:
        """Where the levels come from, in one line."""
        height, width = self._tile_shape
        names = [printable(path.name) for path in self.paths]
        if len(names) > _FILES_NAMED:
            names = [*names[: _FILES_NAMED - 1], "...", names[-1]]
        count = "image" if len(self.paths) == 1 else f"{len(self.paths)} images, "
        count += "" if len(self.paths) == 1 else f"{self.columns} a row, each"
        text = f"{count} of {width}x{height} pixels of {self._stored_type}: {', '.join(names)}"
        text += "; colour turned to grey by luminance" if self._colour else ""
        return text + (f"; {self.shift} added to every level" if self.shift else "")

    def read_into(self, y: int, x: int, out: Pixels) -> None:
        """Writes the part from (y, x) of the size of ``out`` into ``out``.

        ``out`` is (height, width) of ``pixel_type``. Raises InputError if a tile cannot
        be read or has changed, ValueError if the part is not inside the mosaic.
        """
        bottom, right = y + out.shape[0], x + out.shape[1]
        if y < 0 or x < 0 or bottom > self.shape[0] or right > self.shape[1]:
            raise ValueError(f"part ({y}, {x}) to ({bottom}, {right}) is not inside {self.shape}")
        height, width = self._tile_shape
        rows, columns = (
            range(y // height, -(-bottom // height)),
            range(x // width, -(-right // width)),
        )
        tiles = self._tiles([row * self.columns + column for row in rows for column in columns])
        for (row, column), tile in zip(itertools.product(rows, columns), tiles, strict=True):
            top, left = row * height, column * width
            part = tile[_common(y, bottom, top, height), _common(x, right, left, width)]
            target = out[
                _common(top, top + height, y, out.shape[0]),
                _common(left, left + width, x, out.shape[1]),
            ]
            np.add(part, self.shift, out=target, casting="unsafe")

    def _survey(self) -> None:
        first: Picture | None = None
        lows, highs, colour = [], [], False
        pictures = self._read(self.paths)
        for index, (path, picture) in enumerate(zip(self.paths, pictures, strict=True)):
            first = first or picture
            if _kind(picture) != _kind(first):
                problem = f"is {_say(picture)}, but {self.paths[0].name} is {_say(first)}"
                raise InputError(problem, file=path)
            lows.append(int(picture.levels.min()))
            highs.append(int(picture.levels.max()))
            colour = colour or picture.colour
            self._keep(index, picture.levels)
        assert first is not None
        self._tile_shape: tuple[int, int] = (first.levels.shape[0], first.levels.shape[1])
        self._stored_type, self._bits = first.pixel_type, first.bits
        self._colour = colour
        self.stretched = first.stretched
        self.shift = max(0, -min(lows))
        self.highest = max(highs) + self.shift
        if self.highest >= 2**16:
            span = f"levels from {min(lows)} to {max(highs)}"
            problem = f"holds {span}, more than 16 bits can tell apart"
            raise InputError(problem, file=self.paths[int(np.argmax(highs))])

    def _tiles(self, indices: Sequence[int]) -> list[Levels]:
        """The levels of some tiles; those that were not kept are read together."""
        missing = [index for index in indices if index not in self._kept]
        pictures = self._read(self.paths[index] for index in missing)
        read = dict(zip(missing, pictures, strict=True))
        for index, picture in read.items():
            if _kind(picture) != (self._tile_shape, self._stored_type, self._bits):
                raise InputError("changed while it was read", file=self.paths[index])
        tiles = [read[index].levels if index in read else self._kept[index] for index in indices]
        for index, levels in zip(indices, tiles, strict=True):
            self._keep(index, levels)
        return tiles

    def _keep(self, index: int, levels: Levels) -> None:
        self._kept[index] = levels
        self._kept.move_to_end(index)
        while len(self._kept) > 1 and len(self._kept) * levels.nbytes > _KEPT_BYTES:
            self._kept.popitem(last=False)


def _common(first: int, end: int, origin: int, length: int) -> slice:
    """The places from ``first`` to ``end`` within ``length`` from ``origin``, which is 0."""
    return slice(max(first - origin, 0), min(end - origin, length))


def _kind(picture: Picture) -> tuple[tuple[int, ...], str, int | None]:
    return picture.levels.shape, picture.pixel_type, picture.bits


def _say(picture: Picture) -> str:
    height, width = picture.levels.shape
    packed = f" with {picture.bits} bits" if picture.bits else ""
    return f"{width}x{height} pixels of {picture.pixel_type}{packed}"
