"""A defect is cut out of its recording where the map says it lies, whatever the frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Defect, DefectMap
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import DEFECT_KINDS
from darkscan.pipeline.core.scan import FrameFlag
from darkscan.stages.merging.crops import (
    index_of,
    largest_defects,
    name_of_picture,
    picture_of,
    require_scan_of,
)
from darkscan.stages.merging.style import KIND_COLOURS, bgr
from tests.mapping.painted import Painted

FILE = Path("scan.h5")


@pytest.fixture(scope="module")
def scan() -> Painted:
    return Painted()


@pytest.fixture(scope="module")
def document(scan: Painted) -> DefectMap:
    return scan.map()


def drawn(defect: Defect, document: DefectMap, scan: Painted) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(picture_of(defect, document, scan), np.uint8), 1)
    assert picture is not None
    return picture


def test_the_longest_come_first_of_one_kind_or_of_all(document: DefectMap) -> None:
    long, short, spot = largest_defects(document, 5)
    assert (long.kind, short.kind, spot.kind) == ("scratch", "scratch", "dig")
    assert long.length_mm == pytest.approx(7.83, abs=0.03)
    assert largest_defects(document, 1) == [long]
    assert largest_defects(document, 5, "dig") == [spot]
    assert largest_defects(document, 5, "fibre") == []


def test_a_defect_across_frames_is_seen_whole_and_once_more_with_its_outline(
    document: DefectMap, scan: Painted
) -> None:
    (defect,) = largest_defects(document, 1)
    assert len(defect.frames) > 1
    picture = drawn(defect, document, scan)
    bright = picture.min(axis=2) > 200
    coloured = np.abs(picture.astype(int) - bgr(KIND_COLOURS["scratch"])).max(axis=2) < 60
    columns = np.flatnonzero(coloured.any(axis=0))
    assert len(columns) >= 0.95 * (columns[-1] - columns[0])
    top = np.flatnonzero(coloured.any(axis=1))[0]
    line = [np.flatnonzero(bright[60 : top - 40, x])[:1] for x in columns[20:-20]]
    assert all(len(place) for place in line), "no frame's border breaks it"
    # It falls from left to right by half of its run, as it was drawn.
    fall = (line[-1][0] - line[0][0]) / len(line)
    assert fall == pytest.approx(0.5, abs=0.02)


def test_a_small_one_is_enlarged_and_in_the_middle(document: DefectMap, scan: Painted) -> None:
    _, short, _ = largest_defects(document, 3)
    picture = drawn(short, document, scan)
    coloured = np.abs(picture.astype(int) - bgr(KIND_COLOURS["scratch"])).max(axis=2) < 60
    columns = np.flatnonzero(coloured.any(axis=0))
    assert columns[-1] - columns[0] == pytest.approx(60 * 7, abs=60)
    assert columns.mean() == pytest.approx(picture.shape[1] / 2, abs=picture.shape[1] * 0.1)


def test_a_lost_frame_leaves_its_part_dark(document: DefectMap, scan: Painted) -> None:
    without = Painted()
    frames = list(without.frames)
    frames[3] = frames[3].model_copy(update={"flags": int(FrameFlag.LOST)})
    without.frames = frames
    _, short, _ = largest_defects(document, 3)
    assert short.frames == (3,)
    seen, dark = (
        int((drawn(short, document, source) > 200).all(axis=2).sum()) for source in (scan, without)
    )
    assert seen - dark > 5000, "two pictures of 60 by 2 pixels, enlarged"


def test_the_recording_of_the_map_is_accepted(document: DefectMap, scan: Painted) -> None:
    require_scan_of(document, scan.info, scan.frames, FILE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"element": "window 8"},
            "scan.h5: element: is a scan of window 8, front, 9.6 x 9.6 mm at 10 um, but the map "
            "is of window 7, front, 9.6 x 9.6 mm at 10 um",
            id="another element",
        ),
        pytest.param({"side": "back"}, "window 7, back", id="another side"),
        pytest.param({"pitch_um": 5.0}, "at 5 um", id="other pixels"),
    ],
)
def test_a_scan_of_something_else_is_refused(
    document: DefectMap, changes: dict[str, object], message: str
) -> None:
    other = Painted(**changes)
    with pytest.raises(InputError, match=message):
        require_scan_of(document, other.info, other.frames, FILE)


def test_a_scan_of_other_frames_is_refused(document: DefectMap, scan: Painted) -> None:
    with pytest.raises(InputError, match=r"frames: has 3 frames, but the map was made of 4"):
        require_scan_of(document, scan.info, scan.frames[:3], FILE)
    moved = [
        meta.model_copy(update={"position_mm": (100.0 + meta.frame, 0.0, 0.0)})
        for meta in scan.frames
    ]
    with pytest.raises(InputError, match=r"frame \d: does not show D0001"):
        require_scan_of(document, scan.info, moved, FILE)


def test_the_index_shows_every_picture_and_takes_names_as_text(document: DefectMap) -> None:
    element = document.element.model_copy(update={"name": "a <b> & c"})
    renamed = document.model_copy(update={"element": element})
    defects = largest_defects(renamed, 3)
    page = index_of(defects, renamed)
    assert [page.count(f'src="{name_of_picture(defect)}"') for defect in defects] == [1, 1, 1]
    assert "a &lt;b&gt; &amp; c" in page
    assert "http" not in page, "it needs no network"
    assert {defect.kind for defect in defects} < set(DEFECT_KINDS)
