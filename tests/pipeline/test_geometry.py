"""From pixels to millimetres, and the window grid over borders and overlaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import axis_starts, tile_starts, window_origins


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        pytest.param({}, (13.0, 22.0), id="plain"),
        pytest.param({"flip_x": True}, (7.0, 22.0), id="flipped in x"),
        pytest.param({"flip_y": True}, (13.0, 18.0), id="flipped in y"),
        pytest.param({"rotation_mrad": 1000 * np.pi / 2}, (8.0, 23.0), id="a quarter turn"),
        pytest.param({"rotation_mrad": 1.0}, (12.998, 22.003), id="one milliradian"),
    ],
)
def test_places_a_pixel(turn: dict[str, float], expected: tuple[float, float]) -> None:
    placement = PixelToStage.from_pitch(10.0, **turn)  # type: ignore[arg-type]
    placed = placement.place([300, 200], (10.0, 20.0))
    np.testing.assert_allclose(placed, expected, atol=1e-5)
    assert placement.pixel_area_mm2 == pytest.approx(1e-4)


def test_refuses_a_placement_that_is_no_number() -> None:
    with pytest.raises(ValidationError, match="finite"):
        PixelToStage(xx=float("nan"), xy=0, yx=0, yy=0.01)


@given(length=st.integers(256, 5000), stride=st.integers(8, 256))
def test_windows_cover_every_pixel_and_stay_inside(length: int, stride: int) -> None:
    starts = axis_starts(length, 256, stride)
    covered = np.zeros(length, bool)
    for start in starts:
        assert 0 <= start <= length - 256
        covered[start : start + 256] = True
    assert covered.all()
    assert starts == sorted(set(starts))


@given(length=st.integers(256, 9000), frame=st.sampled_from([384, 512, 700, 2048]))
def test_frames_continue_each_others_grid(length: int, frame: int) -> None:
    """Windows follow each other by at most a stride, over frame borders as within a frame."""
    frame = min(frame, length)
    tiles = tile_starts(length, frame, 256, 128)
    starts = sorted({tile + start for tile in tiles for start in axis_starts(frame, 256, 128)})
    assert starts[0] == 0
    assert starts[-1] == length - 256
    assert max(np.diff(starts), default=0) <= 128


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_whole_frames_have_one_common_grid(frames: int) -> None:
    length = 2048 + (frames - 1) * 1920
    tiles = tile_starts(length, 2048, 256, 128)
    assert len(tiles) == frames
    of_frames = {tile + start for tile in tiles for start in axis_starts(2048, 256, 128)}
    assert of_frames == set(range(0, length - 255, 128))


def test_counts_the_windows_of_a_camera_frame() -> None:
    origins = window_origins((2048, 2048), 256, 128)
    assert origins.shape == (225, 2)
    assert origins[0].tolist() == [0, 0]
    assert origins[1].tolist() == [0, 128]
    assert origins[-1].tolist() == [1792, 1792]


def test_refuses_a_frame_smaller_than_a_window() -> None:
    with pytest.raises(InputError, match="smaller than a window"):
        window_origins((200, 2048), 256, 128)
