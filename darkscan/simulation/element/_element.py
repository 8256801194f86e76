"""Draws an element's scratches, hairs and digs as a polished optic has them."""

from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element._curves import (
    HAIR_STEP_PX,
    Bends,
    Waypoint,
    beads,
    curve,
    dashes,
    draw_hair_shape,
    fading,
    texture,
)
from darkscan.simulation.element._draws import chance, log_normal, log_uniform
from darkscan.simulation.element.element_truth import (
    Dig,
    ElementTruth,
    HairKind,
    ScratchKind,
    Trace,
)

_SQUARE_PX = 2048.0**2  # densities are counted per so many pixels
_STEP_PX = 5.0
_FINE_STEP_PX = 1.5
_SHORT_PX = 60.0  # of a shorter scratch every pixel counts
_LONGEST = 0.9  # the longest scratch over the element's diagonal
_SHARES: dict[ScratchKind, float] = {
    "straight": 0.28,
    "curved": 0.21,
    "tapered": 0.15,
    "gappy": 0.12,
    "dashed": 0.07,
    "discontinuous": 0.10,
    "swirl": 0.07,
}
_LONG_KINDS = {"gappy": 60.0, "dashed": 60.0, "discontinuous": 80.0, "swirl": 60.0}
"""The least length in pixels of kinds that a shorter line would not show."""
_Shape = tuple[ScratchKind | HairKind, Float64Array, Float64Array, float]
"""Kind, vertices (K, 2) and amplitudes (K,) along it, and full width at half maximum."""


@dataclass(frozen=True)
class ElementPreset:
    """How much of everything there is on 2048 x 2048 px of an element."""

    scratches: float
    hairs: float
    digs: float
    dust_per_10k_px: tuple[float, float]
    bright: float = 0.25  # share of bright scratches; the others are weak
    certain: bool = True  # with the three scratches that make a demonstration


PRESETS = {
    "optic": ElementPreset(3.0, 4.0, 3.0, (1.0, 12.0)),
    "clean": ElementPreset(0.4, 1.0, 0.5, (1.0, 2.0)),
    "dirty": ElementPreset(6.0, 15.0, 12.0, (30.0, 50.0)),
    "weak": ElementPreset(10.0, 8.0, 6.0, (3.0, 30.0), bright=0.12, certain=False),
}


def simulate_element(size_px: tuple[int, int], seed: int, preset: str = "optic") -> ElementTruth:
    """Draws the ground truth of an element of (width, height) pixels.

    The same arguments give the same truth. Every element but a "weak" one has a bright
    straight scratch across most of it, a weak curved and a weak discontinuous one.
    Raises InputError.
    """
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise InputError(f"unknown preset {preset!r}, known are {known}", field="preset")
    if min(size_px) < 1 or seed < 0:
        raise InputError(f"size {size_px} must be positive and seed {seed} no less than 0")
    rng = np.random.default_rng([seed, 0xE1E])
    amounts = PRESETS[preset]
    squares = size_px[0] * size_px[1] / _SQUARE_PX
    shapes = [
        *_draw_scratches(rng, size_px, amounts, int(rng.poisson(amounts.scratches * squares))),
        *_draw_hairs(rng, size_px, int(rng.poisson(amounts.hairs * squares))),
    ]
    return ElementTruth(
        size_px=size_px,
        seed=seed,
        preset=preset,
        dust_per_10k_px=log_uniform(rng, *amounts.dust_per_10k_px),
        traces=tuple(Trace(number, *shape) for number, shape in enumerate(shapes)),
        digs=_draw_digs(rng, size_px, int(rng.poisson(amounts.digs * squares))),
    )


def _draw_scratches(
    rng: np.random.Generator, size_px: tuple[int, int], amounts: ElementPreset, count: int
) -> list[_Shape]:
    shapes = _draw_certain_scratches(rng, size_px) if amounts.certain else []
    kinds = list(_SHARES)
    shares = np.array(list(_SHARES.values()))
    for _ in range(count - len(shapes)):
        kind = kinds[int(rng.choice(len(kinds), p=shares))]
        place, heading = _place(rng, size_px), float(rng.uniform(0, 2 * np.pi))
        bright = chance(rng, amounts.bright)
        for _ in range(int(rng.integers(3, 8)) if kind == "swirl" else 1):
            near = Waypoint(
                x=place[0] + rng.normal(0, 40),
                y=place[1] + rng.normal(0, 40),
                heading=heading + float(rng.normal(0, 0.15)),
            )
            length = _draw_length(rng, size_px)
            shapes.append(_draw_scratch(rng, kind, near, length, bright=bright))
    return shapes


