"""Centre lines of masks: thin, in one piece, and as long as what was drawn."""

import time

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.datasets._labelled_image import total_length
from darkscan.network.datasets._thinning import mask_scratches, thin


def drawn(*lines: tuple[float, float, float, float], width: int = 5) -> npt.NDArray[np.bool_]:
    image = np.zeros((500, 500), np.uint8)
    for x0, y0, x1, y1 in lines:
        cv2.line(image, (round(x0), round(y0)), (round(x1), round(y1)), 1, width)
    return image.astype(bool)


def test_a_thinned_line_is_one_pixel_wide_and_connected() -> None:
    mask = drawn((50, 60, 400, 300), width=9)
    skeleton = thin(mask)
    assert not (skeleton & ~mask).any()
    assert cv2.connectedComponents(skeleton.astype(np.uint8))[0] == 2
    assert skeleton.sum() < 1.1 * 350
    blocks = sum(
        skeleton[dy : dy + 499, dx : dx + 499].astype(int) for dy in (0, 1) for dx in (0, 1)
    )
    assert np.max(blocks) < 4


@pytest.mark.parametrize("angle", [0, 12, 27, 45, 70, 90])
@pytest.mark.parametrize("width", [1, 5])
def test_lengths_are_right_in_every_direction(angle: int, width: int) -> None:
    dx, dy = 150 * np.cos(np.radians(angle)), 150 * np.sin(np.radians(angle))
    (scratch,) = mask_scratches(drawn((250 - dx, 250 - dy, 250 + dx, 250 + dy), width=width))
    assert scratch.lengths.sum() == pytest.approx(300, rel=0.08)


def test_spots_in_a_row_are_one_scratch_as_long_as_the_row() -> None:
    mask = drawn(*((x, 100 + x / 2, x, 100 + x / 2) for x in range(50, 350, 15)), width=3)
    (scratch,) = mask_scratches(mask)
    assert scratch.lengths.sum() == pytest.approx(np.hypot(285, 142.5), rel=0.08)


def test_scratches_far_apart_are_told_apart() -> None:
    scratches = mask_scratches(drawn((50, 50, 200, 50), (50, 120, 200, 120)))
    assert len(scratches) == 2
    assert total_length(scratches) == pytest.approx(300, rel=0.08)


def test_a_mask_that_covers_everything_is_thinned_in_no_time() -> None:
    began = time.process_time()
    assert thin(np.ones((900, 900), bool)).sum() < 900 * 2
    assert time.process_time() - began < 10


def test_a_black_mask_has_no_scratch() -> None:
    assert mask_scratches(np.zeros((300, 300), bool)) == ()
