"""The shipped dense models, in float and in eight bits, on whole images."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from darkscan.inference import FrameWindows, OnnxRuntimeBackend, scores_in_context, see
from darkscan.network.metrics import figures
from darkscan.network.quantising import open_model, score_windows
from darkscan.simulation.element.crops import training_crops
from darkscan.simulation.element.looks import WindowPreset
from tests.network.streaks import IMAGES, WINDOW, streaked

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module", params=["default", "default-int8"])
def model(request: pytest.FixtureRequest) -> Path:
    return MODELS / f"{request.param}.onnx"


@pytest.fixture(scope="module")
def session(model: Path) -> onnxruntime.InferenceSession:
    return open_model(model.read_bytes(), threads=1)


def said(session: onnxruntime.InferenceSession, key: str) -> float:
    return float(session.get_modelmeta().custom_metadata_map[f"darkscan.{key}"])


def test_it_is_small_enough_to_be_carried_along(model: Path) -> None:
    assert model.stat().st_size < 20e6


def test_threads_change_no_bit_of_a_score(
    model: Path, session: onnxruntime.InferenceSession
) -> None:
    images = training_crops(77, 0, 2).images
    alone = score_windows(session, images, 255.0, dense=True)
    for threads in (2, 3):
        other = open_model(model.read_bytes(), threads=threads)
        np.testing.assert_array_equal(score_windows(other, images, 255.0, dense=True), alone)


@pytest.mark.parametrize(
    ("preset", "recall", "rate"), [("optic", 0.85, 0.02), ("wide", 0.75, 0.08)]
)
def test_it_tells_simulated_scratches_from_background(
    session: onnxruntime.InferenceSession, preset: WindowPreset, recall: float, rate: float
) -> None:
    drawn = training_crops(78, 0, 24, 1.0, preset)
    labels = drawn.labels.ravel()
    judged = (labels == 0) | (labels == 1)  # a scratch that grazes is neither
    scores = score_windows(session, drawn.images, 255.0, dense=True)[judged]
    found = figures(scores, labels[judged], said(session, "threshold"))
    assert found.recall >= recall
    assert found.false_positive_rate <= rate


@pytest.mark.parametrize("level", [0, 20, 255], ids=["black", "grey", "saturated"])
def test_a_flat_frame_has_no_scratch(session: onnxruntime.InferenceSession, level: int) -> None:
    flat = np.full((1, 384, 512), level, np.uint8)
    assert score_windows(session, flat, 255.0, dense=True).max() < said(session, "threshold")


@pytest.mark.parametrize("name", IMAGES)
def test_it_sees_a_streak_in_an_image_that_nobody_here_made(
    model: Path, session: onnxruntime.InferenceSession, real_images: Path, name: str
) -> None:
    image = streaked(real_images, name)
    backend = OnnxRuntimeBackend(model, threads=1, batch=1)
    seen = see(backend, FrameWindows.adjusted(image.frame, image.origins, WINDOW), 255)
    scores = scores_in_context(seen, image.origins, WINDOW)
    of_streak = scores[image.of_streak]
    assert (of_streak >= said(session, "threshold")).mean() >= 0.75
    assert (of_streak >= said(session, "grow_threshold")).mean() >= 0.9
    assert (scores[image.empty] >= said(session, "threshold")).mean() <= 0.02
