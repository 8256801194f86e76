"""Frames become tiles: each tile is handed on when no frame can change it any more."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.host_link.messages import Tile
from darkscan.stages.uplink import _open_tiles
from darkscan.stages.uplink._pyramid import encode_tile, pyramid_of
from darkscan.stages.uplink.picture import Picture
from tests.uplink.pictures import (
    PITCH_UM,
    Kept,
    above,
    drawn,
    frame_at,
    greyed,
    level_0,
    scan_of,
)

NOTHING = np.empty((0, 2))
EVERYWHERE = np.array([[x, y] for x in range(0, 800, 100) for y in range(0, 600, 100)], float)

Frames = list[tuple[FrameMeta, Pixels]]


def picture_of(scan: ScanInfo, frames: Frames, folder: Path) -> Picture:
    pyramid = pyramid_of(scan)
    assert pyramid is not None
    return Picture(scan, pyramid, [meta for meta, _ in frames], folder)


def grid(scan: ScanInfo, columns: int, rows: int, overlap: int, shift: float = 0.0) -> Frames:
    """Frames that overlap, strip after strip, each a fraction of a pixel beside the last."""
    height, width = scan.frame_shape
    places = [
        (column * (width - overlap) - 40 + shift * row, row * (height - overlap) - 25 + shift)
        for row in range(rows)
        for column in range(columns)
    ]
    return [(frame_at(k, *place), drawn(scan, k)) for k, place in enumerate(places)]


def lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles as bytes without loss, so that they can be compared exactly."""
    monkeypatch.setattr("darkscan.stages.uplink._pyramid.JPEG_QUALITY", 100)


def expected_levels(scan: ScanInfo, frames: Frames, levels: int) -> list[np.ndarray]:
    pyramid = pyramid_of(scan)
    assert pyramid is not None
    lowest = level_0(scan, pyramid, frames)
    return [greyed(pyramid, above(lowest, level)) for level in range(levels)]


def assert_shows(kept: Kept, scan: ScanInfo, frames: Frames, *, finest: int = 1) -> None:
    """All levels from ``finest`` on are the reference's, but for what the JPEG does to noise."""
    pyramid = pyramid_of(scan)
    assert pyramid is not None
    expected = expected_levels(scan, frames, pyramid.levels)
    for level in range(finest, pyramid.levels):
        got = kept.level(pyramid, level).astype(int)
        assert np.abs(got - expected[level]).max() <= 4, level
        assert all(tile.final for key, tile in kept.tiles.items() if key[0] == level)


@pytest.fixture(autouse=True)
def _without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    lossless(monkeypatch)


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("placed", "shift"),
    [
        pytest.param(None, 0.0, id="on whole pixels"),
        pytest.param(None, 0.37, id="between pixels"),
        pytest.param(
            PixelToStage.from_pitch(PITCH_UM, flip_x=True, flip_y=True), 0.37, id="mirrored"
        ),
        pytest.param(PixelToStage(xx=0, xy=0.01, yx=0.01, yy=0), 0.3, id="quarter turn, mirrored"),
    ],
)
def test_the_tiles_are_the_brightest_of_all_frames(
    tmp_path: Path, pixel_type: str, placed: PixelToStage | None, shift: float
) -> None:
    scan = scan_of((400, 600), (1300, 1101), pixel_type=pixel_type, placed=placed)  # type: ignore[arg-type]
    frames = grid(scan, 3, 3, 60, shift)
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    for meta, pixels in frames:
        picture.show(meta, pixels, NOTHING, kept)
        picture.hand_on(kept, revisions=2)
    assert_shows(kept, scan, frames)
    assert not any(level == 0 for level, _, _ in kept.tiles)
    assert picture.open_tiles == 0
    assert picture.not_pictured == 0


def test_neither_order_nor_repetition_changes_the_picture(tmp_path: Path) -> None:
    scan = scan_of((400, 600), (1300, 1101))
    frames = grid(scan, 3, 3, 60, 0.4)
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    for meta, pixels in [*frames[::-2], *frames]:
        picture.show(meta, pixels, NOTHING, kept)
    picture.hand_on(kept, revisions=0)
    assert_shows(kept, scan, frames)


