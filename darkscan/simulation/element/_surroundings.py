"""What scratches lie upon: uneven light, ghosts of lamps, rings out of focus, textures, edges."""

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element._draws import chance, log_uniform
from darkscan.simulation.element.kinds import Kind, KindMap
from darkscan.simulation.element.looks import Look

_BLINDING = 150.0  # grey levels: brighter glows are small, not to hide a scratch
_MARKED_SIGMAS = 1.0  # a glow is marked where it is brighter


def add_surroundings(
    image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator
) -> list[str]:
    """Adds what scratches lie upon, and names it, most frequent first."""
    names = []
    wide = look.wide
    if chance(rng, 0.3 if wide else 0.45):
        _darken_corners(image, rng)
    if chance(rng, look.crowd * 0.25):
        _add_fringes(image, look, rng)
        names.append("fringes")
    if wide and chance(rng, look.crowd * 0.35):
        _add_clouds(image, look, rng)
        names.append("clouds")
    for _ in range(look.windows):
        if chance(rng, look.crowd * (0.25 if wide else 0.12)):
            _add_glow(image, look, kinds, rng)
            names.append("glow")
        if chance(rng, look.crowd * 0.06):
            _add_ghost(image, look, kinds, rng)
            names.append("ghost")
    if chance(rng, 0.3):
        for _ in range(int(rng.integers(1, 2 + 2 * look.windows))):
            _add_ring(image, look, kinds, rng)
        names.append("ring")
    if chance(rng, look.crowd * (0.1 if wide else 0.04)):
        _add_edge(image, look, rng)
        names.append("edge")
    return names


def _darken_corners(image: Float32Array, rng: np.random.Generator) -> None:
    """Vignetting: the light falls off with the square of the distance from the lens's axis."""
    side = len(image)
    centre = rng.uniform(-0.3, 1.3, 2) * side
    fall = rng.uniform(0.02, 0.5) / side**2
    x, y = (np.arange(side) - middle for middle in centre)
    radius2 = np.float32(fall) * (x.astype(np.float32) ** 2 + y.astype(np.float32)[:, None] ** 2)
    image /= np.float32(1.0) + radius2


def _add_fringes(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """Interference: a faint wave, its crests straight or curved."""
    side = look.side_px
    angle = float(rng.uniform(0, 2 * np.pi))
    wave = 2 * np.pi / log_uniform(rng, 9.0, 150.0)
    x, y = np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32)[:, None]
    phase = x * np.float32(wave * np.cos(angle)) + y * np.float32(wave * np.sin(angle))
    if chance(rng, 0.5):
        bend = np.float32(rng.normal(0, 0.5) * wave / side)
        phase += bend * (x - side / 2) * (y - side / 2)
    height = look.sigma * log_uniform(rng, 0.05, 0.7 if wave < np.pi / 20 else 0.35)
    image += np.float32(height) * np.sin(phase)


def _add_clouds(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """A texture without scale, as of unpolished or sooty surfaces: noise of every coarseness."""
    side = look.side_px
    fall = float(rng.uniform(0.6, 1.2))
    clouds = np.zeros_like(image)
    for cells in (4, 8, 16, 32, 64, 128):
        grid = rng.standard_normal((cells, cells), dtype=np.float32) * np.float32(cells**-fall)
        clouds += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    clouds *= np.float32(look.sigma * log_uniform(rng, 0.5, 8.0) / max(float(clouds.std()), 1e-6))
    image += clouds
    np.maximum(image, 0.0, out=image)


def _add_glow(image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator) -> None:
    """A diffuse bright area whose centre may lie outside: large, or small and saturated."""
    x, y = rng.uniform(-0.2, 1.2, 2) * look.side_px
    turn, ratio = float(rng.uniform(0, np.pi)), float(rng.uniform(0.3, 1.0))
    peak = look.sigma * log_uniform(rng, 1.5, 200 if look.wide else 60)
    size = float(rng.uniform(15, 45 if peak > _BLINDING else 120))
    column = np.arange(look.side_px, dtype=np.float32)[None, :] - np.float32(x)
    row = np.arange(look.side_px, dtype=np.float32)[:, None] - np.float32(y)
    u = column * np.float32(np.cos(turn)) + row * np.float32(np.sin(turn))
    v = (row * np.float32(np.cos(turn)) - column * np.float32(np.sin(turn))) / np.float32(ratio)
    radius = np.sqrt(u * u + v * v) / np.float32(size)
    power = float(rng.choice([1.0, 1.5, 2.0]))
    image += np.float32(peak) * np.exp(-(radius ** np.float32(power)))
    seen = np.log(max(peak / (_MARKED_SIGMAS * look.sigma), 1.0)) ** (1.0 / power)
    kinds.disc(Kind.GLOW, (float(x), float(y)), size * float(seen) * ratio)


def _add_ghost(image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator) -> None:
    """A lamp's reflection: an even patch, round or square, with a soft or a sharp rim."""
    side = look.side_px
    centre, radius = rng.uniform(0, side, 2), log_uniform(rng, 12.0, 90.0)
    x, y = (np.arange(side, dtype=np.float32) - np.float32(middle) for middle in centre)
    stretch = np.float32(rng.uniform(0.4, 1.0))
    if chance(rng, 0.6):
        away = np.sqrt(x * x + (y[:, None] / stretch) ** 2)
    else:
        away = np.maximum(np.abs(x), np.abs(y[:, None]) / stretch)
    rim = np.float32(log_uniform(rng, 1.5, 25.0))
    patch = np.clip((np.float32(radius) - away) / rim + np.float32(0.5), 0.0, 1.0)
    image += patch * np.float32(look.sigma * log_uniform(rng, 0.5, 30.0))
    kinds.disc(Kind.GLOW, (float(centre[0]), float(centre[1])), radius * float(stretch))


def _add_ring(image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator) -> None:
    """Dust out of focus: the faint image of the lens's opening, often brighter at its rim."""
    radius = log_uniform(rng, 3.5, 22.0)
    reach = int(radius) + 4
    x, y = (int(place) for place in rng.integers(0, look.side_px, 2))
    low_x, low_y = max(0, x - reach), max(0, y - reach)
    part = image[low_y : y + reach + 1, low_x : x + reach + 1]
    rows, columns = np.indices(part.shape, dtype=np.float32)
    away = np.hypot(columns + low_x - x, rows + low_y - y)
    rim = np.float32(rng.uniform(1.0, 3.0))
    inside = np.clip((np.float32(radius) - away) / rim + np.float32(0.5), 0.0, 1.0)
    hollow = np.float32(rng.uniform(0.0, 1.0))
    body = np.float32(1.0) - hollow * np.clip(np.float32(1.0) - away / np.float32(radius), 0.0, 1.0)
    part += inside * body * np.float32(look.sigma * log_uniform(rng, 0.4, 8.0))
    kinds.disc(Kind.GLOW, (float(x), float(y)), radius)


def _add_edge(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """Darkens one side of a line through the image, like the rim of a mount or a shadow."""
    angle = float(rng.uniform(0, 2 * np.pi))
    if chance(rng, 0.6):
        angle = float(rng.choice([0.0, 0.5, 1.0, 1.5])) * np.pi
    place = np.arange(look.side_px) - rng.uniform(40, look.side_px - 40)
    side = place[None, :] * np.cos(angle) + place[:, None] * np.sin(angle)
    step = np.clip(side / rng.uniform(0.5, 6.0), -0.5, 0.5) + 0.5
    image *= (1.0 - (1.0 - log_uniform(rng, 0.1, 0.9)) * step).astype(np.float32)
