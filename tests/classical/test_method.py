import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.classical import NetworkMethod, methods, score_windows
from darkscan.network.classical._method import Origins
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from tests.classical.scenes import noise, with_line

_ORIGINS = np.array([[0, 0], [0, 128], [128, 0], [128, 128]])


def _mean_level(frame: Pixels, origins: Origins, full_scale: float) -> npt.NDArray[np.float32]:
    means = [frame[y : y + 256, x : x + 256].mean() / full_scale for y, x in origins]
    return np.array(means, np.float32)


@pytest.mark.parametrize("name", list(methods()))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16], ids=["eight bits", "sixteen bits"])
def test_every_method_marks_pixels_and_scores_windows(name: str, dtype: type) -> None:
    method = methods()[name]
    levels = with_line(noise((384, 400)), (10, 60), (390, 90), amplitude=60.0)
    frame: Pixels = levels if dtype is np.uint8 else levels.astype(np.uint16) * np.uint16(257)
    before = frame.copy()
    marks, scores = method.mark(frame), method.window_scores(frame, _ORIGINS)
    assert marks.shape == frame.shape
    assert marks.dtype == np.bool_
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("name", list(methods()))
def test_no_method_marks_a_black_frame(name: str) -> None:
    frame = np.zeros((256, 256), np.uint8)
    assert not methods()[name].mark(frame).any()
    assert (score_windows(methods()[name], frame[np.newaxis]) < methods()[name].threshold).all()


def test_windows_that_stand_alone_score_as_small_frames() -> None:
    images = np.stack([noise(), with_line(noise(), (20, 30), (230, 200))])
    for method in methods().values():
        alone = [method.window_scores(image, np.zeros((1, 2), int))[0] for image in images]
        np.testing.assert_array_equal(score_windows(method, images), alone)
    assert score_windows(methods()["otsu"], images[:0]).shape == (0,)


def test_windows_of_one_camera_share_its_full_scale() -> None:
    images = np.stack([np.full((256, 256), level, np.uint16) for level in (100, 4000)])
    scores = score_windows(NetworkMethod("mean", 0.5, _mean_level), images)
    np.testing.assert_allclose(scores, np.array([100, 4000]) / 4095, rtol=1e-6)
    given = score_windows(NetworkMethod("mean", 0.5, _mean_level), images, 8000)
    np.testing.assert_allclose(given, [0.0125, 0.5], rtol=1e-6)


def test_a_network_marks_the_outline_of_its_positive_windows() -> None:
    frame = np.zeros((512, 512), np.uint8)
    frame[:256, :384] = 255
    marks = NetworkMethod("mean", 0.99, _mean_level).mark(frame)
    expected = np.zeros_like(marks)
    expected[:256, :384] = True
    expected[1:255, 1:383] = False
    np.testing.assert_array_equal(marks, expected)


def test_a_frame_smaller_than_a_window_is_refused() -> None:
    with pytest.raises(InputError, match="smaller than a window"):
        methods()["otsu"].mark(np.zeros((200, 300), np.uint8))