def test_level_0_comes_around_what_was_found_and_nowhere_else(tmp_path: Path) -> None:
    scan = scan_of((600, 800), (3000, 1000))
    frames = [(frame_at(k, 750.0 * k, 0.0), drawn(scan, k)) for k in range(4)]
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    for meta, pixels in frames:
        found = np.array([[150.0, 20.0]]) if meta.frame == 0 else NOTHING
        picture.show(meta, pixels, found, kept)
        picture.hand_on(kept, revisions=0)
    assert {key[1:] for key in kept.tiles if key[0] == 0} == {(0, 0), (1, 0), (0, 1), (1, 1)}
    expected = expected_levels(scan, frames, 2)
    pyramid = pyramid_of(scan)
    assert pyramid is not None
    got = kept.level(pyramid, 0).astype(int)
    assert np.abs(got - expected[0])[:600, :1024].max() <= 4
    assert_shows(kept, scan, frames)


def test_an_element_full_of_finds_has_level_0_only_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.stages.uplink.picture.FINEST_BYTES", 600_000)
    scan = scan_of((600, 800), (8000, 600))
    frames = [(frame_at(k, 800.0 * k, 0.0), drawn(scan, k)) for k in range(10)]
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    for meta, pixels in frames:
        picture.show(meta, pixels, EVERYWHERE, kept)
        picture.hand_on(kept, revisions=0)
    finest = [len(tile.jpeg) for (level, _, _), tile in kept.tiles.items() if level == 0]
    assert 600_000 < sum(finest) < 3_000_000
    assert_shows(kept, scan, frames)


def test_what_level_0_lacks_is_filled_in_from_the_level_above(tmp_path: Path) -> None:
    scan = scan_of((600, 600), (1024, 600))
    # The second frame shows nothing of note, and comes before the one with a find.
    frames = [(frame_at(1, 424.0, 0.0), drawn(scan, 1)), (frame_at(0, 0.0, 0.0), drawn(scan, 0))]
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    picture.show(*frames[0], NOTHING, kept)
    picture.show(*frames[1], np.array([[560.0, 300.0]]), kept)
    picture.hand_on(kept, revisions=0)
    lowest, coarse = expected_levels(scan, frames[1:], 1)[0], expected_levels(scan, frames, 2)[1]
    expected = np.where(lowest, lowest, coarse.repeat(2, axis=0).repeat(2, axis=1))
    pyramid = pyramid_of(scan)
    assert pyramid is not None
    got = kept.level(pyramid, 0).astype(int)
    assert np.abs(got - expected).max() <= 4


def test_an_element_of_one_tile_has_level_0_only(tmp_path: Path) -> None:
    scan = scan_of((200, 300), (301, 211))
    frames = [(frame_at(0, 2.0, 3.0), drawn(scan))]
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    picture.show(*frames[0], NOTHING, kept)
    picture.hand_on(kept, revisions=0)
    assert set(kept.tiles) == {(0, 0, 0)}
    assert_shows(kept, scan, frames, finest=0)


def test_a_tile_is_final_when_all_planned_frames_that_reach_into_it_are_settled(
    tmp_path: Path,
) -> None:
    scan = scan_of((512, 512), (2048, 512))
    frames = [(frame_at(k, 512.0 * k, 0.0), drawn(scan, k)) for k in range(4)]
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    picture.show(*frames[0], NOTHING, kept)
    picture.hand_on(kept, revisions=10)
    assert {key[0]: tile.final for key, tile in kept.tiles.items()} == {1: False, 2: False}
    picture.leave_out(frames[1][0].frame, inspected=False)
    picture.hand_on(kept, revisions=10)
    assert not kept.tiles[1, 0, 0].final  # frame 2 may lie a little beside its planned place
    picture.leave_out(frames[2][0].frame, inspected=True)
    picture.hand_on(kept, revisions=0)
    assert {key for key, tile in kept.tiles.items() if tile.final} == {(1, 0, 0)}
    picture.show(*frames[3], NOTHING, kept)
    picture.hand_on(kept, revisions=0)
    assert all(tile.final for tile in kept.tiles.values())
    assert picture.not_pictured == 1


