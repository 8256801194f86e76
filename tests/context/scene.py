"""An element of random grey levels, and scans of it: every pixel says where it comes from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo
from darkscan.stages.acquisition._margin import Surroundings
from tests.builders import scan_info

HEIGHT, WIDTH = 96, 128
OVERLAP = 40
EDGE = 32
"""Of the element beyond all frames, pixels."""


@dataclass(frozen=True)
class Scene:
    """A scan as it was recorded, a FrameSource; frame ``i`` lies at ``corners[i]``."""

    info: ScanInfo
    frames: list[FrameMeta]
    corners: list[tuple[int, int]]
    """x and y in pixels of the element."""

    element: Pixels

    def read_into(self, index: int, out: Pixels) -> None:
        """See FrameSource."""
        out[...] = self.around(index, 0)

    def close(self) -> None:
        """See FrameSource."""

    def around(self, index: int, margin: int) -> Pixels:
        """The element itself where a frame lies, and around it."""
        return self._cut(self.element, index, margin)

    def taken_around(self, index: int, margin: int, seen: Sequence[int]) -> Pixels:
        """What a frame's surroundings must be if it sees those other frames."""
        taken = np.zeros(self.element.shape, np.bool_)
        for other in seen:
            x, y = self.corners[other]
            taken[y : y + HEIGHT, x : x + WIDTH] = True
        mirrored = np.pad(self.around(index, 0), margin, mode="reflect")
        shown = self._cut(taken, index, margin)
        return np.where(shown, self.around(index, margin), mirrored)

    def without(self, *lost: int) -> "Scene":
        """The same scan with some frames lost."""
        flagged = [
            meta.model_copy(update={"flags": int(FrameFlag.LOST)}) if meta.frame in lost else meta
            for meta in self.frames
        ]
        return replace(self, frames=flagged)

    def exposed_late(self, *late: int) -> "Scene":
        """The same scan with some frames exposed after all others."""
        after = max(meta.exposure_ns for meta in self.frames) + 1
        return replace(
            self,
            frames=[
                meta.model_copy(update={"exposure_ns": after + meta.frame})
                if meta.frame in late
                else meta
                for meta in self.frames
            ],
        )

    def planned(self) -> list[FrameMeta]:
        """The frames as a plan has them: a little elsewhere, and not yet taken."""
        rng = np.random.default_rng(5)
        return [
            meta.model_copy(
                update={
                    "position_mm": self._place(*(corner + rng.uniform(-3, 3, 2)).tolist()),
                    "exposure_ns": 0,
                    "flags": 0,
                }
            )
            for meta, corner in zip(self.frames, np.array(self.corners), strict=True)
        ]

    def _cut(self, image: npt.NDArray[Any], index: int, margin: int) -> npt.NDArray[Any]:
        x, y = self.corners[index]
        return image[y - margin : y + HEIGHT + margin, x - margin : x + WIDTH + margin]

    def _place(self, x: float, y: float) -> tuple[float, float, float]:
        x_mm, y_mm = self.info.pixel_to_stage.place((x, y), (1.5, -2.5)).tolist()
        return x_mm, y_mm, 0.0


def scene(  # noqa: PLR0913 - each option is a case of some test
    columns: int = 4,
    rows: int = 4,
    *,
    pixel_type: Literal["uint8", "uint16"] = "uint8",
    to_stage: PixelToStage | None = None,
    strips_down: bool = False,
    wander_px: int = 0,
    margin: int = EDGE,
) -> Scene:
    """A scan forth and back; frames lie up to ``wander_px`` from their lattice."""
    rng = np.random.default_rng(1)
    info = scan_info((HEIGHT, WIDTH), columns * rows, pixel_type).model_copy(
        update={"pixel_to_stage": to_stage or PixelToStage.from_pitch(10.0)}
    )
    at = [
        (strip, (place, strip) if not strips_down else (strip, place))
        for strip, place in _forth_and_back(*((rows, columns) if strips_down else (columns, rows)))
    ]
    corners = []
    for _, (column, row) in at:
        dx, dy = rng.integers(-wander_px, wander_px + 1, 2).tolist()
        x, y = column * (WIDTH - OVERLAP) + dx, row * (HEIGHT - OVERLAP) + dy
        corners.append((x + margin + wander_px, y + margin + wander_px))
    beyond = 2 * (margin + wander_px)
    size = (rows * HEIGHT + beyond, columns * WIDTH + beyond)
    high = int(np.iinfo(info.dtype).max)
    element: Pixels = rng.integers(0, high, size, info.dtype, endpoint=True)
    made = Scene(info, [], corners, element)
    frames = [
        FrameMeta(
            frame=number,
            strip=strip,
            position_mm=made._place(*corners[number]),
            exposure_ns=1000 + number * 10,
        )
        for number, (strip, _) in enumerate(at)
    ]
    return replace(made, frames=frames)


def _forth_and_back(along: int, strips: int) -> Iterator[tuple[int, int]]:
    for strip in range(strips):
        for place in range(along):
            yield strip, along - 1 - place if strip % 2 else place


def surrounded(scan: Scene, surroundings: Surroundings, index: int, margin: int) -> Pixels:
    """Takes a frame as acquisition does; it and its surroundings."""
    around: Pixels = np.zeros((HEIGHT + 2 * margin, WIDTH + 2 * margin), scan.info.dtype)
    scan.read_into(index, around[margin:-margin, margin:-margin])
    surroundings.fill(scan.frames[index], around)
    return around
