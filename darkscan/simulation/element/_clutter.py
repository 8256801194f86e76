"""Clutter, all that is no scratch: dust, hairs, tracks, stars, galaxies, edges."""

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.simulation.element._curves import HAIR_STEP_PX, draw_hair_shape, texture
from darkscan.simulation.element._draws import chance, chances, log_uniform, log_uniforms
from darkscan.simulation.element._dust import draw_specks, scatter
from darkscan.simulation.element.looks import Look
from darkscan.simulation.element.strokes import Strokes, add_line, add_spots

LONGEST_TRACK_PX = {False: 30.0, True: 38.0}  # in the optic and in the wide look
_LONG_TRACK_PX = (38.0, 280.0)  # the few tracks that graze the sensor
_SHARPEST_OPTICS_PX = 0.5  # sigma: light through a lens is never sharper, charge may be
_BLINDING = 150.0  # grey levels: brighter glows are small, not to hide a scratch


def add_surroundings(image: Float32Array, look: Look, rng: np.random.Generator) -> list[str]:
    """Adds what scratches lie upon, glows and steps in brightness, and names it."""
    names = []
    for _ in range(look.windows):
        if chance(rng, look.crowd * (0.3 if look.wide else 0.12)):
            _add_glow(image, look, rng)
            names.append("diffuse")
    if chance(rng, look.crowd * (0.1 if look.wide else 0.04)):
        _add_step(image, look, rng)
        names.append("edge")
    return names


def add_clutter(
    image: Float32Array, canvas: Float32Array, look: Look, rng: np.random.Generator
) -> list[str]:
    """Adds what lies upon scratches or beside them, and names it, most frequent first."""
    names = ["dust"]
    add_spots(image, _specks(rng, look))
    if look.wide:
        add_spots(image, _stars(rng, look))
        for _ in range(look.windows):
            names += _add_large_stars(image, look, rng)
    tracks = _tracks(rng, look)
    if len(tracks):
        add_spots(image, tracks)
        names.append("tracks")
    for _ in range(look.windows if look.wide else 0):
        if chance(rng, 0.2 * look.crowd):
            add_spots(image, _long_tracks(rng, look))
            names.append("long track")
    for _ in range(int(rng.poisson(look.windows * look.crowd * (0.35 if look.wide else 1.1)))):
        add_line(image, draw_hair(rng, look), canvas)
        names.append("hair")
    for _ in range(int(rng.poisson(look.windows * look.crowd * 0.6))):
        add_spots(image, _blob(rng, look))
        names.append("blob")
    return names + _add_sensor_faults(image, look, rng)


def _add_large_stars(image: Float32Array, look: Look, rng: np.random.Generator) -> list[str]:
    names = []
    for name, share, draw in (
        ("star cloud", 0.35, _star_cloud),
        ("giant star", 0.3, _giant_star),
        ("spindle", 0.25, _spindles),
    ):
        if chance(rng, share * look.crowd):
            add_spots(image, draw(rng, look))
            names.append(name)
    return names


def _add_sensor_faults(image: Float32Array, look: Look, rng: np.random.Generator) -> list[str]:
    names = []
    if chance(rng, look.crowd * (0.1 if look.wide else 0.04)):
        _cut(image, look, rng)
        names.append("dead rows")
    if chance(rng, look.crowd * 0.15):
        image *= _stripes(look, rng)
        names.append("stripes")
    if look.wide and chance(rng, look.crowd * 0.12):
        _add_row_noise(image, look, rng)
        names.append("row noise")
    if look.wide and chance(rng, look.crowd * 0.05):
        _add_bleeding(image, look, rng)
        names.append("bleeding")
    return names


def draw_hair(rng: np.random.Generator, look: Look) -> Strokes:
    """A hair or fibre: short, strongly curved, often bright."""
    place = (float(rng.uniform(0, look.side_px)), float(rng.uniform(0, look.side_px)))
    length = float(np.clip(36 + rng.gamma(2.0, 14.0), 36, 105))
    vertices = draw_hair_shape(rng, place, length)
    run = texture(rng, len(vertices), HAIR_STEP_PX, variation=float(rng.uniform(0.1, 0.5)))
    return Strokes.along(
        vertices, run * look.sigma * log_uniform(rng, 2.5, 30), rng.uniform(1.8, 5.0)
    )


