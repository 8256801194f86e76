"""Every part of the element is inspected, or listed with its place, area and reason."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from pydantic import ValidationError

from darkscan.pipeline.core.defect_map import Coverage
from darkscan.pipeline.core.frame_results import FrameResult, NotInspected
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import tile_starts
from darkscan.pipeline.core.scan import FrameFlag, ScanInfo
from darkscan.pipeline.core.settings import updated
from darkscan.stages.merging import build_map
from darkscan.stages.merging._raster import MOST_CELLS, Raster, cell_size_px
from tests.mapping.hand_made import (
    MODEL,
    frames_of,
    inspected,
    lost,
    meta,
    quarantined,
    result,
    scan_info,
)

REASON = "lost: the camera never delivered it"


def coverage_of(
    results: Iterable[FrameResult],
    not_inspected: Iterable[NotInspected] = (),
    scan: ScanInfo | None = None,
) -> Coverage:
    return build_map(inspected(results, not_inspected, scan=scan)).coverage


def test_a_scan_of_all_frames_is_complete() -> None:
    coverage = coverage_of([result(frame) for frame in frames_of(2, 2)])
    assert coverage.complete
    assert coverage.inspected_fraction == 1.0
    assert coverage.inspected_element_fraction == 1.0
    assert coverage.not_inspected == ()
    assert coverage.inspected_area_mm2 == coverage.region_area_mm2 == 1474.56


@pytest.mark.parametrize(
    ("width_px", "height_px"),
    [(5000, 3000), (2049, 2048), (4097, 2305), (3333, 7777)],
    ids=lambda px: f"{px} px",
)
@pytest.mark.parametrize("pitch_um", [10.0, 7.3, 1 / 3], ids=lambda pitch: f"{pitch:.3g} um")
def test_an_image_of_any_size_cut_into_frames_is_complete(
    width_px: int, height_px: int, pitch_um: float
) -> None:
    pitch_mm = pitch_um / 1000
    size = (width_px * pitch_mm, height_px * pitch_mm)
    scan = scan_info(
        element_size_mm=size,
        region_mm=(0.0, 0.0, *size),
        pitch_um=pitch_um,
        pixel_to_stage=PixelToStage.from_pitch(pitch_um),
    )
    places = [
        (x * pitch_mm, y * pitch_mm)
        for y in tile_starts(height_px, 2048, 256, 128)
        for x in tile_starts(width_px, 2048, 256, 128)
    ]
    results = [result(meta(k, *place)) for k, place in enumerate(places)]
    coverage = coverage_of(results, scan=scan)
    assert coverage.complete
    assert coverage.inspected_fraction == 1.0


def test_a_lost_frame_is_located_with_its_area_and_reason() -> None:
    frames = frames_of(2, 2)
    coverage = coverage_of([result(frame) for frame in frames[:3]], [lost(frames[3])])
    assert not coverage.complete
    (area,) = coverage.not_inspected
    # Its first 2.56 mm are in frames 1 and 2 as well.
    assert area.contour == (((20.48, 20.48), (38.4, 20.48), (38.4, 38.4), (20.48, 38.4)),)
    assert area.area_mm2 == 321.1264
    assert (area.kind, area.reason, area.frames) == ("lost", REASON, (3,))
    assert coverage.inspected_fraction == pytest.approx(1 - 321.1264 / 1474.56)
    assert coverage.inspected_area_mm2 == pytest.approx(1474.56 - 321.1264)


def test_neighbours_missing_for_one_reason_are_one_area_and_for_two_reasons_two() -> None:
    frames = frames_of(3, 1)
    scan = scan_info(element_size_mm=(56.32, 20.48), region_mm=(0.0, 0.0, 56.32, 20.48))
    seen = [result(frames[0])]
    one = coverage_of(seen, [lost(frames[1]), lost(frames[2])], scan=scan)
    assert [area.frames for area in one.not_inspected] == [(1, 2)]
    two = coverage_of(seen, [quarantined(frames[1]), lost(frames[2])], scan=scan)
    assert [(a.kind, a.reason, a.frames) for a in two.not_inspected] == [
        ("quarantined", "failed twice: flat", (1,)),
        ("lost", REASON, (2,)),
    ]
    assert sum(area.area_mm2 for area in two.not_inspected) == pytest.approx(
        one.not_inspected[0].area_mm2
    )


def test_a_lost_frame_that_others_show_leaves_nothing_uninspected() -> None:
    frames = frames_of(2, 2)
    coverage = coverage_of([result(frame) for frame in frames], [lost(meta(4, 9.0, 9.0))])
    assert coverage.complete
    assert coverage.not_inspected == ()
    assert [(f.frame, f.placed) for f in coverage.frames_not_inspected] == [(4, True)]


def test_a_frame_without_a_place_is_listed_and_its_area_found_never_scanned() -> None:
    frames = frames_of(2, 2)
    nowhere = meta(3, 0.0, 0.0, flags=FrameFlag.UNPLACED)
    coverage = coverage_of([result(f) for f in frames[:3]], [lost(nowhere, "lost: no position")])
    assert [area.kind for area in coverage.not_inspected] == ["never_scanned"]
    assert [(f.frame, f.placed) for f in coverage.frames_not_inspected] == [(3, False)]


def test_a_gap_between_strips_was_never_scanned() -> None:
    frames = [meta(0, 0.0, 0.0), meta(1, 0.0, 21.12)]
    scan = scan_info(element_size_mm=(20.48, 41.6), region_mm=(0.0, 0.0, 20.48, 41.6))
    coverage = coverage_of([result(frame) for frame in frames], scan=scan)
    (gap,) = coverage.not_inspected
    assert (gap.kind, gap.reason, gap.frames) == ("never_scanned", "never scanned", ())
    assert gap.box_mm == (0.0, 20.48, 20.48, 0.64)


def test_what_was_not_asked_for_is_listed_but_leaves_the_map_complete() -> None:
    scan = scan_info(region_mm=(1.003, 2.001, 15.0, 14.0))
    coverage = coverage_of([result(meta(0, 1.003, 2.001))], scan=scan)
    assert coverage.complete
    assert coverage.inspected_fraction == 1.0
    assert coverage.region_area_mm2 == 210.0
    (outside,) = coverage.not_inspected
    assert (outside.kind, outside.reason) == ("outside_region", "outside the scan's region")
    assert len(outside.contour) == 2
    inspected_mm2 = coverage.element_area_mm2 - outside.area_mm2
    assert inspected_mm2 == pytest.approx(20.48**2, rel=0.01)
    assert coverage.inspected_element_fraction == pytest.approx(inspected_mm2 / 38.4**2, abs=1e-6)


def test_frames_and_region_beyond_the_element_are_clipped() -> None:
    scan = scan_info(element_size_mm=(10.0, 7.0), region_mm=(-5.0, -5.0, 30.0, 30.0))
    coverage = coverage_of([result(meta(0, -3.0, -4.0))], scan=scan)
    assert coverage.complete
    assert coverage.region_area_mm2 == coverage.element_area_mm2 == 70.0


def test_a_region_beside_the_element_is_refused() -> None:
    with pytest.raises(ValidationError, match="lies beside the element"):
        scan_info(region_mm=(50.0, 0.0, 10.0, 10.0))


def test_a_scan_without_a_single_result_is_all_uninspected() -> None:
    frames = frames_of(2, 2)
    coverage = coverage_of([], [lost(frame) for frame in frames])
    assert not coverage.complete
    assert coverage.inspected_fraction == coverage.inspected_area_mm2 == 0.0
    assert [area.frames for area in coverage.not_inspected] == [(0, 1, 2, 3)]


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=["not a number", "infinite"])
def test_a_window_without_a_valid_score_is_neither_clean_nor_a_defect(bad: float) -> None:
    frames = frames_of(2, 2)

    def scores(frame: int, y: int, x: int) -> float | None:
        return bad if frame == 0 and y <= 256 and x <= 256 else None

    document = build_map(inspected([result(frame, scores) for frame in frames]))
    assert document.defects == ()
    (area,) = document.coverage.not_inspected
    assert (area.kind, area.frames) == ("no_score", (0,))
    assert area.box_mm == (0.0, 0.0, 3.84, 3.84)  # the windows next to it show the rest


def test_turned_frames_that_overlap_leave_no_false_gaps() -> None:
    linear = PixelToStage.from_pitch(10.0, rotation_mrad=1.0)
    scan = scan_info(region_mm=(1.0, 1.0, 36.0, 36.0), pixel_to_stage=linear)
    assert coverage_of([result(frame) for frame in frames_of(2, 2)], scan=scan).complete


def test_areas_of_all_parts_add_up_to_the_element() -> None:
    rng = np.random.default_rng(5)
    scan = scan_info(
        element_size_mm=(97.31, 61.07),
        region_mm=(3.3, 4.4, 88.8, 50.05),
        pixel_to_stage=PixelToStage.from_pitch(10.0, rotation_mrad=7.0, flip_x=True),
    )
    places = rng.uniform((10, -5), (110, 50), (14, 2))
    metas = [meta(k, *place) for k, place in enumerate(places.tolist())]
    coverage = coverage_of([result(m) for m in metas[:8]], [lost(m) for m in metas[8:]], scan=scan)
    listed = sum(area.area_mm2 for area in coverage.not_inspected)
    element = coverage.element_area_mm2
    assert coverage.inspected_element_fraction * element == pytest.approx(
        element - listed, abs=0.01
    )
    assert {area.kind for area in coverage.not_inspected} == {
        "lost",
        "never_scanned",
        "outside_region",
    }


@pytest.mark.parametrize(
    ("window", "stride", "cell"),
    [(256, 128, 16), (256, 256, 32), (256, 100, 4), (250, 125, 5), (257, 128, 1)],
)
def test_a_cell_divides_window_and_stride(window: int, stride: int, cell: int) -> None:
    assert cell_size_px(updated(MODEL, window=window, stride=stride), 1e6) == cell


def test_the_raster_of_the_largest_element_stays_bounded() -> None:
    scan = scan_info(
        element_size_mm=(810.0, 460.0), region_mm=(0.0, 0.0, 810.0, 460.0), pitch_um=1.0
    )
    rows, columns = Raster.of(scan, updated(MODEL, window=257, stride=128)).shape
    assert rows * columns <= 1.01 * MOST_CELLS
    rows, columns = Raster.of(scan_info(**{**dict(scan), "pitch_um": 10.0}), MODEL).shape
    assert rows * columns == 2875 * 5063
