"""Training windows with labels: scratched or clean, from easy to as hard as they come.

A window is positive when at least 40 px of a scratch show within it less a rim of
12 px, negative when no scratch touches it at all; nothing in between is drawn.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.simulation.clutter import add_clutter, add_surroundings
from darkscan.drivers.simulation.curves import beads, curve, lit_length, texture
from darkscan.drivers.simulation.draws import chance, log_normal, log_uniform
from darkscan.drivers.simulation.looks import WINDOW_PX, Look, WindowPreset, draw_look
from darkscan.drivers.simulation.sensor import quantise
from darkscan.drivers.simulation.strokes import FloatArray, Image, Strokes, add_line

RIM_PX = 12.0
VISIBLE_PX = 40.0

_BRIGHTEST_LEVEL = 100.0  # of a stretched background: scratches must stay below white
_INSIDE = (RIM_PX, RIM_PX, WINDOW_PX - RIM_PX, WINDOW_PX - RIM_PX)
_KINDS = {  # the shares of each kind of scratch in the optic and in the wide look
    False: {"straight": 30, "curved": 25, "gappy": 17, "discontinuous": 13, "swirl": 15},
    True: {"straight": 40, "streak": 30, "curved": 12, "gappy": 8, "discontinuous": 5, "swirl": 5},
}


@dataclass(frozen=True)
class TrainingWindow:
    """A window as the camera gives it, before brightness adjustment.

    ``image`` is (256, 256) uint8; ``label`` 1 for scratched, 0 for clean; ``cnr`` the
    strongest scratch's amplitude over the noise (0 if clean); ``kind`` the scratch's
    shape, or the rarest thing in a clean window.
    """

    image: npt.NDArray[np.uint8]
    label: int
    cnr: float
    kind: str


def training_batch(
    seed: int, index: int, size: int, contrast: float = 1.0, preset: WindowPreset = "mixed"
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Batch ``index`` of a training run: images (size, 256, 256) and labels (size,).

    The same seed, index, size, contrast and preset give the same bytes.
    """
    rng = np.random.default_rng([seed, index])
    images = np.empty((size, WINDOW_PX, WINDOW_PX), dtype=np.uint8)
    labels = np.empty(size, dtype=np.int64)
    for place in range(size):
        window = training_window(rng, contrast, preset)
        images[place], labels[place] = window.image, window.label
    return images, labels


def training_window(
    rng: np.random.Generator, contrast: float = 1.0, preset: WindowPreset = "mixed"
) -> TrainingWindow:
    """Draws one window; scratched ones are as frequent as clean ones.

    ``contrast`` in [0, 1] is the curriculum: 0 shows bright long scratches among little
    clutter, 1 mostly weak ones among all of it.
    """
    look = draw_look(rng, contrast, preset)
    light = look.background.render(0, 0, WINDOW_PX, WINDOW_PX)
    canvas = np.zeros_like(light)
    label, cnr = int(chance(rng, 0.5)), 0.0
    scratch_kind = ""
    names = add_surroundings(light, look, rng)
    if label:
        scratch_kind, cnr = _add_scratches(light, canvas, look, contrast, rng)
    names += add_clutter(light, canvas, look, rng)
    image = _finish(look.noise.add(light, rng), look, rng)
    return TrainingWindow(image, label, cnr, scratch_kind or names[-1])


def _add_scratches(
    light: Image, canvas: Image, look: Look, contrast: float, rng: np.random.Generator
) -> tuple[str, float]:
    shares = _KINDS[look.wide]
    kind = str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
    count = 1 + int(chance(rng, 0.1))
    heading = float(rng.uniform(0, 2 * np.pi))
    if kind == "swirl":
        count = int(rng.integers(2, 6))
    strongest = 0.0
    for number in range(count):
        cnr = _draw_cnr(rng, look, contrast)
        if kind != "swirl":
            heading = float(rng.uniform(0, 2 * np.pi))
        strongest = max(strongest, cnr)
        if kind == "streak" and not number:
            _add_streak(light, canvas, cnr * look.sigma, contrast, rng)
            continue
        shape = "straight" if kind == "streak" else kind
        vertices, run = _visible_scratch(shape, look, contrast, heading, rng)
        fwhm = log_normal(rng, 2.25, 0.25, 1.6, 3.3)
        if look.wide:
            fwhm = log_uniform(rng, 1.6, 6.0)
        add_line(light, Strokes.along(vertices, run * cnr * look.sigma, fwhm), canvas)
    return kind, strongest


def _draw_cnr(rng: np.random.Generator, look: Look, contrast: float) -> float:
    if chance(rng, 1 - contrast):
        return float(rng.uniform(6, 20))
    if chance(rng, (0.5 if look.wide else 0.7)):
        return log_normal(rng, 3.3, 0.32, 2.0, 5.5)
    saturated = 400.0 / look.sigma if look.wide else 40.0
    return log_uniform(rng, 5.0, max(saturated, 20.0))


