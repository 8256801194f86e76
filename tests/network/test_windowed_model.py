"""The shipped windowed model, on windows as they are cut out."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from darkscan.network.metrics import area_under_curve, figures
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.simulation.element.looks import WindowPreset
from darkscan.simulation.element.windows import training_batch
from tests.network.streaks import IMAGES, streaked

pytestmark = pytest.mark.slow

MODEL = Path(__file__).parents[2] / "models" / "windowed.onnx"
BATCH = 16

Image = npt.NDArray[np.uint8]
Origins = npt.NDArray[np.int32]


def open_model(threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return open_model()


@pytest.fixture(scope="module")
def threshold(session: onnxruntime.InferenceSession) -> float:
    return float(session.get_modelmeta().custom_metadata_map["darkscan.threshold"])


def scores(
    session: onnxruntime.InferenceSession, frame: Image, origins: Origins
) -> npt.NDArray[np.float32]:
    parts = []
    for first in range(0, len(origins), BATCH):
        some = origins[first : first + BATCH]
        gains, offsets = gains_and_offsets(*window_extrema(frame, some, 256))
        inputs = {
            "frame": frame[:, :, None],
            "origins": some.astype(np.int64),
            "gains": gains,
            "offsets": offsets,
            "full_scale": np.array(255, np.float32),
        }
        parts.append(session.run(["scores"], inputs)[0])
    return np.concatenate(parts)


def windows_as_a_frame(windows: Image) -> tuple[Image, Origins]:
    """Windows one under another, and where they are."""
    rows = np.arange(len(windows), dtype=np.int32) * 256
    return windows.reshape(-1, 256), np.stack([rows, np.zeros_like(rows)], axis=1)


def test_it_is_small_enough_to_be_carried_along() -> None:
    assert MODEL.stat().st_size < 20e6


def test_threads_change_no_bit_of_a_score(session: onnxruntime.InferenceSession) -> None:
    windows = training_batch(77, 0, 16).images
    frame, origins = windows_as_a_frame(windows)
    alone = scores(session, frame, origins)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(scores(open_model(threads), frame, origins), alone)


@pytest.mark.parametrize(
    ("preset", "contrast", "area", "rate"),
    [
        pytest.param("optic", 0.0, 0.95, 0.02, id="plain scratches on an optic"),
        pytest.param("optic", 1.0, 0.75, 0.03, id="as hard as they come"),
        pytest.param("wide", 0.0, 0.9, 0.03, id="plain ones on anything dark"),
        pytest.param("wide", 1.0, 0.6, 0.08, id="as hard, on anything dark"),
    ],
)
def test_it_tells_simulated_scratches_from_background(
    session: onnxruntime.InferenceSession,
    threshold: float,
    preset: WindowPreset,
    contrast: float,
    area: float,
    rate: float,
) -> None:
    drawn = training_batch(78, 0, 256, contrast, preset)
    judged = (drawn.labels == 0) | (drawn.labels == 1)  # grazed, or too faint, is neither
    windows, labels = drawn.images[judged], drawn.labels[judged]
    found = scores(session, *windows_as_a_frame(windows))
    assert area_under_curve(found, labels) >= area
    assert figures(found, labels, threshold).false_positive_rate <= rate


@pytest.mark.parametrize("level", [0, 20, 255], ids=["black", "grey", "saturated"])
def test_a_flat_window_is_no_scratch(
    session: onnxruntime.InferenceSession, threshold: float, level: int
) -> None:
    flat = np.full((256, 256), level, np.uint8)
    assert scores(session, flat, np.zeros((1, 2), np.int32))[0] < threshold


@pytest.mark.parametrize("name", IMAGES)
def test_it_sees_a_streak_in_an_image_that_nobody_here_made(
    session: onnxruntime.InferenceSession, threshold: float, real_images: Path, name: str
) -> None:
    image = streaked(real_images, name)
    of_streak = scores(session, image.frame, image.origins[image.of_streak])
    grow_threshold = float(session.get_modelmeta().custom_metadata_map["darkscan.grow_threshold"])
    assert (of_streak >= threshold).mean() >= 0.75
    assert (of_streak >= grow_threshold).mean() >= 0.9
