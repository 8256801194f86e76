"""Simulated scratches: what a line says of itself, measured on its light alone."""

import numpy as np
import pytest

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element import scratches
from darkscan.simulation.element.scratches import (
    KINDS,
    Line,
    Stage,
    add_scratches,
)

SIDE, SIGMA, HEADROOM = 256, 1.5, 200.0
FWHM_OF_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
LIT = 0.2  # of the brightest, as a line counts it
STEP_PX = 4.0  # between two vertices at most


def drawn(
    kind: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, contrast: float = 1.0
) -> tuple[Float32Array, list[Line]]:
    """The light (256, 256) of one scratch, or of the several of one swirl."""
    monkeypatch.setattr(scratches, "KINDS", {kind: 1.0})
    light = np.zeros((SIDE, SIDE), np.float32)
    canvas = np.zeros_like(light)
    lines = add_scratches(light, canvas, Stage(SIDE, SIGMA, contrast, HEADROOM), 1, rng)
    assert not canvas.any()
    return light, lines


def plain(line: Line) -> bool:
    """Whether it has neither a halo nor a flat top nor beads that run into each other."""
    return line.cnr * SIGMA <= HEADROOM and line.fwhm <= 4.0


def away_from(points: Float64Array, vertices: Float64Array) -> tuple[Float64Array, Float64Array]:
    """How far points (N, 2) lie from a polyline, and at which part of it, 0 to 1."""
    place = np.arange(0, len(vertices) - 1, 0.05)
    number = np.arange(len(vertices))
    along = np.stack([np.interp(place, number, axis) for axis in vertices.T], axis=1)
    square = np.square(points[:, None] - along).sum(axis=2)
    away: Float64Array = np.sqrt(square.min(axis=1))
    return away, square.argmin(axis=1).astype(np.float64) / (len(place) - 1)


def extent(points: Float64Array) -> float:
    """How far points (N, 2) reach along their longest axis, pixels."""
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return float(np.ptp(points @ axes[0]))


def pixels_above(light: Float32Array, level: float) -> tuple[Float64Array, Float64Array]:
    """The middles (N, 2) of pixels with more light, x and y, and their light (N,)."""
    rows, columns = np.nonzero(light > level)
    middles = np.stack([columns, rows], axis=1).astype(np.float64) + 0.5
    return middles, light[rows, columns].astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_its_signal_to_noise_is_the_root_of_the_sum_over_its_pixels(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    ratios: list[float] = []
    while len(ratios) < 15:
        light, lines = drawn(kind, rng, monkeypatch)
        if all(plain(line) for line in lines):
            said = np.sqrt(sum(line.snr**2 for line in lines))
            ratios.append(np.sqrt(np.square(light, dtype=np.float64).sum()) / SIGMA / said)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.03)
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.15)  # sharp ones between pixels


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "swirl"])
def test_it_is_as_wide_as_it_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    ratios: list[float] = []
    while len(ratios) < 10:
        light, (line,) = drawn(kind, rng, monkeypatch)
        points, levels = pixels_above(light, 0.0)
        if not plain(line) or len(points) < 20:
            continue
        away, place = away_from(points, line.vertices)
        section = (place > 0.02) & (place < 0.98)  # past the ends its light is round
        if not section.any():
            continue
        spread = np.sqrt((levels * away**2)[section].sum() / levels[section].sum())
        ratios.append(FWHM_OF_SIGMA * spread / line.fwhm)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.05)
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.15)


@pytest.mark.parametrize("kind", ["straight", "curved", "tapered", "gappy", "dashed"])
def test_it_is_lit_as_far_as_it_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    seen = 0
    while seen < 12:
        light, (line,) = drawn(kind, rng, monkeypatch)
        inside = np.all((line.vertices > 0) & (line.vertices < SIDE), axis=1)
        lit = line.vertices[inside & (line.lit > 0)]
        if not plain(line) or len(lit) < 2 or not inside[np.argmax(line.lit)]:
            continue
        seen += 1
        bright, _ = pixels_above(light, LIT * float(light.max()))
        assert extent(bright) == pytest.approx(extent(lit), abs=2.0 * line.fwhm + 4.0)
        away, _ = away_from(bright, line.vertices)
        assert away.max() < 1.5 * line.fwhm + STEP_PX + 1.0


@pytest.mark.parametrize("contrast", [0.0, 1.0], ids=["easy", "hard"])
def test_none_is_shorter_or_weaker_than_an_eye_sees(contrast: float) -> None:
    rng = np.random.default_rng(6)
    light = np.zeros((SIDE, SIDE), np.float32)
    stage = Stage(SIDE, SIGMA, contrast, HEADROOM)
    lines = add_scratches(light, np.zeros_like(light), stage, 150, rng)
    lengths = np.array([np.hypot(*np.diff(one.vertices, axis=0).T).sum() for one in lines])
    whole = np.array([line.kind in {"straight", "curved"} for line in lines])
    assert lengths[whole].min() >= SHORTEST_PX - 4.0  # less what has faded at its ends
    assert min(line.fwhm for line in lines) >= 0.7
    assert max(line.fwhm for line in lines) <= 12.0
    # Only light beyond white, which no camera could show, keeps a tiny one from its ratio.
    enough = [line.snr for line in lines if line.cnr * SIGMA < HEADROOM]
    assert min(enough) >= 5.4
    assert set(KINDS) == {line.kind for line in lines}
    if contrast == 1.0:
        assert 0.2 < np.mean(lengths < 60.0) < 0.5
        assert np.mean(np.array([line.snr for line in lines]) < 20.0) > 0.3
    else:
        assert np.median(lengths) > 150.0
        assert np.median([line.snr for line in lines]) > 25.0


def test_some_are_as_broad_as_scattered_light_where_it_is_asked_for() -> None:
    rng = np.random.default_rng(7)
    light = np.zeros((SIDE, SIDE), np.float32)
    stage = Stage(SIDE, SIGMA, 1.0, HEADROOM, broad=True)
    lines = add_scratches(light, np.zeros_like(light), stage, 200, rng)
    assert 12.0 < max(line.fwhm for line in lines) <= 30.0


@pytest.mark.parametrize("kind", ["tapered", "dashed", "gappy"])
def test_it_runs_from_its_first_lit_place_to_its_last(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    for _ in range(30):
        _, (line,) = drawn(kind, rng, monkeypatch)
        assert len(line.vertices) == len(line.lit) >= 2
        assert line.lit.any()
        assert len(line.lit) == 2 or (line.lit[0] > 0 and line.lit[-1] > 0)


def test_what_is_inside_and_what_shows_are_lengths_of_the_lit_line() -> None:
    vertices = np.stack([np.arange(41.0), np.full(41, 10.0)], axis=1)
    lit = (np.arange(41) < 21).astype(float)
    line = Line("gappy", vertices, lit, fwhm=4.0, cnr=5.0, snr=20.0)
    assert line.inside_px(0, 0, 256, 4) == pytest.approx(17.0, abs=1.0)
    assert line.showing_px(0, 0, 256) == pytest.approx(21.0, abs=1.0)
    assert line.inside_px(0, 11, 256, 0) == 0
    assert line.showing_px(0, 11, 256) == pytest.approx(21.0, abs=1.0)  # its flank
    assert line.showing_px(0, 13, 256) == 0
