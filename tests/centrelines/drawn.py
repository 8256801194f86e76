"""Frames with lines drawn at known places, on even noise."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.centrelines import Windows, trace_frame
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import Centrelines, LineMeasures
from darkscan.pipeline.core.grid import window_origins
from darkscan.simulation.element.strokes import Strokes, add_line

WINDOW = 256
SIDE = 768
ORIGINS = window_origins((SIDE, SIDE), WINDOW, 128)
NOISE = 1.5

Points = npt.NDArray[np.float64]


def frame(
    *lines: tuple[Points, npt.NDArray[np.float64] | float, float], seed: int = 0, gain: int = 1
) -> Pixels:
    """Noise on a slope, and lines of (vertices (K, 2), amplitude, full width at half maximum).

    ``gain`` above 1 makes a camera of more bits: uint16.
    """
    y, x = np.mgrid[:SIDE, :SIDE]
    light = (20.0 + 0.01 * x + 0.02 * y).astype(np.float32)
    for vertices, amplitude, fwhm_px in lines:
        along = np.broadcast_to(np.asarray(amplitude, np.float64), len(vertices)).copy()
        add_line(light, Strokes.along(vertices, along, fwhm_px), np.zeros_like(light))
    noise = np.random.default_rng(seed).normal(0.0, NOISE, light.shape)
    levels = np.clip(np.rint((light + noise) * gain), 0, 255 * gain)
    pixels: Pixels = levels.astype(np.uint8) if gain == 1 else levels.astype(np.uint16)
    return pixels


def straight(start: tuple[float, float], end: tuple[float, float]) -> Points:
    return np.linspace(start, end, 2 + int(np.hypot(end[0] - start[0], end[1] - start[1])))


def arc(radius: float, sweep: float, centre: tuple[float, float]) -> Points:
    angle = np.linspace(0.2, 0.2 + sweep, 2 + int(radius * sweep))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + centre


def length(points: Points) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def find(
    pixels: Pixels,
    origins: npt.NDArray[np.int32] = ORIGINS,
    maps: npt.NDArray[np.float32] | None = None,
) -> Centrelines:
    """The lines in a frame all of whose windows are positive, with line maps or without."""
    full_scale = 255 if pixels.dtype == np.uint8 else 4080
    windows = Windows(origins, WINDOW, np.ones(len(origins), np.bool_), maps)
    return trace_frame(pixels, full_scale, windows).lines


def measures_of(found: Centrelines) -> list[LineMeasures]:
    return [LineMeasures(*row) for row in found.measures.tolist()]


def lines_of(found: Centrelines, *, bent: bool = False) -> list[Points]:
    """The points of each line, those that are bent as hairs left out unless they are wanted."""
    return [
        points.astype(np.float64)
        for points, measures in zip(found.parts, measures_of(found), strict=True)
        if bent or not measures.bent
    ]


def aside(line: Points, truth: Points) -> float:
    """How far nine tenths of a line are at most from a densely sampled true one, pixels."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, along[-1], 200)
    points = np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)
    distance = np.hypot(*(points[:, None] - truth[None]).transpose(2, 0, 1)).min(axis=1)
    return float(np.percentile(distance, 90))


STRAIGHT = straight((80.3, 120.7), (690.2, 500.4))

SCRATCHES = [
    pytest.param(STRAIGHT, 5.0, id="weak and straight"),
    pytest.param(STRAIGHT, 100.0, id="bright and straight"),
    pytest.param(straight((400.5, 100.0), (400.5, 650.0)), 6.0, id="upright"),
    pytest.param(straight((100.0, 300.5), (700.0, 300.5)), 6.0, id="level"),
    pytest.param(arc(300.0, 1.2, (150.0, 150.0)), 6.0, id="an arc"),
]
"""Where they run and how bright they are: what every search must find."""
