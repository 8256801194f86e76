"""Degradations of a window by cameras, lamps and file formats, each with its physics.

Every function takes one image as its camera gave it and returns another; none changes its
argument, none moves a scratch (but those that resample). Amounts in levels are those of an
8-bit camera, and are scaled to the image's own full scale. Where light is added or taken,
its shot noise follows: all noise of an image is held for shot noise, whose variance grows
with the light, so that a level of light carries noise^2 / median of variance.
"""

from typing import NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical.levels import eight_bit
from darkscan.pipeline.core.arrays import Float32Array, Mask, Pixels

_EIGHT_BIT = 255.0
_APART_PX = 3  # differences are taken over this: neighbours' noise is correlated
_KEPT_SIGMAS = 3.0
_PASSES = 5
_LEAST_NOISE = 0.29  # grey levels: of rounding to whole ones


class Grey(NamedTuple):
    """An image (H, W) of uint8 or uint16, and the largest level that its camera can give."""

    levels: Pixels
    full_scale: float


def noise_of(grey: Grey) -> float:
    """The noise in grey levels: deviation of the differences of pixels 3 px apart, clipped.

    Light that varies slowly cancels, edges and scratches are clipped at 3 deviations.
    """
    levels = grey.levels.astype(np.float32)
    rest = (levels[:, _APART_PX:] - levels[:, :-_APART_PX]).ravel()
    for _ in range(_PASSES):
        inside = np.abs(rest) <= _KEPT_SIGMAS * rest.std()
        rest = rest[inside] if inside.any() else rest
    return max(_LEAST_NOISE, float(rest.std()) / float(np.sqrt(2)))


def jpeg(grey: Grey, quality: int) -> Grey:
    """Stored as JPEG: 8 bits, and cosine coefficients of 8x8 blocks rounded.

    Fine steps vanish first, and with them noise and weak lines; blocks get borders. Deeper
    images lose their low bits, as they do in a viewer that saves them so.
    """
    shown = eight_bit(grey.levels, grey.full_scale)
    _, content = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    return Grey(np.asarray(decoded, dtype=np.uint8), _EIGHT_BIT)


def deeper(grey: Grey, bits: int, fill: float, rng: np.random.Generator) -> Grey:
    """The same light read by a converter of ``bits``, filling the share ``fill`` of its range.

    Within a step of the coarser converter the finer one finds any level: a uniform draw.
    A ``fill`` below 1 is weak light, of which the camera's high bits see nothing.
    """
    full_scale = 2.0**bits - 1
    levels = grey.levels.astype(np.float32)
    levels += rng.uniform(-0.5, 0.5, levels.shape).astype(np.float32)
    levels *= np.float32(fill * full_scale / grey.full_scale)
    return Grey(np.clip(np.rint(levels), 0, full_scale).astype(np.uint16), full_scale)


def stray_light(grey: Grey, levels: float, rng: np.random.Generator) -> Grey:
    """An even light added to all pixels, with its shot noise.

    Below zero nothing is taken but numbers: a black level set too high, which cuts the
    darkest pixels off at zero.
    """
    added = levels * grey.full_scale / _EIGHT_BIT
    variance = np.float32(max(added, 0.0) * _variance_per_level(grey))
    return _as(grey, grey.levels + np.float32(added) + _normal(grey, np.sqrt(variance), rng))


def gradient(grey: Grey, levels: float, rng: np.random.Generator) -> Grey:
    """Stray light that rises evenly from none at one rim to ``levels`` at the opposite one.

    In a direction drawn at random, with its shot noise.
    """
    height, width = grey.levels.shape
    angle = rng.uniform(0, 2 * np.pi)
    rows = np.linspace(-1, 1, height)[:, None] * np.sin(angle)
    columns = np.linspace(-1, 1, width) * np.cos(angle)
    steepest = abs(np.sin(angle)) + abs(np.cos(angle))
    rise = 0.5 + (rows + columns) / (2 * steepest)
    light: Float32Array = np.asarray(
        rise * (levels * grey.full_scale / _EIGHT_BIT), dtype=np.float32
    )
    sigma = np.sqrt(np.maximum(light, 0) * np.float32(_variance_per_level(grey)))
    return _as(grey, grey.levels + light + _normal(grey, sigma, rng))


