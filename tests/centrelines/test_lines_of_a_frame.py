"""Scratches drawn into a frame are traced where they are, as long and as wide as they are."""

import numpy as np
import pytest

from tests.centrelines.drawn import (
    ORIGINS,
    SCRATCHES,
    SIDE,
    STRAIGHT,
    Points,
    arc,
    aside,
    find,
    frame,
    length,
    lines_of,
    measures_of,
    straight,
)


def beads(vertices: Points, period_px: int, peak: float) -> np.ndarray:
    """Points of light along a line whose vertices are a pixel apart."""
    place = np.arange(len(vertices)) % period_px
    return np.where(place < 3, peak, 0.0)


def gaps(vertices: Points, every_px: int, dark_px: int) -> np.ndarray:
    return np.where((np.arange(len(vertices)) + every_px // 2) % every_px < dark_px, 0.0, 8.0)


def runs(vertices: Points, every_px: int, dark_px: int) -> np.ndarray:
    """Runs of light along a line whose vertices are a pixel apart."""
    return np.where(np.arange(len(vertices)) % every_px < every_px - dark_px, 8.0, 0.0)


@pytest.mark.parametrize(
    ("truth", "amplitude"),
    [
        *SCRATCHES,
        pytest.param(arc(130.0, 2.2, (350.0, 300.0)), 8.0, id="a narrow arc"),
        pytest.param(STRAIGHT, gaps(STRAIGHT, 60, 20), id="with gaps of 20 pixels"),
        pytest.param(STRAIGHT, beads(STRAIGHT, 12, 16.0), id="points 12 pixels apart"),
        pytest.param(STRAIGHT, np.linspace(30.0, 4.0, len(STRAIGHT)), id="fading"),
    ],
)
def test_a_scratch_is_one_line_of_its_length(truth: Points, amplitude: float | np.ndarray) -> None:
    (line,) = lines_of(find(frame((truth, amplitude, 2.3))))
    assert aside(line, truth) < 1.0
    assert length(line) == pytest.approx(length(truth), rel=0.02, abs=8)


def test_runs_in_line_are_traced_one_by_one_for_merging_to_join() -> None:
    found = lines_of(find(frame((STRAIGHT, runs(STRAIGHT, 110, 50), 2.3))))
    lit = np.count_nonzero(runs(STRAIGHT, 110, 50))
    assert 0.9 * lit < sum(map(length, found)) < length(STRAIGHT)
    for line in found:
        assert aside(line, STRAIGHT) < 5.0  # in the dark nothing guides it


@pytest.mark.parametrize("fwhm_px", [2.0, 3.0, 4.5])
def test_the_apparent_width_is_that_of_the_cross_section(fwhm_px: float) -> None:
    found = find(frame((STRAIGHT, 12.0, fwhm_px)))
    (measures,) = measures_of(found)
    assert measures.width == pytest.approx(fwhm_px, rel=0.12)


def test_contrast_counts_sigmas_of_the_noise() -> None:
    weak, bright = (
        measures_of(find(frame((STRAIGHT, level, 3.0))))[0].contrast for level in (6.0, 60.0)
    )
    # 0.87: mean within a pixel of the crest; between pixels the noise is a little less
    assert weak == pytest.approx(6.0 * 0.87 / 1.5, rel=0.25)
    assert bright == pytest.approx(10 * weak, rel=0.15)


def test_a_camera_of_more_bits_shows_the_same_line() -> None:
    (eight,) = lines_of(find(frame((STRAIGHT, 6.0, 2.3))))
    (twelve,) = lines_of(find(frame((STRAIGHT, 6.0, 2.3), gain=16)))
    assert aside(twelve, STRAIGHT) < 1.0
    assert length(twelve) == pytest.approx(length(eight), rel=0.01)


def test_lines_that_cross_stay_two() -> None:
    one, other = straight((100, 100), (650, 640)), straight((120, 640), (660, 130))
    found = lines_of(find(frame((one, 7.0, 2.3), (other, 9.0, 2.3))))
    assert sorted(round(length(line), -1) for line in found) == pytest.approx(
        sorted([length(one), length(other)]), abs=15
    )


def test_neighbours_twelve_pixels_apart_stay_two() -> None:
    one, other = straight((100, 300), (650, 330)), straight((100, 312), (650, 342))
    assert len(lines_of(find(frame((one, 8.0, 2.3), (other, 8.0, 2.3))))) == 2


@pytest.mark.parametrize(
    ("vertices", "amplitude"),
    [
        pytest.param(np.array([[300.0, 300.0], [301.0, 300.0]]), 90.0, id="a speck"),
        pytest.param(straight((300, 300), (308, 304)), 40.0, id="too short to be measured"),
        pytest.param(arc(30.0, 3.5, (350.0, 350.0)), 30.0, id="a curled fibre"),
        pytest.param(straight((300, 300), (301, 300)), 0.0, id="nothing"),
    ],
)
def test_what_is_no_scratch_gives_no_line(vertices: Points, amplitude: float) -> None:
    assert not lines_of(find(frame((vertices, amplitude, 2.3))))


def test_specks_strewn_by_the_hundred_give_no_line() -> None:
    rng = np.random.default_rng(4)
    places = rng.uniform(20, SIDE - 20, (600, 1, 2))  # ten on every 100 x 100 pixels
    specks = [(place + np.array([[-0.3], [0.3]]), 40.0, 1.2) for place in places]
    assert sum(map(length, lines_of(find(frame(*specks))))) < 40


def test_only_positive_windows_are_searched() -> None:
    truth = straight((50.0, 380.5), (720.0, 380.5))
    pixels = frame((truth, 10.0, 2.3))
    (line,) = lines_of(find(pixels, np.array([[256, 256]], np.int32)))
    assert (line[:, 0] >= 256 - 12).all()
    assert (line[:, 0] <= 512 + 12).all()
    assert length(line) == pytest.approx(256, abs=24)
    assert not len(find(pixels, np.empty((0, 2), np.int32)).counts)


def test_a_line_to_the_frames_border_is_traced_up_to_it() -> None:
    truth = straight((0.0, 200.0), (SIDE, 420.0))
    (line,) = lines_of(find(frame((truth, 8.0, 2.3))))
    assert length(line) == pytest.approx(length(truth), abs=8)


@pytest.mark.parametrize("shape", [(257, 301), (256, 256)])
@pytest.mark.parametrize("level", [0, 7, 255])
def test_an_even_frame_of_any_size_has_no_line(shape: tuple[int, int], level: int) -> None:
    pixels = np.full(shape, level, np.uint8)
    assert not len(find(pixels, np.array([[0, 0], [1, 45]], np.int32)[: shape[0] - 255]).counts)


def test_the_same_windows_give_the_same_bytes_in_any_order() -> None:
    pixels = frame((STRAIGHT, 6.0, 2.3), (arc(300.0, 1.2, (150.0, 150.0)), 6.0, 2.3))
    one, other = find(pixels), find(pixels.copy(), ORIGINS[::-1].copy())
    assert one.model_dump() == other.model_dump()
