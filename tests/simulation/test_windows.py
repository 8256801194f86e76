"""Training windows: repeatable, balanced, and labelled as they look."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.drivers.simulation import windows
from darkscan.drivers.simulation.curves import lit_length
from darkscan.drivers.simulation.looks import WindowPreset, draw_look
from darkscan.drivers.simulation.windows import training_batch, training_window


def brightest_line(image: npt.NDArray[np.uint8]) -> float:
    """How far the brightest straight line stands out, in its own noise's sigmas."""
    smooth = cv2.medianBlur(image, 31).astype(np.float32)
    rest = cv2.GaussianBlur(image.astype(np.float32) - smooth, (0, 0), sigmaX=1.0)
    spread = 1.4826 * float(np.median(np.abs(rest - np.median(rest)))) + 0.1
    rest = np.clip(rest / spread, -4, 4)
    centre = (127.5, 127.5)
    best = 0.0
    for angle in range(0, 180, 3):
        turn = cv2.getRotationMatrix2D(centre, angle, 1.0)
        turned = cv2.warpAffine(rest, turn, (256, 256))
        sums = np.asarray(cv2.blur(turned, (61, 1)))[20:-20, 30:-30]
        best = max(best, float(sums.max()))
    return best


def test_a_batch_is_named_by_its_seed_and_index() -> None:
    images, labels = training_batch(3, 7, 6)
    again, labels_again = training_batch(3, 7, 6)
    assert images.shape == (6, 256, 256)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert images.tobytes() == again.tobytes()
    assert labels.tolist() == labels_again.tolist()
    assert training_batch(3, 8, 6)[0].tobytes() != images.tobytes()
    assert training_batch(4, 7, 6)[0].tobytes() != images.tobytes()


@pytest.mark.parametrize("preset", ["optic", "wide", "mixed"])
def test_half_of_the_windows_are_scratched(preset: WindowPreset) -> None:
    _, labels = training_batch(1, 0, 240, 1.0, preset)
    assert 0.38 < labels.mean() < 0.62


def test_clean_windows_have_no_contrast_and_scratched_ones_have() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        window = training_window(rng)
        assert (window.cnr >= 2.0) == (window.label == 1)
        assert window.kind


def test_no_scratch_is_drawn_into_a_clean_window(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def note(*_: object) -> tuple[str, float]:
        drawn.append(True)
        return "straight", 3.0

    monkeypatch.setattr(windows, "_add_scratches", note)
    rng = np.random.default_rng(6)
    labels = [training_window(rng).label for _ in range(40)]
    assert len(drawn) == sum(labels)


@pytest.mark.parametrize("kind", ["straight", "curved", "gappy", "discontinuous", "swirl"])
@pytest.mark.parametrize("contrast", [0.0, 1.0], ids=["easy", "hard"])
def test_a_scratch_shows_40_px_within_the_rim(kind: str, contrast: float) -> None:
    rng = np.random.default_rng(8)
    for _ in range(40):
        look = draw_look(rng, contrast, "mixed")
        vertices, run = windows._visible_scratch(kind, look, contrast, 0.3, rng)
        whole = np.ones(len(vertices)) if kind == "discontinuous" else run
        assert lit_length(vertices, whole, (12, 12, 244, 244)) >= 40


def test_labels_say_what_is_seen() -> None:
    rng = np.random.default_rng(12)
    drawn = [training_window(rng, 0.0, "optic") for _ in range(60)]
    seen = [
        (brightest_line(window.image), window.label)
        for window in drawn
        if window.label == 0 or window.kind == "straight"
    ]
    lines = [score for score, label in seen if label]
    clean = [score for score, label in seen if not label]
    assert min(len(lines), len(clean)) >= 5
    assert np.median(lines) > 1.5 * np.median(clean)
    correct = [score > other for score in lines for other in clean]
    assert np.mean(correct) > 0.9


def test_the_curriculum_goes_from_bright_to_mostly_weak() -> None:
    def contrasts(contrast: float) -> npt.NDArray[np.float64]:
        rng = np.random.default_rng(3)
        drawn = [training_window(rng, contrast, "optic").cnr for _ in range(150)]
        return np.array([cnr for cnr in drawn if cnr])

    easy, hard = contrasts(0.0), contrasts(1.0)
    assert easy.min() >= 6
    assert np.mean(hard < 6) > 0.5


def test_backgrounds_of_the_optic_look_are_as_dark_as_measured() -> None:
    rng = np.random.default_rng(2)
    medians = [np.median(training_window(rng, 1.0, "optic").image) for _ in range(60)]
    assert 14 < np.median(medians) < 32


def test_the_wide_look_reaches_from_black_to_bright_and_saturates() -> None:
    images, _ = training_batch(2, 0, 80, 1.0, "wide")
    medians = np.median(images, axis=(1, 2))
    assert medians.min() <= 6
    assert medians.max() >= 50
    assert np.mean(images.max(axis=(1, 2)) == 255) > 0.4
