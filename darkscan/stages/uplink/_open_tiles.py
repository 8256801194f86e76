"""The tiles that frames may still change, in shared memory: they outlive a killed process.

A small file has what is known of the plan's frames and of tiles that are closed; files of 64
tiles each are added as they are needed. All lie in the run's folder and go with it.
"""

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.shared_memory import PAGE, keep_shared, whole_pages
from darkscan.pipeline.host_link.messages import TILE_PX, Pyramid
from darkscan.stages.uplink._pyramid import Grey

_MOST_BYTES = 512 * 2**20
_TOGETHER = 64
_TILE_BYTES = TILE_PX * TILE_PX
_PLACE_BITS = 20


class Key(NamedTuple):
    """Which tile: its level, column and row."""

    level: int
    x: int
    y: int


class FrameState(IntEnum):
    """What became of a planned frame's pixels."""

    AWAITED = 0
    DONE = 1  # in the picture; or it was not inspected, and there is nothing to show
    MISSED = 2  # inspected, and not in the picture
    PARTLY = 3  # in the picture, but for tiles that were closed before it came


class _Word(IntEnum):
    """What is known of a tile, 8 bytes each."""

    KEY = 0  # 0: the room is free
    REVISION = 1  # the latest that was handed on
    CHANGED = 2  # whether a frame changed it since
    TOUCHED = 3  # when a frame changed it: a number that rises


class OpenTile:
    """A tile as it is so far."""

    def __init__(self, words: npt.NDArray[np.int64], pixels: Grey) -> None:
        self._words = words
        self.pixels = pixels
        """(512, 512), 0: not seen; those at the element's borders use a part of it."""

    @property
    def key(self) -> Key:
        """Which one it is."""
        packed = int(self._words[_Word.KEY]) - 1
        mask = (1 << _PLACE_BITS) - 1
        return Key(packed >> 2 * _PLACE_BITS, packed & mask, packed >> _PLACE_BITS & mask)

    @property
    def revision(self) -> int:
        """The latest that was handed on; 0: none."""
        return int(self._words[_Word.REVISION])

    @property
    def changed(self) -> bool:
        """Whether a frame changed it since."""
        return bool(self._words[_Word.CHANGED])

    @property
    def touched(self) -> int:
        """Rises with each change of any tile."""
        return int(self._words[_Word.TOUCHED])

    def touch(self, moment: int) -> None:
        """Notes that a frame changed it."""
        self._words[_Word.CHANGED], self._words[_Word.TOUCHED] = 1, moment

    def handed_on(self, revision: int) -> None:
        """Notes that it was handed on as it is now."""
        self._words[_Word.CHANGED], self._words[_Word.REVISION] = 0, revision

    def take(self, key: Key) -> None:
        """Makes this room a new tile's."""
        self.pixels[...] = 0
        self._words[...] = 0
        # Last: who looks after a crash finds a whole tile, or free room.
        self._words[_Word.KEY] = 1 + (key.level << 2 * _PLACE_BITS | key.y << _PLACE_BITS | key.x)

    def let_go(self) -> None:
        """Makes the room free."""
        self._words[_Word.KEY] = 0

    @property
    def is_free(self) -> bool:
        """Whether it is no tile's."""
        return not self._words[_Word.KEY]


class OpenTiles:
    """The open tiles of a scan's picture, and what became of its frames and closed tiles."""

    def __init__(self, folder: Path, picture: Pyramid, frames: int) -> None:
        """Takes up what a predecessor left in ``folder``, or begins. Raises StorageError."""
        self._folder = folder
        shapes = [grid_shape(picture, level) for level in range(picture.levels)]
        sizes = [frames, *(rows * columns for rows, columns in shapes)]
        whole = keep_shared(folder / "picture", whole_pages(max(1, sum(sizes))))
        parts = np.split(np.frombuffer(whole, np.uint8)[: sum(sizes)], np.cumsum(sizes)[:-1])
        self.frames = parts[0]
        """(N,) FrameState of each planned frame, to be changed in place."""
        self._closed = [part.reshape(shape) for part, shape in zip(parts[1:], shapes, strict=True)]
        self._room: list[OpenTile] = []
        self._by_key: dict[Key, OpenTile] = {}
        while (folder / self._chunk_name()).exists():
            self._add_chunk()
        self._by_key = {tile.key: tile for tile in self._room if not tile.is_free}
        self._free = [tile for tile in self._room if tile.is_free]
        self._clock = max((tile.touched for tile in self._by_key.values()), default=0)

    def __iter__(self) -> Iterator[OpenTile]:
        """All that are open, in no order that means anything."""
        return iter(list(self._by_key.values()))

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: Key) -> OpenTile | None:
        """The tile, if it is open."""
        return self._by_key.get(key)

    def is_closed(self, key: Key) -> bool:
        """Whether its last revision was handed on."""
        return bool(self._closed[key.level][key.y, key.x])

    def open(self, key: Key) -> OpenTile | None:
        """The tile, open by now; None if there is no room for one more."""
        tile = self._by_key.get(key)
        if tile is None:
            if not self._free and not self._make_room():
                return None
            tile = self._free.pop()
            tile.take(key)
            self._by_key[key] = tile
        return tile

    def touch(self, tile: OpenTile) -> None:
        """Notes that a frame changed a tile."""
        self._clock += 1
        tile.touch(self._clock)

    def close(self, tile: OpenTile) -> None:
        """Notes that no frame can change a tile any more."""
        key = tile.key
        self._closed[key.level][key.y, key.x] = 1
        del self._by_key[key]
        tile.let_go()
        self._free.append(tile)

    def _make_room(self) -> bool:
        if (len(self._room) + _TOGETHER) * _TILE_BYTES > _MOST_BYTES:
            return False
        before = len(self._room)
        try:
            self._add_chunk()
        except StorageError:  # shared memory is full
            return False
        self._free.extend(self._room[before:])
        return True

    def _chunk_name(self) -> str:
        return f"picture-{len(self._room) // _TOGETHER}"

    def _add_chunk(self) -> None:
        size = PAGE + _TOGETHER * _TILE_BYTES
        mapping = np.frombuffer(keep_shared(self._folder / self._chunk_name(), size), np.uint8)
        words = mapping[:PAGE].view(np.int64)[: _TOGETHER * len(_Word)].reshape(_TOGETHER, -1)
        pixels = mapping[PAGE:].reshape(_TOGETHER, TILE_PX, TILE_PX)
        self._room += [OpenTile(*each) for each in zip(words, pixels, strict=True)]


def grid_shape(picture: Pyramid, level: int) -> tuple[int, int]:
    """How many rows and columns of tiles a level has."""
    height, width = level_shape(picture, level)
    return -(-height // TILE_PX), -(-width // TILE_PX)


def level_shape(picture: Pyramid, level: int) -> tuple[int, int]:
    """A level's height and width, pixels."""
    side = 1 << level
    return -(-picture.height_px // side), -(-picture.width_px // side)