def _directions(rng: np.random.Generator, count: int) -> Float64Array:
    angle = rng.uniform(0, np.pi, count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _specks(rng: np.random.Generator, look: Look) -> Strokes:
    density = log_uniform(rng, 1.0, 100.0 if look.wide else 50.0) * look.crowd
    size = (float(look.side_px), float(look.side_px))
    centres = scatter(rng, size, density, float(rng.uniform(0, 0.5)))
    specks = draw_specks(rng, centres)
    if not look.wide:
        return specks
    # Cosmic rays: sharp, mostly saturated, a few pixels long whatever their width.
    count = len(centres)
    sharp = float(rng.uniform(0.3, 0.6))
    sigma = np.where(chances(rng, 0.8, count), sharp, specks.sigma)
    peak = look.sigma * log_uniforms(rng, 4, 150, count)
    stretch = rng.exponential(float(rng.uniform(0.3, 2.5)), count)[:, None]
    return Strokes.spots(centres, peak, sigma, np.minimum(stretch, 12) * _directions(rng, count))


def _tracks(rng: np.random.Generator, look: Look) -> Strokes:
    """Short straight tracks: shorter than any scratch that counts."""
    most = log_uniform(rng, 1.0, 40.0) if look.wide else 1.3
    count = int(rng.poisson(look.windows * most * look.crowd))
    mean = float(rng.uniform(4, 14))
    length = np.minimum(5 + rng.exponential(mean, count), LONGEST_TRACK_PX[look.wide])
    top = 150.0 if look.wide else 40.0
    peak = look.sigma * log_uniforms(rng, 4, top, count)
    sigma = rng.uniform(0.3, 0.7, count)
    centres = rng.uniform(0, look.side_px, (count, 2))
    return Strokes.spots(centres, peak, sigma, length[:, None] * _directions(rng, count))


def _long_tracks(rng: np.random.Generator, look: Look) -> Strokes:
    """Cosmic rays along the sensor: as long as scratches, but sharper than any lens draws."""
    count = int(rng.integers(1, 3))
    length = log_uniforms(rng, *_LONG_TRACK_PX, count)
    peak = look.sigma * log_uniforms(rng, 10, 150, count)
    sigma = rng.uniform(0.25, _SHARPEST_OPTICS_PX, count)
    centres = rng.uniform(0, look.side_px, (count, 2))
    return Strokes.spots(centres, peak, sigma, length[:, None] * _directions(rng, count))


def _stars(rng: np.random.Generator, look: Look) -> Strokes:
    """Stars: a core, a halo and faint wings, some with short diffraction spikes."""
    count = int(rng.poisson(look.windows * log_uniform(rng, 0.5, 20.0) * look.crowd))
    centres = rng.uniform(0, look.side_px, (count, 2))
    peak = look.sigma * log_uniforms(rng, 2, 40, count)
    peak[chances(rng, 0.05, count)] *= 12.0
    sigma = rng.uniform(0.7, 1.6) * rng.uniform(0.9, 1.2, count)
    bright = np.flatnonzero(peak > 60 * look.sigma)
    turn = float(rng.uniform(0, np.pi / 2))
    arms = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    spike = np.repeat(arms, len(bright), axis=0) * log_uniform(rng, 8, 70)
    parts = [
        Strokes.spots(centres, peak, sigma),
        Strokes.spots(centres, 0.15 * peak, 2.5 * sigma),
        Strokes.spots(centres, 0.015 * peak, 8.0 * sigma),
        Strokes.spots(
            np.tile(centres[bright], (2, 1)),
            0.05 * np.tile(peak[bright], 2),
            np.full(2 * len(bright), 0.8),
            spike,
        ),
    ]
    return _together(parts)


def _giant_star(rng: np.random.Generator, look: Look) -> Strokes:
    """A saturated star within its halo, with long diffraction spikes; it may lie outside."""
    centre = rng.uniform(-60, look.side_px + 60, 2)
    peak = look.sigma * log_uniform(rng, 100, 3000)
    sigma = log_uniform(rng, 1.2, 4.0)
    arms = int(rng.choice([4, 4, 4, 6]))
    angle = float(rng.uniform(0, np.pi)) + 2 * np.pi * np.arange(arms) / arms
    length = log_uniform(rng, 25, 160) * rng.uniform(0.7, 1.2, arms)
    tips = centre + length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    glow = peak * rng.uniform(0.005, 0.08, arms)
    spikes = Strokes(
        np.repeat(centre[None], arms, axis=0),
        tips,
        np.stack([glow, 0.05 * glow], axis=1),
        np.full(arms, log_uniform(rng, 0.7, 2.0)),
    )
    disc = Strokes.spots(
        np.repeat(centre[None], 3, axis=0),
        peak * np.array([1.0, 0.05, 0.003]),
        sigma * np.array([1.0, 2.5, 7.0]),
    )
    return _together([disc, spikes])


def _spindles(rng: np.random.Generator, look: Look) -> Strokes:
    """Smudges drawn out to a spindle, as galaxies on edge are: broad, soft, short."""
    count = int(rng.integers(1, 4))
    sigma = rng.uniform(1.8, 6.0, count)
    stretch = (sigma * rng.uniform(1.5, 6.0, count))[:, None] * _directions(rng, count)
    peak = look.sigma * log_uniforms(rng, 0.8, 15, count)
    centres = rng.uniform(0, look.side_px, (count, 2))
    return _together(
        [
            Strokes.spots(centres, peak, sigma, stretch),
            Strokes.spots(centres, peak, 0.6 * sigma, 0.4 * stretch),
        ]
    )


def _star_cloud(rng: np.random.Generator, look: Look) -> Strokes:
    """A clump of faint knots on a glow of their own."""
    count = int(rng.integers(30, 300))
    middle = rng.uniform(0, look.side_px, 2)
    width = rng.uniform(10, 60, 2)
    turn = float(rng.uniform(0, np.pi))
    spread = rng.standard_normal((count, 2)) * width
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    peak = look.sigma * log_uniforms(rng, 0.7, 20, count)
    sigma = rng.uniform(0.8, 2.2, count)
    return Strokes.spots(middle + spread @ rotation.T, peak, sigma)


def _blob(rng: np.random.Generator, look: Look) -> Strokes:
    """A dig or a large grain: a flat bright core within a halo."""
    centre = rng.uniform(0, look.side_px, (1, 2))
    sigma = np.array([log_uniform(rng, 1.5, 9.0)])
    peak = np.array([look.sigma * log_uniform(rng, 6, 150)])
    stretch = sigma * rng.uniform(0, 2) * _directions(rng, 1)
    return _together(
        [
            Strokes.spots(centre, peak, sigma, stretch),
            Strokes.spots(centre, rng.uniform(0.03, 0.2) * peak, sigma * rng.uniform(2.5, 5)),
        ]
    )


def _add_glow(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """A diffuse bright area whose centre may lie outside: large, or small and saturated."""
    x, y = rng.uniform(-0.2, 1.2, 2) * look.side_px
    turn, ratio = float(rng.uniform(0, np.pi)), float(rng.uniform(0.3, 1.0))
    peak = look.sigma * log_uniform(rng, 3, 200 if look.wide else 30)
    size = rng.uniform(15, 45 if peak > _BLINDING else 120)
    column = np.arange(look.side_px, dtype=np.float32)[None, :] - np.float32(x)
    row = np.arange(look.side_px, dtype=np.float32)[:, None] - np.float32(y)
    u = column * np.float32(np.cos(turn)) + row * np.float32(np.sin(turn))
    v = (row * np.float32(np.cos(turn)) - column * np.float32(np.sin(turn))) / np.float32(ratio)
    radius = np.sqrt(u * u + v * v) / np.float32(size)
    power = np.float32(rng.choice([1.0, 1.5, 2.0]))
    image += np.float32(peak) * np.exp(-(radius**power))


def _add_step(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """Darkens one side of a line through the image, like the rim of a mount or a shadow."""
    (normal,) = _directions(rng, 1)
    if chance(rng, 0.6):
        normal = np.array([1.0, 0.0] if chance(rng, 0.5) else [0.0, 1.0])
    place = np.arange(look.side_px) - rng.uniform(40, look.side_px - 40)
    side = place[None, :] * normal[0] + place[:, None] * normal[1]
    step = np.clip(side / rng.uniform(0.5, 6.0), -0.5, 0.5) + 0.5
    if chance(rng, 0.5):
        step = 1.0 - step
    image *= (1.0 - (1.0 - log_uniform(rng, 0.1, 0.85)) * step).astype(np.float32)


def _cut(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """Dead rows or columns, or the gap between two chips."""
    view = image if chance(rng, 0.5) else image.T
    first = int(rng.integers(0, look.side_px))
    width = int(rng.choice([1, 1, 2, 3, 6, 12, 40]))
    view[first : first + width] *= np.float32(rng.choice([0.0, 0.0, 0.3, 0.6]))


def _stripes(look: Look, rng: np.random.Generator) -> Float32Array:
    """Each column's own gain, as line cameras have it: (1, width) or (height, 1)."""
    gains = rng.standard_normal((1, look.side_px)) * rng.uniform(0.005, 0.03)
    smooth = cv2.GaussianBlur(gains, (0, 0), sigmaX=float(rng.uniform(0.3, 2.0)), sigmaY=0.01)
    stripes = np.asarray(1.0 + smooth, dtype=np.float32)
    return stripes if chance(rng, 0.5) else stripes.T


def _add_row_noise(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """An offset of each row or column of its own, as the readout of some sensors adds it."""
    offsets = rng.standard_normal((look.side_px, 1)) * look.sigma * rng.uniform(0.1, 0.5)
    view = image if chance(rng, 0.5) else image.T
    view += offsets.astype(np.float32)


def _add_bleeding(image: Float32Array, look: Look, rng: np.random.Generator) -> None:
    """A hot column, or one that a saturated spot fills up: one pixel wide, along the sensor."""
    view = image if chance(rng, 0.5) else image.T
    first, last = sorted(rng.integers(0, look.side_px, 2))
    if chance(rng, 0.5):
        first = 0
    column = int(rng.integers(0, look.side_px))
    view[first:last, column] += np.float32(look.sigma * log_uniform(rng, 3, 60))


def _together(parts: list[Strokes]) -> Strokes:
    return Strokes(
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.amplitude for part in parts]),
        np.concatenate([part.sigma for part in parts]),
    )
