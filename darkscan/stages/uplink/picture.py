"""The picture of a scan: frames go in as they are settled, tiles come out."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from darkscan.pipeline.core.arrays import Float64Array, Pixels
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.host_link.messages import TILE_PX, Pyramid, Tile
from darkscan.stages.uplink._open_tiles import (
    FrameState,
    Key,
    OpenTile,
    OpenTiles,
    grid_shape,
    level_shape,
)
from darkscan.stages.uplink._pyramid import (
    Block,
    Grey,
    GreyTable,
    Placement,
    encode_tile,
    halved,
    keep_freed_memory,
    pyramid_of,
)

__all__ = ["Picture", "PutTiles", "keep_freed_memory", "pyramid_of"]

_MARGIN_PX = 32
"""Of level 0: a frame may lie this far from its planned place without coming too late."""

_AROUND_FOUND = 1
"""Tiles of the finest level around one in which something was found that are sent, too."""

FINEST_BYTES = 500_000_000
"""Of tiles finer than ``Pyramid.finest`` that a scan may send: more would fill the host's disk
with dirty elements, whose finest level is better read from their recordings."""

_SHUT_AT_ONCE = 16

PutTiles = Callable[[Sequence[Tile]], object]
"""Takes tiles for good: if it raises, they are handed on again later."""


class Picture:
    """Puts frames together to tiles, and hands them on: revisions, and at last final ones.

    A tile is final when all planned frames that reach into it are settled, or when there is
    no more room for open ones. Tiles finer than ``Pyramid.finest`` come only where something
    was found, ``FINEST_BYTES`` of them at most; what no frame with a find shows of them is
    filled in from the level above.
    """

    def __init__(
        self,
        scan: ScanInfo,
        picture: Pyramid,
        plan: Sequence[FrameMeta],
        folder: Path,
        *,
        revisions_before: int = 0,
    ) -> None:
        """``folder``: where open tiles lie; those of a predecessor are taken up.

        ``revisions_before``: at least as many as an earlier run handed on of any tile.
        Raises StorageError if there is no room.
        """
        self._picture = picture
        self._finest_bytes = 0
        self._revisions_before = revisions_before
        self._placement = Placement(scan, picture)
        self._grey = GreyTable(picture, scan.dtype)
        self._tiles = OpenTiles(folder, picture, len(plan))
        self._index = {meta.frame: number for number, meta in enumerate(plan)}
        self._boxes = [self._placement.box(meta.position_mm) for meta in plan]
        self._awaited = [
            np.zeros(grid_shape(picture, level), np.int32) for level in range(picture.levels)
        ]
        """How many frames of the plan may still reach into each tile, level by level."""
        for number, state in enumerate(self._tiles.frames.tolist()):
            if state == FrameState.AWAITED:
                self._count(number, 1)

    def awaits(self, frame: FrameId) -> bool:
        """Whether nothing was said of a planned frame yet."""
        number = self._index.get(frame)
        return number is not None and self._tiles.frames[number] == FrameState.AWAITED

    @property
    def not_pictured(self) -> int:
        """Frames that were inspected and are not in the picture, or not all of them."""
        return int((self._tiles.frames >= FrameState.MISSED).sum())

    @property
    def open_tiles(self) -> int:
        """How many tiles frames may still change."""
        return len(self._tiles)

    def show(self, meta: FrameMeta, pixels: Pixels, found_px: Float64Array, put: PutTiles) -> None:
        """Adds a frame (H, W); showing it again changes nothing.

        ``found_px``: points (P, 2) of the frame where something was found. ``put`` takes tiles
        that have to be closed to make room.
        """
        block = self._placement.place(pixels, meta.position_mm)
        whole = True
        if block is not None:
            found = self._placement.points(found_px, meta.position_mm)
            for level in range(self._picture.levels):
                if level == 1:
                    block = Block(block.x, block.y, self._grey(block.pixels))
                wanted = self._wanted(found, level)
                whole &= self._add(level, block, wanted, put)
                block = halved(block)
        self._settle(meta.frame, FrameState.DONE if whole else FrameState.PARTLY)

    def leave_out(self, frame: FrameId, *, inspected: bool) -> None:
        """A frame will not be shown; one that was inspected is counted."""
        self._settle(frame, FrameState.MISSED if inspected else FrameState.DONE)

    def hand_on(self, put: PutTiles, *, revisions: int) -> None:
        """Hands on tiles that are final, and of those that changed so many, coarse ones first."""
        final, changed = [], []
        for tile in self._tiles:
            key = tile.key
            if not self._awaited[key.level][key.y, key.x]:
                final.append(tile)
            elif tile.changed:
                changed.append(tile)
        # What is missing in finer tiles is taken from coarser ones: these are closed after them.
        final.sort(key=lambda tile: tile.key)
        changed.sort(key=lambda tile: (-tile.key.level, tile.touched))
        self._put(final, put, final=True)
        self._put(changed[:revisions], put, final=False)

    def _put(self, chosen: Sequence[OpenTile], put: PutTiles, *, final: bool) -> None:
        tiles = [self._made(tile, final=final) for tile in chosen]
        if not tiles:
            return
        put(tiles)
        for tile, made in zip(chosen, tiles, strict=True):
            tile.handed_on(made.revision)
            if final:
                if made.level < self._picture.finest:
                    self._finest_bytes += len(made.jpeg)
                self._tiles.close(tile)

    def _made(self, tile: OpenTile, *, final: bool) -> Tile:
        level, x, y = tile.key
        height, width = level_shape(self._picture, level)
        seen = tile.pixels
        if level < self._picture.finest:
            seen = self._filled(seen, tile.key)
        cut = seen[: height - y * TILE_PX, : width - x * TILE_PX]
        jpeg = encode_tile(cut)
        revision = max(tile.revision, self._revisions_before) + 1
        return Tile(level=level, x=x, y=y, revision=revision, final=final, jpeg=jpeg)

    def _filled(self, seen: Grey, key: Key) -> Grey:
        """A tile whose gaps show the level above, each pixel four times."""
        above = self._tiles.find(Key(key.level + 1, key.x // 2, key.y // 2))
        if above is None:
            return seen
        half = TILE_PX // 2
        top, left = key.y % 2 * half, key.x % 2 * half
        coarse = above.pixels[top : top + half, left : left + half]
        return np.where(seen, seen, coarse.repeat(2, axis=0).repeat(2, axis=1))

    def _add(self, level: int, block: Block, wanted: set[Key] | None, put: PutTiles) -> bool:
        """Adds a block to the tiles of its level; whether all that it shows has found room.

        wanted: the only tiles that are begun with it; None: all.
        """
        whole = True
        for key in _tiles_under(level, block):
            tile = self._tiles.find(key)
            if tile is None and wanted is not None and key not in wanted:
                continue
            here, there = _shared(key, block)
            part = block.pixels[here]
            if level == 0:
                part = self._grey(part)
            if tile is None:
                if not part.any():
                    continue
                tile = self._opened(key, put)
                if tile is None:
                    whole = False
                    continue
            np.maximum(tile.pixels[there], part, out=tile.pixels[there])
            self._tiles.touch(tile)
        return whole

    def _opened(self, key: Key, put: PutTiles) -> OpenTile | None:
        """A tile that was not open; None if it is closed for good."""
        if self._tiles.is_closed(key):
            return None
        tile = self._tiles.open(key)
        if tile is None:
            self.hand_on(put, revisions=0)
            tile = self._tiles.open(key)
        if tile is None:  # those close that no frame has changed for longest, finest first
            longest = sorted(self._tiles, key=lambda each: (each.key.level, each.touched))
            self._put(longest[:_SHUT_AT_ONCE], put, final=True)
            tile = self._tiles.open(key)
        return tile

    def _wanted(self, found: Float64Array, level: int) -> set[Key] | None:
        """The only tiles that a frame with such finds begins at a level; None: all."""
        if level >= self._picture.finest:
            return None
        return self._around(found, level) if self._finest_bytes < FINEST_BYTES else set()

    def _around(self, found: Float64Array, level: int) -> set[Key]:
        """The tiles in which points (P, 2) of level 0 lie, and those around them."""
        rows, columns = grid_shape(self._picture, level)
        places = np.unique(found // (TILE_PX << level), axis=0).astype(int).tolist()
        steps = range(-_AROUND_FOUND, _AROUND_FOUND + 1)
        return {
            Key(level, x + right, y + down)
            for x, y in places
            for right in steps
            for down in steps
            if 0 <= x + right < columns and 0 <= y + down < rows
        }

    def _settle(self, frame: FrameId, state: FrameState) -> None:
        if self.awaits(frame):
            number = self._index[frame]
            self._count(number, -1)
            self._tiles.frames[number] = state

    def _count(self, number: int, step: int) -> None:
        left, top, right, bottom = self._boxes[number]
        if right <= left or bottom <= top:
            return
        for level, awaited in enumerate(self._awaited):
            side = TILE_PX << level
            first = np.maximum(np.array([top, left]) - _MARGIN_PX, 0) // side
            last = np.array([bottom, right]) - 1 + _MARGIN_PX
            end = last // side + 1
            awaited[first[0] : end[0], first[1] : end[1]] += step


def _tiles_under(level: int, block: Block) -> list[Key]:
    """The tiles that a block reaches into."""
    height, width = block.pixels.shape
    columns = range(block.x // TILE_PX, (block.x + width - 1) // TILE_PX + 1)
    rows = range(block.y // TILE_PX, (block.y + height - 1) // TILE_PX + 1)
    return [Key(level, x, y) for y in rows for x in columns]


def _shared(key: Key, block: Block) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of a block that lies in a tile: of the block, and of the tile."""
    inside: list[tuple[slice, slice]] = []
    for first, length, tile in zip(
        (block.y, block.x), block.pixels.shape, (key.y, key.x), strict=True
    ):
        begin = max(first, tile * TILE_PX)
        end = min(first + length, (tile + 1) * TILE_PX)
        inside.append(
            (slice(begin - first, end - first), slice(begin - tile * TILE_PX, end - tile * TILE_PX))
        )
    (rows, tile_rows), (columns, tile_columns) = inside
    return (rows, columns), (tile_rows, tile_columns)
