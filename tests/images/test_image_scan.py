"""An image cut into frames: all of it, in the stage's order, with an unbroken window grid."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.images import ImageScan, Mosaic
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import axis_starts
from tests.images.samples import noise, reassemble, write_image

PITCH_UM = 8.0


def scan_of(folder: Path, height: int, width: int, frame: int = 512) -> ImageScan:
    path = write_image(folder / "plate.png", noise(height, width, 255, "uint8"))
    return ImageScan(Mosaic([path]), PITCH_UM, frame=frame)


@pytest.mark.parametrize(
    ("height", "width"),
    [(256, 256), (512, 512), (513, 512), (300, 1300), (1281, 1025), (900, 400)],
)
def test_nothing_of_the_image_is_dropped(tmp_path: Path, height: int, width: int) -> None:
    scan = scan_of(tmp_path, height, width)
    np.testing.assert_array_equal(reassemble(scan), noise(height, width, 255, "uint8"))
    assert scan.info.frame_shape == (min(512, height), min(512, width))
    assert scan.info.frames_planned == len(scan.frames)


def test_frames_come_in_serpentine_order(tmp_path: Path) -> None:
    scan = scan_of(tmp_path, 1100, 1100)
    places = [(meta.strip, meta.position_mm[0] * 1000 / PITCH_UM) for meta in scan.frames]
    starts = [0, 384, 588]
    assert places == [(strip, x) for strip in (0, 1, 2) for x in starts[:: -1 if strip % 2 else 1]]
    assert [meta.frame for meta in scan.frames] == list(range(9))


def test_windows_of_neighbouring_frames_make_one_grid(tmp_path: Path) -> None:
    scan = scan_of(tmp_path, 512, 1900)
    starts = {
        round(meta.position_mm[0] * 1000 / PITCH_UM) + start
        for meta in scan.frames
        for start in axis_starts(512, 256, 128)
    }
    assert (min(starts), max(starts)) == (0, 1900 - 256)
    assert np.diff(sorted(starts)).max() == 128


def test_element_is_the_image(tmp_path: Path) -> None:
    info = scan_of(tmp_path, 600, 1000).info
    assert (info.element, info.side) == ("plate", "front")
    assert info.element_size_mm == (8.0, 4.8)
    assert info.region_mm == (0.0, 0.0, 8.0, 4.8)
    np.testing.assert_allclose(info.pixel_to_stage.matrix, [[0.008, 0], [0, 0.008]])
    assert info.source == "image of 1000x600 pixels of uint8: plate.png"


@pytest.mark.parametrize("pitch", [0.0, -1.0, float("nan"), float("inf")])
def test_pitch_must_be_positive_and_finite(tmp_path: Path, pitch: float) -> None:
    path = write_image(tmp_path / "a.png", noise(300, 300, 255, "uint8"))
    with pytest.raises(InputError, match="pitch_um: must be a positive number"):
        ImageScan(Mosaic([path]), pitch)


def test_image_smaller_than_a_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plate\.png: image of 400x255 pixels is smaller than"):
        scan_of(tmp_path, 255, 400)


@pytest.mark.parametrize("frame", [-1, 0, 100, 255])
def test_frame_smaller_than_a_window_is_refused(tmp_path: Path, frame: int) -> None:
    with pytest.raises(InputError, match="too small for windows of 256"):
        scan_of(tmp_path, 600, 600, frame)


@pytest.mark.parametrize("wanted", [0, 9, 17])
def test_depth_must_hold_the_levels(tmp_path: Path, wanted: int) -> None:
    mosaic = Mosaic([write_image(tmp_path / "a.png", noise(300, 300, 1000))])
    assert ImageScan(mosaic, 10.0, bit_depth=16).info.bit_depth == 16
    with pytest.raises(InputError, match="bit_depth: "):
        ImageScan(mosaic, 10.0, bit_depth=wanted)