def test_revisions_come_coarse_first_and_only_of_what_changed(tmp_path: Path) -> None:
    scan = scan_of((512, 512), (8192, 1024))
    frames = [(frame_at(k, 512.0 * k, 0.0), drawn(scan, k)) for k in range(16)]
    picture = picture_of(scan, frames, tmp_path)
    handed: list[Tile] = []
    picture.show(*frames[0], NOTHING, handed.extend)
    picture.hand_on(handed.extend, revisions=2)
    assert [tile.level for tile in handed] == [4, 3]
    picture.hand_on(handed.extend, revisions=10)
    assert [tile.level for tile in handed] == [4, 3, 2, 1]
    picture.hand_on(handed.extend, revisions=10)
    assert len(handed) == 4
    picture.show(*frames[1], NOTHING, handed.extend)
    picture.hand_on(handed.extend, revisions=1)
    assert [(tile.level, tile.revision) for tile in handed[4:]] == [(4, 2)]


def test_a_successor_takes_up_what_a_killed_process_left(tmp_path: Path) -> None:
    scan = scan_of((400, 600), (1300, 1101))
    frames = grid(scan, 3, 3, 60, 0.4)
    kept = Kept()
    for number, (meta, pixels) in enumerate(frames):
        picture = picture_of(scan, frames, tmp_path)  # each frame another process
        assert [picture.awaits(each.frame) for each, _ in frames] == [
            other >= number for other in range(len(frames))
        ]
        picture.show(meta, pixels, NOTHING, kept)
        picture.hand_on(kept, revisions=3)
    assert_shows(kept, scan, frames)


def test_tiles_that_could_not_be_put_are_handed_on_again(tmp_path: Path) -> None:
    scan = scan_of((400, 600), (600, 400))
    frames = [(frame_at(0, 0.0, 0.0), drawn(scan))]
    picture, kept = picture_of(scan, frames, tmp_path), Kept()

    def full(_: Sequence[Tile]) -> None:
        raise OSError("full")

    picture.show(*frames[0], NOTHING, full)
    with pytest.raises(OSError, match="full"):
        picture.hand_on(full, revisions=0)
    picture.hand_on(kept, revisions=0)
    assert_shows(kept, scan, frames)


def test_memory_is_bounded_and_frames_that_come_too_late_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_open_tiles, "_MOST_BYTES", 64 * 512 * 512)
    scan = scan_of((512, 512), (512 * 20, 512 * 20))
    places = [(x * 512.0, y * 512.0) for y in range(20) for x in range(20)]
    frames = [(frame_at(k, *place), drawn(scan, k % 7)) for k, place in enumerate(places)]
    late = frames.pop(0)
    picture, kept = picture_of(scan, [late, *frames], tmp_path), Kept()
    for meta, pixels in frames[::-1]:  # from the last row up: none of level 1 is final before
        if meta.frame % 40 >= 20:  # every other row is not seen
            picture.show(meta, pixels, NOTHING, kept)
            assert picture.open_tiles <= 64
    assert sum(path.stat().st_size for path in tmp_path.glob("picture-*")) < 20 * 2**20
    assert picture.not_pictured == 0
    for meta, pixels in [late, *frames]:
        if meta.frame % 40 < 20:
            picture.show(meta, pixels, NOTHING, kept)
    picture.hand_on(kept, revisions=0)
    assert picture.open_tiles == 0
    assert 0 < picture.not_pictured <= 200


def test_frames_that_are_not_planned_are_shown_where_there_is_room(tmp_path: Path) -> None:
    scan = scan_of((400, 600), (1300, 400))
    frames = grid(scan, 1, 1, 0)
    picture, kept = picture_of(scan, frames, tmp_path), Kept()
    stranger = frame_at(77, 5.0, 5.0)
    assert not picture.awaits(stranger.frame)
    picture.show(stranger, drawn(scan, 5), NOTHING, kept)
    picture.show(*frames[0], NOTHING, kept)
    picture.hand_on(kept, revisions=0)
    assert_shows(kept, scan, [*frames, (stranger, drawn(scan, 5))])


def test_encoded_tiles_of_noise_are_as_small_as_planned() -> None:
    noise = np.random.default_rng(0).normal(30, 4, (512, 512)).astype(np.uint8)
    assert len(encode_tile(noise)) < 512 * 512
