"""Training windows: repeatable, balanced, and labelled as they look."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.simulation.element import windows
from darkscan.simulation.element._curves import lit_length
from darkscan.simulation.element.looks import WindowPreset, draw_look
from darkscan.simulation.element.sensor import Noise
from darkscan.simulation.element.strokes import SIGMA_PER_FWHM, Strokes, add_line
from darkscan.simulation.element.windows import training_batch, training_window


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


def columns(drawn: windows.TrainingBatch) -> list[npt.NDArray[np.generic]]:
    return list(drawn)


def test_a_batch_is_named_by_its_seed_and_index() -> None:
    drawn, again = training_batch(3, 7, 6), training_batch(3, 7, 6)
    assert [(column.shape, column.dtype.name) for column in columns(drawn)] == [
        ((6, 256, 256), "uint8"),
        ((6,), "float32"),
        ((6, 32, 32), "uint8"),
        ((6, 4), "float32"),
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


@pytest.mark.slow
def test_a_share_of_the_windows_with_a_scratch_is_only_grazed() -> None:
    rng = np.random.default_rng(4)
    labels = np.array([training_window(rng, grazed=0.5).label for _ in range(200)])
    grazed = (labels > 0) & (labels < 1)
    assert 0.35 < grazed.sum() / (labels > 0).sum() < 0.65
    assert not any(0 < training_window(rng).label < 1 for _ in range(30))


@pytest.mark.parametrize(
    ("start", "end", "label"),
    [
        ((20, 100), (60, 100), 1.0),
        ((20, 100), (58, 100), np.sqrt(38 / 40)),
        ((100, 0), (100, 256), 1.0),
        ((100, 4), (200, 4), 0.99),
        ((0, 10), (10, 0), np.sqrt(np.hypot(10, 10) / 40)),
        ((-20, 10), (-10, 0), 0.0),
    ],
    ids=["40 px inside", "38 px", "from rim to rim", "within the rim", "a corner", "outside"],
)
def test_a_label_is_the_root_of_the_part_of_40_px_that_shows(
    start: tuple[float, float], end: tuple[float, float], label: float
) -> None:
    count = 401
    vertices = np.linspace(start, end, count).astype(float)
    line = windows.Line(vertices, np.ones(count), fwhm=0.0)
    assert windows.label([line]) == pytest.approx(label, abs=0.01)


def test_the_flank_of_a_broad_scratch_shows_though_its_centre_lies_outside() -> None:
    vertices = np.linspace((-8.0, 50.0), (-8.0, 90.0), 81)
    broad, narrow = (windows.Line(vertices, np.ones(81), fwhm) for fwhm in (20.0, 4.0))
    assert windows.label([narrow]) == 0
    assert 0.9 < windows.label([broad]) < 1


def test_gaps_do_not_count_and_the_best_line_decides() -> None:
    vertices = np.linspace((20, 100), (80, 100), 61).astype(float)
    half = windows.Line(vertices, (np.arange(61) < 20).astype(float), 0.0)
    assert windows.label([half]) == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert windows.label([half, windows.Line(vertices, np.ones(61), 0.0)]) == 1
    assert windows.label([]) == 0


def test_lines_and_box_are_where_the_scratch_runs() -> None:
    vertices = np.array([[20.0, 100.0], [120.0, 100.0], [120.0, 180.0]])
    cells = windows.crossed_cells([windows.Line(vertices, np.ones(3), 0.0)])
    expected = np.zeros((32, 32), np.uint8)
    expected[12, 2:15] = 1  # y 100, x 20 to 120
    expected[12:23, 14 if cells[15, 14] else 15] = 1  # x 120 lies between two cells
    assert np.array_equal(cells, expected | cells * _beside(expected))
    x0, y0, x1, y1 = windows._box(cells)
    assert (x0, y0) == (16, 96)
    assert x1 in {120, 128}
    assert y1 == 184
    assert windows._box(np.zeros((32, 32), np.uint8)) == (0, 0, 0, 0)


def _beside(cells: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8)), dtype=np.uint8)


def test_scratched_windows_have_lines_box_and_signal_and_clean_ones_none() -> None:
    rng = np.random.default_rng(9)
    for _ in range(60):
        window = training_window(rng, grazed=0.3)
        scratched = window.label > 0
        assert scratched or not window.lines.any()
        assert (window.snr > 0) == scratched
        x0, y0, x1, y1 = window.box
        if window.lines.any():  # of a broad scratch, a flank alone may show
            rows, columns = np.nonzero(window.lines)
            assert (x0, y0) == (8 * columns.min(), 8 * rows.min())
            assert (x1, y1) == (8 * columns.max() + 8, 8 * rows.max() + 8)
        else:
            assert window.box == (0, 0, 0, 0)


@pytest.mark.parametrize("cnr", [2.0, 5.0])
@pytest.mark.parametrize("sigma_px", [0.8, 1.5])
@pytest.mark.parametrize("angle", [0.0, 0.6], ids=["level", "slanted"])
def test_the_matched_filters_signal_to_noise_is_that_of_a_gaussian_line(
    cnr: float, sigma_px: float, angle: float
) -> None:
    """The sum of (CNR exp(-x^2 / 2 s^2))^2 over a line of length L is CNR^2 sqrt(pi) s L."""
    noise_sigma, length = 1.5, 150.0
    middle, half = np.array([128.0, 128.0]), length / 2 * np.array([np.cos(angle), np.sin(angle)])
    vertices = np.linspace(middle - half, middle + half, 50)
    trace = np.zeros((256, 256), np.float32)
    amplitude = np.full(50, cnr * noise_sigma)
    strokes = Strokes.along(vertices, amplitude, sigma_px / SIGMA_PER_FWHM)
    add_line(trace, strokes, np.zeros_like(trace))
    noise = Noise(gain=0.0, offset=0.0, floor=noise_sigma)
    found = windows._signal_to_noise(trace, noise, np.full_like(trace, 20))
    ends = np.pi * sigma_px**2  # two half discs, one round spot's worth
    expected = cnr * np.sqrt(np.sqrt(np.pi) * sigma_px * length + ends)
    assert found == pytest.approx(expected, rel=0.02)
    assert found == pytest.approx(cnr * np.sqrt(np.sqrt(np.pi) * sigma_px * length), rel=0.03)


def test_clean_windows_have_no_contrast_and_scratched_ones_have() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        window = training_window(rng)
        assert (window.cnr >= 2.0) == (window.label == 1)
        assert window.label in {0, 1}
        assert window.kind


def test_no_scratch_is_drawn_into_a_clean_window(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    line = windows.Line(np.array([[20.0, 99.0], [220.0, 99.0]]), np.ones(2), 0.0)

    def note(*_: object, **__: object) -> windows.Drawn:
        drawn.append(True)
        return windows.Drawn("straight", 3.0, [line])

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
        line, _ = windows._visible_scratch(kind, look, 0.3, rng)
        assert lit_length(line.vertices, line.lit, (12, 12, 244, 244)) >= 40


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
    images = training_batch(2, 0, 80, 1.0, "wide").images
    medians = np.median(images, axis=(1, 2))
    assert medians.min() <= 6
    assert medians.max() >= 50
    assert np.mean(images.max(axis=(1, 2)) == 255) > 0.4
