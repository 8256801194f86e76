"""Places digs and grains on the element: what several frames show is one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from shapely import Polygon, STRtree

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.frame_results import FrameResult, SpotMeasures
from darkscan.stages.merging._raster import Raster

_SAME_PX = 4.0  # two frames place one spot this close to itself


@dataclass(frozen=True, eq=False)
class PlacedSpot:
    """A dig or a grain on the element."""

    contour: Polygon
    """mm."""

    frames: frozenset[int]
    measures: SpotMeasures
    """In the pixels of its frame."""

    kinds: Float64Array
    """(4,) the probability of each of DEFECT_KINDS."""


def find_spots(raster: Raster, results: Sequence[FrameResult], pixel_mm: float) -> list[PlacedSpot]:
    """All spots of the element whose middle lies on it, each once.

    Where frames show one spot, the largest contour counts: a frame's border may cut another.
    """
    placed = [spot for result in results for spot in _placed(raster, result)]
    placed.sort(key=lambda spot: (-spot.contour.area, spot.contour.bounds, min(spot.frames)))
    tree = STRtree([spot.contour for spot in placed])
    taken: set[int] = set()
    found = []
    for number, spot in enumerate(placed):
        if number in taken:
            continue
        near = tree.query(spot.contour, predicate="dwithin", distance=_SAME_PX * pixel_mm)
        same = [k for k in near.tolist() if k not in taken and _is_same(spot, placed[k])]
        taken.update(same, [number])
        frames = spot.frames.union(*(placed[k].frames for k in same))
        found.append(replace(spot, frames=frames))
    return found


def _is_same(one: PlacedSpot, other: PlacedSpot) -> bool:
    """Whether another frame shows it: spots of one frame are distinct."""
    return not one.frames & other.frames


def _placed(raster: Raster, result: FrameResult) -> list[PlacedSpot]:
    """A frame's spots in mm."""
    spots = result.traces.spots
    placed = []
    for own, measures, kinds in zip(
        spots.parts, spots.measures.tolist(), spots.kinds.astype(np.float64), strict=True
    ):
        corners = raster.pixel_to_stage.place(own, result.meta.position_mm)
        contour = Polygon(corners)
        middle = contour.centroid
        if 0 <= middle.x <= raster.x_mm[-1] and 0 <= middle.y <= raster.y_mm[-1]:
            frames = frozenset([result.meta.frame])
            placed.append(PlacedSpot(contour, frames, SpotMeasures(*measures), kinds))
    return placed
