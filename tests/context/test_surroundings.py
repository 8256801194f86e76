"""What a frame sees beyond its borders: the element where a neighbour was taken, else itself."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.stages.acquisition._margin import Borders, Surroundings, bytes_needed
from darkscan.stages.acquisition._neighbours import Neighbours
from tests.context.scene import HEIGHT, WIDTH, Scene, scene, surrounded

MARGIN = 24


def replayed(scan: Scene, margin: int = MARGIN) -> Surroundings:
    return Surroundings(scan.info, scan.frames, margin, read=scan.read_into)


def scanned(scan: Scene, folder: Path) -> Surroundings:
    """As in a scan of a rig: only the plan is known beforehand."""
    return Surroundings(scan.info, scan.planned(), MARGIN, run_dir=folder)


def all_replayed(scan: Scene, margin: int = MARGIN) -> dict[int, Pixels]:
    surroundings = replayed(scan, margin)
    usable = [index for index, meta in enumerate(scan.frames) if meta.usable]
    return {index: surrounded(scan, surroundings, index, margin) for index in usable}


@pytest.mark.parametrize(
    ("scan", "margin"),
    [
        pytest.param(scene(), MARGIN, id="forth and back"),
        pytest.param(scene(strips_down=True), MARGIN, id="strips down the element"),
        pytest.param(scene(wander_px=7), MARGIN, id="frames beside their lattice"),
        pytest.param(scene(pixel_type="uint16"), MARGIN, id="16 bits"),
        pytest.param(
            scene(to_stage=PixelToStage.from_pitch(10.0, rotation_mrad=20, flip_x=True)),
            MARGIN,
            id="a camera turned and flipped",
        ),
        pytest.param(scene(margin=90), 90, id="a margin wider than the overlap"),
        pytest.param(scene(columns=1, rows=1), MARGIN, id="a single frame"),
        pytest.param(scene(columns=6, rows=1), MARGIN, id="a single strip"),
    ],
)
def test_margins_are_the_element_where_a_neighbour_was_taken(scan: Scene, margin: int) -> None:
    for index, around in all_replayed(scan, margin).items():
        np.testing.assert_array_equal(around, scan.taken_around(index, margin, range(index)))


def test_a_frame_in_the_midst_sees_the_strip_before_and_the_frame_before() -> None:
    scan = scene()
    around = all_replayed(scan)[9]
    true = scan.around(9, MARGIN)
    assert (around[:MARGIN] == true[:MARGIN]).all()
    assert (around[MARGIN:-MARGIN, :MARGIN] == true[MARGIN:-MARGIN, :MARGIN]).all()
    mirrored = around[-2 * MARGIN - 1 : -MARGIN - 1, MARGIN:-MARGIN][::-1]
    assert (around[-MARGIN:, MARGIN:-MARGIN] == mirrored).all()


def test_a_frame_that_was_lost_shows_nothing() -> None:
    scan = scene().without(2, 5)
    for index, around in all_replayed(scan).items():
        seen = [other for other in range(index) if other not in {2, 5}]
        np.testing.assert_array_equal(around, scan.taken_around(index, MARGIN, seen))


def test_a_frame_taken_again_sees_none_and_is_seen_by_none_exposed_before_it() -> None:
    scan = scene().exposed_late(5)
    for index, around in all_replayed(scan).items():
        seen = [] if index == 5 else [other for other in range(index) if other != 5]
        np.testing.assert_array_equal(around, scan.taken_around(index, MARGIN, seen))


@pytest.mark.parametrize(
    ("scan", "again"),
    [
        pytest.param(scene(wander_px=2), (), id="all at once"),
        pytest.param(scene(wander_px=2).without(3, 6), (), id="frames lost"),
        pytest.param(scene(wander_px=2).exposed_late(3, 6), (3, 6), id="frames taken again"),
        pytest.param(scene(), (15, 14, 13, 12), id="a strip taken backwards"),
    ],
)
def test_a_scan_and_the_replay_of_its_recording_see_the_same(
    scan: Scene, again: tuple[int, ...], tmp_path: Path
) -> None:
    if again == (15, 14, 13, 12):  # exposed in that order
        for late in again:
            scan = scan.exposed_late(late)
    surroundings = scanned(scan, tmp_path)
    order = [meta.frame for meta in scan.frames if meta.usable and meta.frame not in again]
    live = {index: surrounded(scan, surroundings, index, MARGIN) for index in [*order, *again]}
    for index, around in all_replayed(scan).items():
        np.testing.assert_array_equal(around, live[index])


@pytest.mark.parametrize("dies_at", [1, 6, 9, 15])
def test_a_scan_goes_on_after_acquisition_died(dies_at: int, tmp_path: Path) -> None:
    scan = scene(wander_px=2)
    first = scanned(scan, tmp_path)
    for index in range(dies_at):
        surrounded(scan, first, index, MARGIN)
    second = scanned(scan, tmp_path)
    under_way = max(0, dies_at - 3)  # these are taken again
    for meta in scan.frames[:under_way]:
        second.remember(meta)
    for index in range(under_way, len(scan.frames)):
        around = surrounded(scan, second, index, MARGIN)
        np.testing.assert_array_equal(around, scan.taken_around(index, MARGIN, range(index)))


@pytest.mark.parametrize("begins_at", [1, 6, 9, 15])
def test_a_replay_goes_on_after_acquisition_died(begins_at: int) -> None:
    scan = scene().without(5)
    undisturbed = all_replayed(scan)
    again = replayed(scan)
    for index in range(begins_at, len(scan.frames)):
        if scan.frames[index].usable:
            np.testing.assert_array_equal(
                surrounded(scan, again, index, MARGIN), undisturbed[index]
            )


def test_a_neighbour_that_cannot_be_read_again_is_not_there() -> None:
    scan = scene()

    def read(index: int, out: Pixels) -> None:
        if index == 5:
            raise InputError("cannot be read")
        scan.read_into(index, out)

    surroundings = Surroundings(scan.info, scan.frames, MARGIN, read=read)
    for index in range(6, len(scan.frames)):
        seen = [other for other in range(index) if other != 5]
        np.testing.assert_array_equal(
            surrounded(scan, surroundings, index, MARGIN),
            scan.taken_around(index, MARGIN, seen),
        )


def test_borders_half_written_are_not_there(tmp_path: Path) -> None:
    scan = scene()
    neighbours = Neighbours(scan.info, scan.frames, MARGIN)
    borders = Borders.in_file(tmp_path / "borders", neighbours, scan.info)
    frame: Pixels = np.ones((HEIGHT, WIDTH), np.uint8)
    borders.put(0, (0.0, 0.0), frame)
    borders.put(1, (1.0, 0.0), frame)
    with pytest.raises(ValueError, match="broadcast"):  # as if it were killed there
        borders.put(1, (1.0, 0.0), frame[:3])
    found = Borders.in_file(tmp_path / "borders", neighbours, scan.info)
    assert found.get(1) is None
    kept = found.get(0)
    assert kept is not None
    assert kept.place_mm == (0.0, 0.0)
    assert all((pixels == 1).all() for _, pixels in kept.parts)


def test_memory_does_not_grow_with_the_strips() -> None:
    def needed(rows: int) -> int:
        scan = scene(columns=16, rows=rows)
        return bytes_needed(Neighbours(scan.info, scan.frames, MARGIN), scan.info)

    two_strips_and_spare = 2 * 16 + 10  # these overlap so far that the margin reaches both
    assert needed(4) == needed(12) < two_strips_and_spare * HEIGHT * WIDTH


def test_no_room_for_the_borders_is_said(tmp_path: Path) -> None:
    scan = scene()
    with pytest.raises(StorageError, match="borders"):
        scanned(scan, tmp_path / "nowhere")


def test_a_margin_as_wide_as_a_frame_is_refused() -> None:
    with pytest.raises(InputError, match=r"inspection\.context_px: .* 128x96 px, is 96"):
        replayed(scene(columns=1, rows=1, margin=HEIGHT), HEIGHT)
