"""A scan of a simulated element: frames rendered when they are read."""

import numpy as np

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import tile_starts
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import check
from darkscan.simulation.element.element_truth import ElementTruth
from darkscan.simulation.element.render import Scene, render
from darkscan.simulation.element.sensor import DEEPEST_BITS, SHALLOWEST_BITS, quantise

_FRAME_S = 0.25  # stop, settle, expose
_STRIP_TURN_NS = 1_000_000_000
_GRID = Inspection()
"""Windows of the usual side and stride: frames overlap for them."""

_NOISE = 0x5E50  # sets the seeds of the sensor's noise apart from other seeds


class SimulatedScan:
    """A FrameSource: an element scanned strip by strip, forth and back.

    Frames overlap so that the window grid runs on unbroken, and cover the last pixel of
    the element. The same truth and options give the same bytes, in whatever order and
    however often frames are read.
    """

    def __init__(
        self,
        truth: ElementTruth,
        *,
        pitch_um: float = 10.0,
        frame_px: int = 2048,
        bit_depth: int = 8,
        element: str = "",
        frame_s: float = _FRAME_S,
    ) -> None:
        """Plans the scan of ``truth``. Raises InputError if the element is too small.

        ``bit_depth`` 8 gives uint8; 9 to 16 give uint16 with grey levels scaled up.
        ``element`` is its name, by default made of preset and seed; ``frame_s``: from frame to
        frame along a strip, seconds.
        """
        width, height = truth.size_px
        if min(width, height) < frame_px:
            problem = f"an element of {width}x{height} px is smaller than a frame of {frame_px} px"
            raise InputError(problem, field="size")
        if not SHALLOWEST_BITS <= bit_depth <= DEEPEST_BITS:
            raise InputError(f"must be 8 to 16, is {bit_depth}", field="bit_depth")
        self.truth = truth
        self._scene = Scene(truth)
        columns = tile_starts(width, frame_px, _GRID.window, _GRID.stride)
        rows = tile_starts(height, frame_px, _GRID.window, _GRID.stride)
        self._corners = [
            (x, y, strip)
            for strip, y in enumerate(rows)
            for x in (reversed(columns) if strip % 2 else columns)
        ]
        matrix = PixelToStage.from_pitch(pitch_um)
        size_mm = (width * pitch_um / 1000.0, height * pitch_um / 1000.0)
        self._frames = tuple(
            FrameMeta(
                frame=number,
                strip=strip,
                position_mm=(x * pitch_um / 1000.0, y * pitch_um / 1000.0, 0.0),
                exposure_ns=number * round(frame_s * 1e9) + strip * _STRIP_TURN_NS,
            )
            for number, (x, y, strip) in enumerate(self._corners)
        )
        content = {
            "element": element or f"simulated-{truth.preset}-{truth.seed}",
            "element_size_mm": size_mm,
            "region_mm": (0.0, 0.0, *size_mm),
            "pitch_um": pitch_um,
            "pixel_to_stage": matrix,
            "frame_shape": (frame_px, frame_px),
            "pixel_type": "uint8" if bit_depth == SHALLOWEST_BITS else "uint16",
            "bit_depth": bit_depth,
            "frames_planned": len(self._frames),
            "rig": "simulated",
            "source": f"simulation, preset {truth.preset}, seed {truth.seed}",
        }
        self._info = check(content, ScanInfo, file=None)

    @property
    def info(self) -> ScanInfo:
        """The scan's description."""
        return self._info

    @property
    def frames(self) -> tuple[FrameMeta, ...]:
        """Every frame in scan order."""
        return self._frames

    def read_into(self, index: int, out: Pixels) -> None:
        """Renders frame ``index`` into ``out``, (frame_px, frame_px) of the scan's type."""
        if out.shape != self._info.frame_shape or out.dtype != self._info.dtype:
            raise ValueError(
                f"a frame is {self._info.frame_shape} {self._info.pixel_type}, "
                f"not {out.shape} {out.dtype}"
            )
        x, y, _ = self._corners[index]
        rng = np.random.default_rng([self.truth.seed, _NOISE, index])
        image = render(self._scene, x, y, *self._info.frame_shape, rng)
        out[...] = quantise(image, self._info.bit_depth)

    def close(self) -> None:
        """Nothing to let go of."""


def size_of_patch(
    frames: tuple[int, int], *, frame_px: int = 2048, overlap_px: int = 128
) -> tuple[int, int]:
    """The size (width, height) in pixels of a patch that takes (columns, rows) frames.

    ``overlap_px`` is window - stride. Raises InputError unless there are frames.
    """
    if min(frames) < 1:
        raise InputError(f"must be 1x1 or more, is {frames[0]}x{frames[1]}", field="frames")
    step = frame_px - overlap_px
    return frame_px + (frames[0] - 1) * step, frame_px + (frames[1] - 1) * step
