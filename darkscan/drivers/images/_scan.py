"""Cuts a large image into the frames of a scan."""

import math
from collections.abc import Sequence

from darkscan.drivers.images._mosaic import Mosaic
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import tile_starts
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import check

_GRID = Inspection()
"""Windows of the usual side and stride: frames overlap for them."""


class ImageScan:
    """An image as the scan of an element, a FrameSource.

    The image's top left corner is the element's origin, and the image is all of it.
    Frames are ``frame`` pixels wide and high, or the image's side where that is less;
    they cover every pixel, and overlap so that the windows of neighbours continue one
    grid. They come in serpentine order: the rows of frames are the strips, the odd
    strips run from right to left.

    Raises InputError if the image is smaller than a window, the pitch is not positive
    and finite, or ``bit_depth`` does not hold the image's levels.
    """

    def __init__(
        self,
        mosaic: Mosaic,
        pitch_um: float,
        *,
        frame: int = 2048,
        element: str = "",
        side: str = "front",
        bit_depth: int | None = None,
    ) -> None:
        if not (math.isfinite(pitch_um) and pitch_um > 0):
            problem = f"must be a positive number of micrometres, is {pitch_um}"
            raise InputError(problem, field="pitch_um")
        height, width = mosaic.shape
        window, stride = _GRID.window, _GRID.stride
        if min(height, width) < window:
            problem = f"image of {width}x{height} pixels is smaller than a window of {window}"
            raise InputError(problem, file=mosaic.paths[0])
        self._mosaic = mosaic
        self._origins = _serpentine(
            tile_starts(height, frame, window, stride), tile_starts(width, frame, window, stride)
        )
        size_mm = (width * pitch_um / 1000, height * pitch_um / 1000)
        content = {
            "element": element or printable(mosaic.paths[0].stem),
            "side": side,
            "element_size_mm": size_mm,
            "region_mm": (0.0, 0.0, *size_mm),
            "pitch_um": pitch_um,
            "pixel_to_stage": PixelToStage.from_pitch(pitch_um),
            "frame_shape": (min(frame, height), min(frame, width)),
            "pixel_type": mosaic.pixel_type,
            "bit_depth": _depth(mosaic, bit_depth),
            "frames_planned": len(self._origins),
            "rig": "image import",
            "source": mosaic.description,
        }
        self._info = check(content, ScanInfo, file=None)
        self._frames = [
            FrameMeta(
                frame=number,
                strip=strip,
                position_mm=(x * pitch_um / 1000, y * pitch_um / 1000, 0.0),
                exposure_ns=0,
            )
            for number, (strip, y, x) in enumerate(self._origins)
        ]

    @property
    def info(self) -> ScanInfo:
        """The scan's description."""
        return self._info

    @property
    def frames(self) -> Sequence[FrameMeta]:
        """Every frame in scan order; images have no clock, so exposures are all at 0."""
        return self._frames

    def read_into(self, index: int, out: Pixels) -> None:
        """Writes the pixels of ``frames[index]`` into ``out`` (height, width)."""
        _, y, x = self._origins[index]
        self._mosaic.read_into(y, x, out)

    def close(self) -> None:
        """Nothing is held open."""


def _serpentine(tops: list[int], lefts: list[int]) -> list[tuple[int, int, int]]:
    """Strip, y and x of each frame, every other strip backwards."""
    return [
        (strip, y, x)
        for strip, y in enumerate(tops)
        for x in (reversed(lefts) if strip % 2 else lefts)
    ]


def _depth(mosaic: Mosaic, wanted: int | None) -> int:
    if wanted is None:
        return mosaic.bit_depth
    most = 8 if mosaic.pixel_type == "uint8" else 16
    if not 1 <= wanted <= most or mosaic.highest >= 2**wanted:
        problem = f"{wanted} bits do not fit {mosaic.pixel_type} levels up to {mosaic.highest}"
        raise InputError(problem, field="bit_depth")
    return wanted
