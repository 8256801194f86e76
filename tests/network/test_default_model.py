"""The shipped dense models, in float and in eight bits, on whole images."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.inference.scoring import ModelScorer
from darkscan.network.metrics import area_under_curve, figures
from darkscan.simulation.element.crops import training_crops
from darkscan.simulation.element.looks import WindowPreset
from tests.network.streaks import IMAGES, streaked

pytestmark = pytest.mark.slow

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module", params=["default", "default-int8"])
def model(request: pytest.FixtureRequest) -> Path:
    return MODELS / f"{request.param}.onnx"


@pytest.fixture(scope="module")
def scorer(model: Path) -> ModelScorer:
    return ModelScorer(model, threads=1)


def test_it_is_small_enough_to_be_carried_along(model: Path) -> None:
    assert model.stat().st_size < 20e6


def test_threads_change_no_bit_of_a_score(model: Path, scorer: ModelScorer) -> None:
    images = training_crops(77, 0, 2).images
    alone = scorer.images(images, 255.0)
    for threads in (2, 3):
        other = ModelScorer(model, threads=threads)
        np.testing.assert_array_equal(other.images(images, 255.0), alone)


@pytest.mark.parametrize(
    ("preset", "contrast", "area", "recall", "rate"),
    [
        pytest.param("optic", 0.0, 0.98, 0.75, 0.01, id="plain scratches on an optic"),
        pytest.param("optic", 1.0, 0.8, 0.35, 0.03, id="as hard as they come"),
        pytest.param("wide", 0.0, 0.93, 0.5, 0.02, id="plain ones on anything dark"),
        pytest.param("wide", 1.0, 0.65, 0.15, 0.04, id="as hard, on anything dark"),
    ],
)
def test_it_tells_simulated_scratches_from_background(
    scorer: ModelScorer,
    preset: WindowPreset,
    contrast: float,
    area: float,
    recall: float,
    rate: float,
) -> None:
    drawn = training_crops(78, 0, 24, contrast, preset)
    labels = drawn.labels.ravel()
    judged = (labels == 0) | (labels == 1)  # grazed, or too faint, is neither
    scores = scorer.images(drawn.images, 255.0)[judged]
    found = figures(scores, labels[judged], scorer.info.threshold)
    assert area_under_curve(scores, labels[judged]) >= area
    assert found.recall >= recall
    assert found.false_positive_rate <= rate


@pytest.mark.parametrize("level", [0, 20, 255], ids=["black", "grey", "saturated"])
def test_a_flat_frame_has_no_scratch(scorer: ModelScorer, level: int) -> None:
    flat = np.full((1, 384, 512), level, np.uint8)
    assert scorer.images(flat, 255.0).max() < scorer.info.threshold


@pytest.mark.parametrize("fwhm", [0.8, 2.2, 4.0])
@pytest.mark.parametrize("cnr", [6.0, 40.0])
def test_a_crossing_line_is_a_scratch_however_sharp(
    scorer: ModelScorer, fwhm: float, cnr: float
) -> None:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:512, 0:512] + 0.5
    images = []
    for angle in (0.1, 0.9, 2.3):
        across = (x - 250) * np.sin(angle) - (y - 262) * np.cos(angle)
        line = np.exp(-0.5 * (across / (0.42466 * fwhm)) ** 2)
        levels = 18.0 + 1.5 * (rng.standard_normal(x.shape) + cnr * line)
        images.append(np.clip(levels.round(), 0, 255).astype(np.uint8))
    scores = scorer.images(np.stack(images), 255.0)
    middles = scores.reshape(3, 9)[:, 4]
    assert (middles >= scorer.info.threshold).all()


@pytest.mark.parametrize("name", IMAGES)
def test_it_sees_a_streak_in_an_image_that_nobody_here_made(
    scorer: ModelScorer, real_images: Path, name: str
) -> None:
    image = streaked(real_images, name)
    scores = scorer.frame(image.frame, image.origins, 255)
    of_streak = scores[image.of_streak]
    assert (of_streak >= scorer.info.threshold).mean() >= 0.75
    assert (of_streak >= scorer.info.grow_threshold).mean() >= 0.9
