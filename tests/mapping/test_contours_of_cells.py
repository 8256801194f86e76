"""Outlines are exactly those of their cells, whatever the cells' pattern."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from darkscan.pipeline.core.arrays import Mask
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.outlines import Ring
from darkscan.stages.merging._raster import Raster, connected_regions, rings

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=9))


def unit_raster(shape: tuple[int, ...]) -> Raster:
    rows, columns = shape
    return Raster(
        x_mm=np.arange(columns + 1.0),
        y_mm=np.arange(rows + 1.0),
        cell_mm=1.0,
        region_rows=slice(0, rows),
        region_columns=slice(0, columns),
        pixel_to_stage=PixelToStage.from_pitch(1000.0),
    )


def steps(ring: Ring) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(ring, ring[1:] + ring[:1], strict=True))


def filled(shape: tuple[int, ...], outline: tuple[Ring, ...]) -> npt.NDArray[np.bool_]:
    """The cells whose middle lies within rings, after the even-odd rule."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    crossings = np.zeros(shape, int)
    for (x0, y0), (x1, y1) in (step for ring in outline for step in steps(ring)):
        if x0 == x1:
            crossings += (x < x0) & (min(y0, y1) < y) & (y < max(y0, y1))
    inside: Mask = crossings % 2 == 1
    return inside


@pytest.mark.parametrize("connectivity", [4, 8])
@given(mask=masks)
def test_filling_the_outlines_gives_the_cells_back(
    mask: npt.NDArray[np.bool_], connectivity: int
) -> None:
    raster = unit_raster(mask.shape)
    labels, regions = connected_regions(mask, connectivity=8 if connectivity == 8 else 4)
    for region in regions:
        outline = rings(region, raster)
        assert (filled(mask.shape, outline) == (labels == region.label)).all()
    assert ((labels > 0) == mask).all()


@given(mask=masks)
def test_rings_turn_at_every_point_and_run_the_way_they_should(
    mask: npt.NDArray[np.bool_],
) -> None:
    for region in connected_regions(mask, connectivity=8)[1]:
        outer, *holes = rings(region, unit_raster(mask.shape))
        for ring in (outer, *holes):
            across = [y0 == y1 for (_, y0), (_, y1) in steps(ring)]
            assert all(a != b for a, b in zip(across, across[1:] + across[:1], strict=True))
            assert (ring[0][1], ring[0][0]) == min((y, x) for x, y in ring)
        assert doubled_area(outer) > 0
        assert all(doubled_area(hole) < 0 for hole in holes)
        areas = doubled_area(outer) + sum(map(doubled_area, holes))
        assert areas / 2 == region.mask.sum()


def doubled_area(ring: Ring) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in steps(ring))


@given(columns=st.integers(1, 6), rows=st.integers(1, 6), gap=st.integers(1, 3))
def test_neighbours_a_cell_apart_do_not_merge(columns: int, rows: int, gap: int) -> None:
    mask = np.zeros((rows, 2 * columns + gap), np.bool_)
    mask[:, :columns] = True
    mask[:, columns + gap :] = True
    regions = connected_regions(mask, connectivity=8)[1]
    lefts = [rings(region, unit_raster(mask.shape))[0][0][0] for region in regions]
    assert lefts == [0.0, float(columns + gap)]
