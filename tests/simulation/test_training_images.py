"""Labels of training images: 12 px of a scratch that can be seen, and what lies between."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.simulation.element.looks import WindowPreset
from darkscan.simulation.element.scratches import Line
from darkscan.simulation.element.training_images import RIM_PX, draw_image, label


def line_of(
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    lit: Float64Array | None = None,
    fwhm: float = 0.0,
    snr: float = 30.0,
) -> Line:
    """A straight line with a vertex every quarter of a pixel."""
    count = 4 * round(np.hypot(end[0] - start[0], end[1] - start[1])) + 1
    vertices = np.linspace(start, end, count).astype(float)
    shown = np.ones(count) if lit is None else np.repeat(lit, 1 + count // len(lit))[:count]
    return Line("straight", vertices, shown, fwhm, 10.0, snr)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param((20, 100), (32.5, 100), 1.0, id="12 px inside"),
        pytest.param((20, 100), (30, 100), np.sqrt(10 / 12), id="10 px"),
        pytest.param((100, 0), (100, 256), 1.0, id="from border to border"),
        pytest.param((100, 2), (200, 2), 0.99, id="within the rim"),
        pytest.param((-20, 100), (14, 100), np.sqrt(12 / 12), id="as much, past the rim"),
        pytest.param((-20, 100), (17, 100), 1.0, id="12 px within the rim"),
        pytest.param((0, 5), (5, 0), np.sqrt(np.hypot(5, 5) / 12), id="a corner"),
        pytest.param((-20, 10), (-10, 0), 0.0, id="outside"),
    ],
)
def test_a_label_is_the_root_of_the_part_of_12_px_that_shows(
    start: tuple[float, float], end: tuple[float, float], expected: float
) -> None:
    assert label([line_of(start, end)]) == pytest.approx(expected, abs=0.02)


def test_grazed_is_never_quite_a_scratch() -> None:
    grazing = line_of((100, RIM_PX / 2), (250, RIM_PX / 2))
    assert label([grazing]) == 0.99


def test_the_flank_of_a_broad_scratch_shows_though_its_centre_lies_outside() -> None:
    broad, narrow = (line_of((-4, 50), (-4, 90), fwhm=fwhm) for fwhm in (12.0, 3.0))
    assert label([narrow]) == 0
    assert 0.9 < label([broad]) < 1


def test_gaps_do_not_count_and_the_best_line_decides() -> None:
    gappy = line_of((20, 100), (44, 100), lit=np.array([1.0, 0.0, 0.0, 0.0]))
    assert label([gappy]) == pytest.approx(np.sqrt(6 / 12), abs=0.05)
    assert label([gappy, line_of((20, 100), (44, 100))]) == 1
    assert label([]) == 0


def test_a_line_too_faint_for_the_eye_is_labelled_by_what_it_is_short_of() -> None:
    faint = line_of((20, 100), (120, 100), snr=2.5)
    assert label([faint]) == pytest.approx(0.5)
    assert label([faint, line_of((20, 100), (120, 100), snr=5.0)]) == 1


def test_a_window_is_labelled_by_what_lies_in_it() -> None:
    line = line_of((300, 300), (330, 300))
    assert label([line], 0, 0) == 0
    assert label([line], 128, 128) == 1
    assert 0 < label([line], 322, 128) < 1


@pytest.mark.parametrize("side", [256, 512])
def test_an_image_knows_its_scratches_and_its_cells(side: int) -> None:
    drawn = draw_image(np.random.default_rng(1), 1.0, "mixed", side, 2)
    assert drawn.picture.shape == (side, side)
    assert drawn.picture.dtype == np.uint8
    assert drawn.kinds.kinds.shape == (side // 8, side // 8)
    assert len(drawn.lines) >= 2


def rise_of(picture: npt.NDArray[np.uint8], line: Line) -> float:
    """How much brighter a picture is along a line's lit places than beside them, grey levels."""
    along = np.gradient(line.vertices, axis=0)
    along /= np.hypot(*along.T)[:, None]
    aside = (2.0 * line.fwhm + 3.0) * along[:, ::-1] * [1.0, -1.0]
    inside = ((line.vertices > 40) & (line.vertices < len(picture) - 40)).all(axis=1)
    lit = inside & (line.lit > 0)
    if lit.sum() < 3:
        return float("nan")
    here, one, other = (
        picture[tuple(places[lit].astype(int).T[::-1])].astype(float).mean()
        for places in (line.vertices, line.vertices + aside, line.vertices - aside)
    )
    return float(here - (one + other) / 2.0)


@pytest.mark.parametrize("preset", ["optic", "wide"])
def test_a_picture_is_brighter_where_its_lines_are_said_to_be(preset: WindowPreset) -> None:
    rng = np.random.default_rng(2)
    rises = []
    for _ in range(40):
        drawn = draw_image(rng, 0.3, preset, 256, 1)
        rises += [rise_of(drawn.picture, line) for line in drawn.lines if line.snr > 15]
    measured = np.array([rise for rise in rises if not np.isnan(rise)])
    assert len(measured) > 20
    assert (measured > 0).mean() > 0.9
