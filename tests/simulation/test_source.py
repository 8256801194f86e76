"""A simulated scan as a source of frames."""

from itertools import pairwise

import numpy as np
import pytest

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameSource
from darkscan.simulation.element._element import simulate_element
from darkscan.simulation.element._source import SimulatedScan, size_of_patch

FRAME = 512


def small_scan(*, seed: int = 3, bit_depth: int = 8) -> SimulatedScan:
    size = size_of_patch((3, 2), frame_px=FRAME)
    return SimulatedScan(simulate_element(size, seed), frame_px=FRAME, bit_depth=bit_depth)


def read(source: FrameSource, index: int) -> Pixels:
    deep = source.info.pixel_type == "uint16"
    shape = source.info.frame_shape
    out: Pixels = np.zeros(shape, np.uint16) if deep else np.zeros(shape, np.uint8)
    source.read_into(index, out)
    return out


def test_frames_follow_each_other_forth_and_back_with_the_grid_unbroken() -> None:
    scan = small_scan()
    places = [tuple(round(mm * 100) for mm in frame.position_mm[:2]) for frame in scan.frames]
    step = FRAME - 128
    assert places == [
        (0, 0), (step, 0), (2 * step, 0),
        (2 * step, step), (step, step), (0, step),
    ]  # fmt: skip
    assert [frame.strip for frame in scan.frames] == [0, 0, 0, 1, 1, 1]
    assert [frame.frame for frame in scan.frames] == list(range(6))
    assert all(frame.usable for frame in scan.frames)


def test_exposures_follow_each_other() -> None:
    times = [frame.exposure_ns for frame in small_scan().frames]
    assert all(later > earlier for earlier, later in pairwise(times))


def test_the_scan_is_described_in_millimetres() -> None:
    info = small_scan().info
    width, height = size_of_patch((3, 2), frame_px=FRAME)
    assert info.element_size_mm == pytest.approx((width / 100, height / 100))
    assert info.region_mm == pytest.approx((0, 0, width / 100, height / 100))
    assert info.frames_planned == 6
    assert info.rig == "simulated"


def test_an_element_of_any_size_is_covered_to_its_last_pixel() -> None:
    scan = SimulatedScan(simulate_element((700, 1000), 1), frame_px=FRAME)
    corners = np.array([frame.position_mm[:2] for frame in scan.frames]) * 100
    assert (corners.max(axis=0) + FRAME).tolist() == pytest.approx([700, 1000])


def test_the_same_seed_gives_the_same_bytes_in_any_order() -> None:
    first, second = small_scan(), small_scan()
    forth = [read(first, index).tobytes() for index in range(6)]
    back = [read(second, index).tobytes() for index in reversed(range(6))]
    assert forth == back[::-1]
    assert read(small_scan(seed=4), 0).tobytes() != forth[0]


def test_overlapping_frames_show_one_scene_under_different_noise() -> None:
    scan = small_scan()
    left = read(scan, 0)[:, FRAME - 128 :].astype(float)
    right = read(scan, 1)[:, :128].astype(float)
    difference = left - right
    sigma = np.sqrt(0.15 * np.median(left) - 0.45 + 1 / 12)
    assert 1.4826 * np.median(np.abs(difference)) > 0.5 * sigma
    # Beyond the noise of both, even at a bright speck, nothing differs.
    noise = np.sqrt(np.maximum(0.15 * (left + right) / 2 - 0.45, 1.37**2) + 1 / 12)
    assert np.abs(difference / noise).max() < 6 * np.sqrt(2)


def test_a_deeper_camera_sees_the_same_element_in_finer_steps() -> None:
    coarse, fine = read(small_scan(), 2), read(small_scan(bit_depth=12), 2)
    assert fine.dtype == np.uint16
    assert fine.max() <= 4095
    assert np.abs(fine / 16.0 - coarse)[coarse < 250].max() <= 0.5 + 1e-6
    assert len(np.unique(fine)) > 4 * len(np.unique(coarse))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((512, 511), np.uint8), ((512, 512), np.uint16)], ids=["shape", "type"]
)
def test_a_buffer_that_does_not_fit_is_refused(shape: tuple[int, int], dtype: type) -> None:
    with pytest.raises(ValueError, match="a frame is"):
        small_scan().read_into(0, np.zeros(shape, dtype=dtype))


def test_an_element_smaller_than_a_frame_is_refused() -> None:
    with pytest.raises(InputError, match="smaller than a frame"):
        SimulatedScan(simulate_element((2048, 2000), 1))


@pytest.mark.parametrize("bit_depth", [7, 17])
def test_a_bit_depth_that_no_camera_has_is_refused(bit_depth: int) -> None:
    with pytest.raises(InputError, match="bit_depth"):
        small_scan(bit_depth=bit_depth)


def test_a_patch_without_frames_is_refused() -> None:
    with pytest.raises(InputError, match="frames"):
        size_of_patch((0, 2))
