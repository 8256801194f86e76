"""What lies on an optic and is no scratch: dust, digs, hairs and fibres."""

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.simulation.element._curves import HAIR_STEP_PX, draw_hair_shape, texture
from darkscan.simulation.element._draws import chance, chances, log_uniform, log_uniforms
from darkscan.simulation.element._dust import draw_specks, scatter
from darkscan.simulation.element.kinds import Kind, KindMap
from darkscan.simulation.element.looks import Look
from darkscan.simulation.element.strokes import Strokes, add_line, add_spots

_MOST_DIRT = 100.0  # specks in 10^4 px; the dirtiest surface measured had 48
_LONGEST_GRAIN_PX = 8.0  # a longer one would be a short scratch
_SEEN_SIGMAS = 3.0  # fainter specks are not seen


def add_clutter(
    image: Float32Array,
    canvas: Float32Array,
    look: Look,
    kinds: KindMap,
    rng: np.random.Generator,
) -> list[str]:
    """Adds what lies upon scratches or beside them, and names it, most frequent first."""
    names = ["dust"]
    specks = _specks(rng, look)
    add_spots(image, specks)
    _mark(kinds, Kind.DUST, specks, look)
    if chance(rng, 0.15 * look.crowd):
        cluster = _dig_cluster(rng, look)
        add_spots(image, cluster)
        _mark(kinds, Kind.DIG, cluster, look)
        names.append("digs")
    for _ in range(int(rng.poisson(look.windows * look.crowd * 0.5))):
        hair = draw_hair(rng, look)
        add_line(image, hair, canvas)
        kinds.line(Kind.FIBRE, np.concatenate([hair.start, hair.end[-1:]]))
        names.append("hair")
    for _ in range(int(rng.poisson(look.windows * look.crowd * 0.6))):
        add_spots(image, _dig(rng, look, kinds))
        names.append("dig")
    return names


def draw_hair(rng: np.random.Generator, look: Look) -> Strokes:
    """A hair or fibre: strongly bent or curled, often bright."""
    place = (float(rng.uniform(0, look.side_px)), float(rng.uniform(0, look.side_px)))
    longest = 400.0 if chance(rng, 0.2) else 105.0
    length = float(np.clip(36 + rng.gamma(2.0, 14.0 * longest / 105.0), 36, longest))
    vertices = draw_hair_shape(rng, place, length)
    run = texture(rng, len(vertices), HAIR_STEP_PX, variation=float(rng.uniform(0.1, 0.5)))
    return Strokes.along(
        vertices, run * look.sigma * log_uniform(rng, 2.5, 40), rng.uniform(1.2, 5.0)
    )


def _specks(rng: np.random.Generator, look: Look) -> Strokes:
    density = 0.0
    if chance(rng, 0.35):
        density = log_uniform(rng, 8.0, _MOST_DIRT) * max(look.crowd, look.contrast)
    elif chance(rng, 0.85):
        density = log_uniform(rng, 0.3, _MOST_DIRT) * look.crowd
    size = (float(look.side_px), float(look.side_px))
    centres = scatter(rng, size, density, float(rng.uniform(0, 0.5)))
    specks = draw_specks(rng, centres)
    if not look.wide and chance(rng, 0.5):
        return specks
    # Other optics and lenses: sharper or softer, weaker or brighter than those measured.
    count = len(centres)
    softness = log_uniform(rng, 0.6, 2.0)
    sigma = np.clip(specks.sigma * softness, 0.25, 5.0)
    peak = look.sigma * log_uniforms(rng, 2.0, log_uniform(rng, 20, 150), count)
    longest = np.minimum(2.0 * sigma, _LONGEST_GRAIN_PX)
    stretch = rng.uniform(0, 1, count) * chances(rng, 0.5, count) * longest
    return Strokes.spots(centres, peak, sigma, stretch[:, None] * _directions(rng, count))


def _dig_cluster(rng: np.random.Generator, look: Look) -> Strokes:
    """A patch of digs close together, as a blow or a residue leaves it."""
    count = int(rng.integers(10, 120))
    middle = rng.uniform(0, look.side_px, 2)
    width = np.exp(rng.uniform(np.log(6), np.log(50), 2))
    turn = float(rng.uniform(0, np.pi))
    spread = rng.standard_normal((count, 2)) * width
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    peak = look.sigma * log_uniforms(rng, 2.0, 60, count)
    sigma = rng.uniform(0.4, 2.2, count)
    return Strokes.spots(middle + spread @ rotation.T, peak, sigma)


def _dig(rng: np.random.Generator, look: Look, kinds: KindMap) -> Strokes:
    """A dig or a large grain: a flat bright core within a halo."""
    centre = rng.uniform(0, look.side_px, (1, 2))
    sigma = np.array([log_uniform(rng, 1.2, 9.0)])
    peak = np.array([look.sigma * log_uniform(rng, 4, 200)])
    stretch = sigma * rng.uniform(0, 2) * _directions(rng, 1)
    kinds.disc(Kind.DIG, (float(centre[0, 0]), float(centre[0, 1])), 2.0 * float(sigma[0]))
    core = Strokes.spots(centre, peak, sigma, stretch)
    halo = Strokes.spots(centre, rng.uniform(0.0, 0.2) * peak, sigma * rng.uniform(2.5, 5))
    return core.and_those(halo)


def _directions(rng: np.random.Generator, count: int) -> Float64Array:
    angle = rng.uniform(0, np.pi, count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _mark(kinds: KindMap, kind: Kind, spots: Strokes, look: Look) -> None:
    seen = spots.amplitude[:, 0] > _SEEN_SIGMAS * look.sigma
    kinds.spots(kind, (spots.start[seen] + spots.end[seen]) / 2.0)
