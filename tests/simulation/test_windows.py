"""Training windows: repeatable, balanced, and labelled as they look."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.simulation.element import windows
from darkscan.simulation.element.kinds import Kind
from darkscan.simulation.element.looks import WindowPreset
from darkscan.simulation.element.scratches import KINDS
from darkscan.simulation.element.windows import training_batch, training_window


def columns(drawn: windows.TrainingBatch) -> list[npt.NDArray[np.generic]]:
    return list(drawn)


def test_a_batch_is_named_by_its_seed_and_index() -> None:
    drawn, again = training_batch(3, 7, 6), training_batch(3, 7, 6)
    assert [(column.shape, column.dtype.name) for column in columns(drawn)] == [
        ((6, 256, 256), "uint8"),
        ((6,), "float32"),
        ((6, 32, 32), "uint8"),
        ((6, 4), "float32"),
        ((6, 32, 32), "uint8"),
        ((6, 32, 32), "uint8"),
    ]
    for one, other in zip(columns(drawn), columns(again), strict=True):
        assert one.tobytes() == other.tobytes()
    images = drawn.images
    assert training_batch(3, 8, 6)[0].tobytes() != images.tobytes()
    assert training_batch(4, 7, 6)[0].tobytes() != images.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["optic", "wide", "mixed"])
def test_half_of_the_windows_are_scratched(preset: WindowPreset) -> None:
    labels = training_batch(1, 0, 240, 1.0, preset).labels
    assert 0.38 < np.mean(labels > 0) < 0.62


def test_some_windows_are_grazed_or_show_what_no_eye_sees() -> None:
    rng = np.random.default_rng(4)
    labels = np.array([training_window(rng).label for _ in range(200)])
    between = (labels > 0) & (labels < 1)
    assert 0.0 < between.sum() / (labels > 0).sum() < 0.2


def test_scratched_windows_have_lines_box_and_signal_and_clean_ones_none() -> None:
    rng = np.random.default_rng(9)
    for _ in range(60):
        window = training_window(rng)
        scratched = window.snr > 0
        assert scratched == (window.cnr > 0)
        assert scratched or window.label == 0
        assert (window.lines == (window.kinds == Kind.SCRATCH)).all()
        assert scratched or not window.lines.any()
        assert not window.directions[window.lines == 0].any()
        assert (window.kind in KINDS) == scratched
        x0, y0, x1, y1 = window.box
        if window.lines.any():
            rows, columns = np.nonzero(window.lines)
            assert (x0, y0) == (8 * columns.min(), 8 * rows.min())
            assert (x1, y1) == (8 * columns.max() + 8, 8 * rows.max() + 8)
        else:
            assert window.box == (0, 0, 0, 0)


def test_clean_windows_are_named_by_the_rarest_thing_in_them() -> None:
    rng = np.random.default_rng(5)
    clean = [window for window in (training_window(rng) for _ in range(60)) if not window.snr]
    assert len(clean) > 15
    assert len({window.kind for window in clean}) > 3


def test_the_curriculum_goes_from_bright_to_mostly_weak() -> None:
    def signals(contrast: float) -> npt.NDArray[np.float64]:
        rng = np.random.default_rng(3)
        drawn = [training_window(rng, contrast, "optic").snr for _ in range(150)]
        return np.array([snr for snr in drawn if snr])

    easy, hard = signals(0.0), signals(1.0)
    assert np.percentile(easy, 25) > 1.5 * np.percentile(hard, 25)
    assert np.mean(hard < 25.0) > 0.35
    assert np.mean(easy < 20.0) < 0.05


def test_backgrounds_of_the_optic_look_are_as_dark_as_measured() -> None:
    rng = np.random.default_rng(2)
    medians = [np.median(training_window(rng, 1.0, "optic").image) for _ in range(200)]
    assert 14 < np.median(medians) < 32


def test_the_wide_look_reaches_from_black_to_bright_and_saturates() -> None:
    images = training_batch(2, 0, 80, 1.0, "wide").images
    medians = np.median(images, axis=(1, 2))
    assert medians.min() <= 6
    assert medians.max() >= 50
    assert np.mean(images.max(axis=(1, 2)) == 255) > 0.4
