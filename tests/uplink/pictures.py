"""Scans of a few drawn frames, and their picture made the straightforward way."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import simplejpeg

from darkscan.pipeline.core.arrays import Pixels, UInt8Array
from darkscan.pipeline.core.geometry import PixelToStage, rectangle
from darkscan.pipeline.core.scan import FrameMeta, PixelType, ScanInfo
from darkscan.pipeline.host_link.messages import TILE_PX, Pyramid, Tile

PITCH_UM = 10.0


def scan_of(
    frame_shape: tuple[int, int],
    size_px: tuple[int, int],
    *,
    pixel_type: PixelType = "uint8",
    placed: PixelToStage | None = None,
) -> ScanInfo:
    """``size_px``: the element's width and height."""
    size_mm = (size_px[0] * PITCH_UM / 1000, size_px[1] * PITCH_UM / 1000)
    return ScanInfo(
        element="plate",
        element_size_mm=size_mm,
        region_mm=(0.0, 0.0, *size_mm),
        pitch_um=PITCH_UM,
        pixel_to_stage=placed or PixelToStage.from_pitch(PITCH_UM),
        frame_shape=frame_shape,
        pixel_type=pixel_type,
        bit_depth=8 if pixel_type == "uint8" else 12,
        frames_planned=1,
    )


def frame_at(number: int, x_px: float, y_px: float) -> FrameMeta:
    """A frame whose pixel corner (0, 0) lies at this place of level 0."""
    return FrameMeta(
        frame=number,
        strip=0,
        position_mm=(x_px * PITCH_UM / 1000, y_px * PITCH_UM / 1000, 0.0),
        exposure_ns=0,
    )


def drawn(scan: ScanInfo, seed: int = 0) -> Pixels:
    """Noise that uses all levels of the camera, its darkest and its brightest one, too."""
    pixels = np.random.default_rng(seed).integers(0, scan.full_scale + 1, scan.frame_shape)
    return np.asarray(pixels, scan.dtype)  # type: ignore[return-value]


def level_0(scan: ScanInfo, picture: Pyramid, frames: Iterable[tuple[FrameMeta, Pixels]]) -> Pixels:
    """Pixel by pixel: the brightest of the frames that show it, each one higher; 0: none."""
    out = np.zeros((picture.height_px, picture.width_px), scan.dtype)
    most = np.iinfo(scan.dtype).max
    for meta, pixels in frames:
        height, width = pixels.shape
        corners = scan.pixel_to_stage.place(rectangle(0, 0, width, height), meta.position_mm)
        low = np.maximum(corners.min(axis=0) * 1000 / PITCH_UM - 2, 0).astype(int)
        high = np.maximum(corners.max(axis=0) * 1000 / PITCH_UM + 2, 0).astype(int)
        part = out[low[1] : high[1], low[0] : high[0]]
        y, x = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
        offset = (np.stack([x, y], -1) + low) * PITCH_UM / 1000 - meta.position_mm[:2]
        places = np.floor(offset @ np.linalg.inv(scan.pixel_to_stage.matrix).T).astype(int)
        inside = ((places >= 0) & (places < (width, height))).all(axis=-1)
        columns, rows = places[inside].T
        higher = np.minimum(pixels[rows, columns].astype(np.int64) + 1, most)
        part[inside] = np.maximum(part[inside], higher)
    return out


def above(pixels: Pixels, levels: int) -> Pixels:
    """The brightest of 2^levels x 2^levels pixels; those beyond the border are 0."""
    side = 1 << levels
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, -height % side), (0, -width % side)))
    rows, columns = padded.shape
    blocks = padded.reshape(rows // side, side, columns // side, side)
    return blocks.max(axis=(1, 3))  # type: ignore[no-any-return]


def greyed(picture: Pyramid, pixels: Pixels) -> UInt8Array:
    """The formula of ``Pyramid``, for levels that are one higher."""
    level = pixels.astype(np.float64) - 1
    stretched = np.arcsinh(level / picture.softening)
    grey = 255 * stretched / math.asinh(picture.full_scale / picture.softening)
    return np.where(pixels == 0, 0, np.clip(np.rint(grey), 1, 255)).astype(np.uint8)


class Kept:
    """Takes tiles as a host does: the latest revision of each counts."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int, int], Tile] = {}
        self.bytes = 0

    def __call__(self, tiles: Sequence[Tile]) -> None:
        for tile in tiles:
            key = (tile.level, tile.x, tile.y)
            before = self.tiles.get(key)
            assert before is None or (tile.revision > before.revision and not before.final), key
            self.tiles[key] = tile
            self.bytes += len(tile.jpeg)

    def level(self, picture: Pyramid, level: int) -> UInt8Array:
        """All tiles of a level put together; where there is none, 0."""
        side = 1 << level
        height, width = -(-picture.height_px // side), -(-picture.width_px // side)
        out = np.zeros((height, width), np.uint8)
        for (of, x, y), tile in self.tiles.items():
            if of == level:
                grey = simplejpeg.decode_jpeg(tile.jpeg, "GRAY")[..., 0]
                place = out[y * TILE_PX :, x * TILE_PX :][:TILE_PX, :TILE_PX]
                assert grey.shape == place.shape
                place[...] = grey
        return out