def _visible_scratch(
    kind: str, look: Look, contrast: float, heading: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Vertices (K, 2) and relative brightness (K,) of a scratch that counts."""
    longest = 160.0 if kind == "swirl" else np.inf  # arcs, not circles
    while True:
        through = (float(rng.uniform(*_INSIDE[::2])), float(rng.uniform(*_INSIDE[::2])))
        step = 1.5 if kind == "discontinuous" else 4.0
        vertices = curve(
            rng,
            through,
            min(_draw_length(rng, look, contrast), longest),
            step,
            heading=heading + (0.25 * float(rng.standard_normal()) if kind == "swirl" else 0.0),
            curvature=_draw_curvature(rng, kind),
            wander=float(rng.choice([0.0, 2e-4, 6e-4])),
            anchor=float(rng.random()),
        )
        run = _draw_run(rng, kind, len(vertices), step, contrast)
        whole = np.ones(len(vertices))
        lit = whole if kind == "discontinuous" else run
        if lit_length(vertices, lit, _INSIDE) >= VISIBLE_PX:
            return vertices, run


def _draw_length(rng: np.random.Generator, look: Look, contrast: float) -> float:
    if chance(rng, 1 - contrast):
        return log_uniform(rng, 200, 900)
    if chance(rng, (0.6 if look.wide else 0.35)):
        return 900.0  # crosses the window, or ends inside if anchored near an end
    shortest = 80.0 if look.wide else 48.0
    return log_normal(rng, 130, 0.7, shortest, 900)


def _draw_curvature(rng: np.random.Generator, kind: str) -> float:
    sign = float(rng.choice([-1.0, 1.0]))
    if kind == "swirl":
        return abs(1.0 / log_uniform(rng, 70, 300))
    if kind == "curved":
        return sign / log_uniform(rng, 140, 1500)
    return sign * float(rng.uniform(0, 1 / 4000))


def _draw_run(
    rng: np.random.Generator, kind: str, count: int, step: float, contrast: float
) -> FloatArray:
    if kind == "discontinuous":
        sigma = float(rng.uniform(0.7, 2.0))
        period = float(rng.uniform(5, 6 + 10 * contrast)) + 2 * sigma
        # Spots as weak as a weak line cannot be told from the noise: theirs counts twice.
        return 2.0 * beads(rng, count, step, period_px=period, sigma_px=sigma)
    gaps = float(rng.uniform(0.08, 0.36)) if kind == "gappy" else 0.0
    variation = float(rng.uniform(0.05, 0.15 + 0.4 * contrast))
    taper = min(float(rng.choice([0.0, 8.0, 30.0])), count * step / 6)
    return texture(rng, count, step, variation=variation, gap_fraction=gaps, taper_px=taper)


def _add_streak(
    light: Image, canvas: Image, amplitude: float, contrast: float, rng: np.random.Generator
) -> None:
    """A broad streak, Gaussian or flat on top, with a halo: scattered or trailed light."""
    fwhm = log_uniform(rng, 3.0, 30.0)
    step = max(6.0, 1.5 * fwhm)
    while True:
        vertices = curve(
            rng,
            (float(rng.uniform(0, WINDOW_PX)), float(rng.uniform(0, WINDOW_PX))),
            900.0 if chance(rng, 0.8) else float(rng.uniform(150, 400)),
            step,
            heading=float(rng.uniform(0, 2 * np.pi)),
            curvature=float(rng.normal(0, 1 / 6000)),
            anchor=float(rng.random()),
        )
        if lit_length(vertices, np.ones(len(vertices)), _INSIDE) >= 2 * VISIBLE_PX:
            break
    run = texture(rng, len(vertices), step, variation=float(rng.uniform(0.0, 0.2 * contrast)))
    power = float(rng.choice([2.0, 2.0, 3.0, 5.0, 8.0]))
    add_line(light, Strokes.along(vertices, run * amplitude, fwhm), canvas, power=power)
    halo = amplitude * float(rng.uniform(0.0, 0.06))
    add_line(light, Strokes.along(vertices, run * halo, 3.5 * fwhm), canvas)


def _finish(image: Image, look: Look, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """From noisy light to stored grey levels: blur, stretch, gamma, depth, compression."""
    if chance(rng, 0.12):
        sigma = float(rng.uniform(0.4, 0.9))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sigma), dtype=np.float32)
    if look.wide and chance(rng, 0.35):
        black = look.level - look.sigma * rng.uniform(0.5, 3.0)
        image = (image - np.float32(black)) * np.float32(log_uniform(rng, 0.7, 3.0))
    elif chance(rng, 0.2):
        # A deeper camera's window brought to eight bits: finer steps of the same light.
        gain = log_uniform(rng, 1.0, max(1.0, min(6.0, _BRIGHTEST_LEVEL / look.level)))
        image = np.rint(image * np.float32(16)) * np.float32(gain / 16)
    if look.wide and chance(rng, 0.25):
        gamma = np.float32(rng.uniform(0.7, 1.3))
        image = np.float32(255) * np.clip(image / np.float32(255), 0, 1) ** gamma
    stored = quantise(image).astype(np.uint8, copy=False)
    if chance(rng, 0.2):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
        _, packed = cv2.imencode(".jpg", stored, quality)
        stored = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return stored