def exposed(grey: Grey, gain: float, rng: np.random.Generator) -> Grey:
    """Lamp or amplifier at ``gain`` times what they were.

    Below 1 there is less light: it carries noise of the variance gain x V, of which
    gain^2 x V are there once levels are scaled; the rest is added. Above 1 it is the
    amplifier: noise grows with the signal, and what passes the full scale is cut off.
    """
    levels = grey.levels.astype(np.float32)
    missing = max(0.0, gain * (1 - gain)) * _variance_per_level(grey)
    sigma = np.sqrt(levels * np.float32(missing))
    return _as(grey, levels * np.float32(gain) + _normal(grey, sigma, rng))


def overexposed(grey: Grey, share: float) -> Grey:
    """Amplified until the brightest ``share`` of all pixels reach the full scale, cut off there.

    Bright specks and the scratch then have one level, and the scratch its flanks alone.
    """
    brightest = max(1.0, float(np.quantile(grey.levels, 1 - share)))
    return _as(grey, grey.levels.astype(np.float32) * np.float32(grey.full_scale / brightest))


def noisier(grey: Grey, factor: float, rng: np.random.Generator) -> Grey:
    """White noise added until all noise is ``factor`` times what it was: contrast falls so.

    A warm or short-exposed sensor; the noise does not depend on the light.
    """
    sigma = np.float32(noise_of(grey) * np.sqrt(factor**2 - 1))
    return _as(grey, grey.levels + _normal(grey, sigma, rng))


def blurred(grey: Grey, sigma_px: float) -> Grey:
    """A Gaussian over the finished image, as of an image enlarged or denoised.

    Light and noise are smoothed alike; the noise that is left has a coarser grain.
    """
    return _as(grey, _smooth(grey, sigma_px))


def sharpened(grey: Grey, amount: float, sigma_px: float = 1.0) -> Grey:
    """An unsharp mask: ``amount`` times what a Gaussian takes away is added once more.

    Cameras and programs do so by default: lines get higher and narrower, with dark rims, and the
    noise grows with them.
    """
    levels = grey.levels.astype(np.float32)
    return _as(grey, levels + np.float32(amount) * (levels - _smooth(grey, sigma_px)))


def gamma(grey: Grey, exponent: float) -> Grey:
    """Levels as shares of the full scale, to the power of ``exponent``: a curve for the eye.

    Below 1 the dark background is spread out, and above it squeezed, contrast and noise alike,
    then rounded to whole levels.
    """
    shares = grey.levels.astype(np.float32) / np.float32(grey.full_scale)
    return _as(grey, np.float32(grey.full_scale) * shares ** np.float32(exponent))


def coarser(grey: Grey, step: float) -> Grey:
    """Rounded to every ``step``-th level: a converter, or a file, with fewer of them.

    Where noise is smaller than a step, most pixels of a background have one level, and weak lines
    come and go with the last digit.
    """
    wide = np.float32(step * grey.full_scale / _EIGHT_BIT)
    return _as(grey, wide * np.rint(grey.levels.astype(np.float32) / wide))


def defocused(grey: Grey, sigma_px: float, rng: np.random.Generator) -> Grey:
    """A Gaussian over the light alone, as of a lens out of focus.

    What the blur took of the noise is given back as white noise, for it arises behind the
    lens; lines get broader and weaker under the same noise.
    """
    soft = _as(grey, _smooth(grey, sigma_px))
    missing = np.sqrt(max(0.0, noise_of(grey) ** 2 - noise_of(soft) ** 2))
    return _as(grey, _smooth(grey, sigma_px) + _normal(grey, np.float32(missing), rng))


def striped(grey: Grey, share: float, rng: np.random.Generator) -> Grey:
    """Columns of unequal response, of the standard deviation ``share``: a line-scan camera.

    Each pixel of its line sees a whole column, so the error is a straight line from rim to
    rim, which light multiplies.
    """
    response = np.asarray(rng.normal(1.0, share, grey.levels.shape[1]), dtype=np.float32)
    return _as(grey, grey.levels * response)