def _draw_certain_scratches(rng: np.random.Generator, size_px: tuple[int, int]) -> list[_Shape]:
    """The three that no element is without, anchored in its middle half."""
    shapes = []
    certain: tuple[tuple[ScratchKind, bool, float], ...] = (
        ("straight", True, 0.7 * float(np.hypot(*size_px))),  # crosses several frames
        ("curved", False, 700.0),
        ("discontinuous", False, 500.0),
    )
    for kind, bright, length in certain:
        waypoint = Waypoint(
            x=size_px[0] * rng.uniform(0.25, 0.75),
            y=size_px[1] * rng.uniform(0.25, 0.75),
            heading=float(rng.uniform(0, 2 * np.pi)),
        )
        length_px = min(length, _LONGEST * float(np.hypot(*size_px)), 6000.0)
        shapes.append(_draw_scratch(rng, kind, waypoint, length_px, bright=bright))
    return shapes


def _draw_scratch(
    rng: np.random.Generator,
    kind: ScratchKind,
    waypoint: Waypoint,
    length_px: float,
    *,
    bright: bool,
) -> _Shape:
    discontinuous = kind == "discontinuous"
    length_px = max(length_px, _LONG_KINDS.get(kind, 0.0))
    fine = discontinuous or kind == "dashed" or length_px < _SHORT_PX
    step = _FINE_STEP_PX if fine else _STEP_PX
    radius = {"swirl": rng.uniform(100, 400), "curved": rng.uniform(400, 4000)}.get(kind, 2e4)
    bends = Bends(
        curvature=float(rng.choice([-1.0, 1.0]) / radius) if kind != "swirl" else 1.0 / radius,
        wander=float(rng.uniform(0, 3e-5 if kind == "straight" else 2e-4)),
        wander_px=200.0,
    )
    length_px = min(length_px, 350.0) if kind == "swirl" else length_px
    vertices = curve(rng, waypoint, length_px, step, bends)
    amplitude = _draw_amplitude(rng, bright=bright)
    if discontinuous:
        sigma = float(rng.uniform(0.8, 1.6))
        run = beads(rng, len(vertices), step, period_px=float(rng.uniform(8, 16)), sigma_px=sigma)
        amplitude *= 1.5
    else:
        gaps = float(rng.uniform(0.1, 0.36)) if kind == "gappy" else 0.0
        variation = float(rng.uniform(0.2, 0.5))
        taper = min(12.0, length_px / 6)
        run = texture(
            rng, len(vertices), step, variation=variation, gap_fraction=gaps, taper_px=taper
        )
        if kind == "tapered":
            run *= fading(rng, len(vertices))
        elif kind == "dashed":
            run *= dashes(rng, len(vertices), step)
    fwhm = log_normal(rng, 2.25, 0.25, 1.6, 3.3)
    return kind, np.round(vertices, 3), np.round(run * amplitude, 3), round(fwhm, 3)


def _draw_hairs(rng: np.random.Generator, size_px: tuple[int, int], count: int) -> list[_Shape]:
    shapes: list[_Shape] = []
    for _ in range(count):
        kind: HairKind = "fibre" if chance(rng, 0.5) else "hair"
        median = 105.0 if kind == "fibre" else 36.0
        length = log_normal(rng, median, 0.3, 25, 160)
        vertices = draw_hair_shape(rng, _place(rng, size_px), length)
        run = texture(rng, len(vertices), HAIR_STEP_PX, variation=float(rng.uniform(0.1, 0.4)))
        amplitude = log_uniform(rng, 6, 50)
        fwhm = float(rng.uniform(1.8, 5.0))
        shapes.append((kind, np.round(vertices, 3), np.round(run * amplitude, 3), round(fwhm, 3)))
    return shapes


def _draw_digs(rng: np.random.Generator, size_px: tuple[int, int], count: int) -> tuple[Dig, ...]:
    digs = []
    for number in range(count):
        x, y = _place(rng, size_px)
        radius = log_uniform(rng, 2, 9)
        peak = log_uniform(rng, 25, 230)
        digs.append(Dig(number, round(x, 3), round(y, 3), round(radius, 3), round(peak, 3)))
    return tuple(digs)


def _draw_amplitude(rng: np.random.Generator, *, bright: bool) -> float:
    return log_uniform(rng, 12, 80) if bright else log_normal(rng, 6.0, 0.3, 3.5, 8.5)


def _draw_length(rng: np.random.Generator, size_px: tuple[int, int]) -> float:
    longest = _LONGEST * float(np.hypot(*size_px))
    if chance(rng, 0.1):
        return min(log_uniform(rng, 1000, 6000), longest)
    if chance(rng, 0.4):  # as weak ones were measured: 17, 38 and 119 px at 10, 50 and 90 %
        return min(log_normal(rng, 38.0, 0.76, SHORTEST_PX, 300.0), longest)
    return min(log_normal(rng, 160.0, 0.9, SHORTEST_PX, 3000.0), longest)


def _place(rng: np.random.Generator, size_px: tuple[int, int]) -> tuple[float, float]:
    return float(rng.uniform(0, size_px[0])), float(rng.uniform(0, size_px[1]))