def hot_pixel(grey: Grey, rng: np.random.Generator) -> Grey:
    """One pixel at full scale, wherever: a defect of the sensor.

    It alone decides the brightest level of a window, by which brightness is adjusted.
    """
    levels = grey.levels.copy()
    levels[rng.integers(levels.shape[0]), rng.integers(levels.shape[1])] = round(grey.full_scale)
    return Grey(levels, grey.full_scale)


def resampled(grey: Grey, factor: float) -> Grey:
    """An image as of a camera with 1 / ``factor`` the pixel pitch: ``factor`` times the pixels.

    Fewer pixels collect the light of those they cover, so that noise falls as it does in a
    larger pixel; more pixels are interpolated (cubic), so that the noise gets a coarser
    grain, as in an enlarged image.
    """
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return _within(grey, cv2.resize(grey.levels, None, fx=factor, fy=factor, interpolation=way))


def resampled_mask(mask: Mask, factor: float) -> Mask:
    """The mask that goes with ``resampled``: true where a pixel covers any true one."""
    # As whole numbers, the mean over an area would round a sliver down to nothing.
    covered = mask.astype(np.float32)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    scaled = cv2.resize(covered, None, fx=factor, fy=factor, interpolation=way)
    return np.asarray(scaled > 0, dtype=np.bool_)


def resampled_window(grey: Grey, factor: float, corner: tuple[int, int]) -> Grey:
    """A window that stands alone at another pitch, of its old size (H, W).

    Enlarged, it is the part of it from ``corner`` (y, x) on. Reduced, what lies around it
    is not known: it is mirrored at its rims, which bends lines there.
    """
    height, width = grey.levels.shape
    if factor >= 1:
        (y, x), (part_height, part_width) = corner, part_shape((height, width), factor)
        part = grey.levels[y : y + part_height, x : x + part_width]
        return _within(grey, cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC))
    small = resampled(grey, factor).levels
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    bottom, right = height - small.shape[0] - top, width - small.shape[1] - left
    whole = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REFLECT)
    return Grey(cast("Pixels", whole), grey.full_scale)


def part_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """How much of a window (height, width) fills it once enlarged ``factor`` times."""
    return round(shape[0] / factor), round(shape[1] / factor)


def part_corner(
    lines: npt.NDArray[np.uint8], cell_px: int, part_px: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Where (y, x) to cut a part of ``part_px`` out of a window: most centre lines lie in it.

    ``lines`` (n, n) is 1 in the cells of ``cell_px`` that a line crosses; a window without
    any is cut anywhere, so that nothing but the scratch tells the parts apart.
    """
    last = len(lines) * cell_px - part_px
    if not lines.any():
        return int(rng.integers(last + 1)), int(rng.integers(last + 1))
    cells = part_px // cell_px
    sums = cv2.integral(lines)
    above = sums[cells:, :] - sums[:-cells, :]
    inside = above[:, cells:] - above[:, :-cells]
    y, x = divmod(int(np.argmax(inside)), inside.shape[1])
    return min(y * cell_px, last), min(x * cell_px, last)


def _variance_per_level(grey: Grey) -> float:
    return noise_of(grey) ** 2 / max(1.0, float(np.median(grey.levels)))


def _smooth(grey: Grey, sigma_px: float) -> Float32Array:
    levels = grey.levels.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma_px), dtype=np.float32)


def _normal(grey: Grey, sigma: Float32Array | np.float32, rng: np.random.Generator) -> Float32Array:
    return sigma * rng.standard_normal(grey.levels.shape, dtype=np.float32)


def _as(grey: Grey, levels: npt.NDArray[np.generic]) -> Grey:
    """Float levels as whole ones of the image's own type and range."""
    whole = np.clip(np.rint(np.asarray(levels, dtype=np.float32)), 0, grey.full_scale)
    return Grey(cast("Pixels", whole.astype(grey.levels.dtype)), grey.full_scale)


def _within(grey: Grey, levels: npt.NDArray[np.generic]) -> Grey:
    """Whole levels, which interpolation may have taken past the full scale."""
    whole = np.minimum(levels, levels.dtype.type(grey.full_scale))
    return Grey(cast("Pixels", whole), grey.full_scale)
