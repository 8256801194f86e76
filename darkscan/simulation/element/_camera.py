"""From noisy light to stored grey levels, as cameras and the programs behind them make them."""

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element._draws import chance, log_uniform
from darkscan.simulation.element.looks import Look
from darkscan.simulation.element.sensor import quantise

_BRIGHTEST_LEVEL = 100.0  # the brightest stretched background; scratches stay below white
_WORST_QUALITY = 40  # of JPEG; below, weak lines are erased


def stored(image: Float32Array, look: Look, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The picture (H, W) uint8 of noisy light: resampled, sharpened, stretched, compressed."""
    image = refocused(image, rng)
    if look.wide and chance(rng, 0.35):
        black = float(np.percentile(image[::16, ::16], 5)) - look.sigma * rng.uniform(0.5, 6.0)
        image = (image - np.float32(black)) * np.float32(log_uniform(rng, 0.5, 4.0))
    elif chance(rng, 0.25):
        # A deeper camera's window brought to eight bits: finer steps of the same light.
        gain = log_uniform(rng, 1.0, max(1.0, min(6.0, _BRIGHTEST_LEVEL / look.level)))
        image = np.rint(image * np.float32(16)) * np.float32(gain / 16)
    if chance(rng, 0.25 if look.wide else 0.1):
        gamma = np.float32(rng.uniform(0.5, 1.6))
        image = np.float32(255) * np.clip(image / np.float32(255), 0, 1) ** gamma
    return compressed(quantise(image).astype(np.uint8, copy=False), rng)


def refocused(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Light and noise resampled, blurred or sharpened together, each now and then."""
    if chance(rng, 0.15):
        # Moved by a fraction of a pixel, as registered or undistorted pictures are.
        x, y = rng.uniform(0, 1, 2)
        shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
        how = cv2.INTER_CUBIC if chance(rng, 0.5) else cv2.INTER_LINEAR
        size = (image.shape[1], image.shape[0])
        moved = cv2.warpAffine(image, shift, size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
        image = np.asarray(moved, dtype=np.float32)
    if chance(rng, 0.22):
        image = _blurred(image, log_uniform(rng, 0.4, 1.4))
    if chance(rng, 0.18):
        amount = np.float32(log_uniform(rng, 0.3, 2.5))
        image = image + amount * (image - _blurred(image, log_uniform(rng, 0.7, 2.5)))
    return image


def compressed(picture: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The picture as JPEG gives it back, now and then."""
    if not chance(rng, 0.25):
        return picture
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(_WORST_QUALITY, 97))]
    _, packed = cv2.imencode(".jpg", picture, quality)
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _blurred(image: Float32Array, sigma: float) -> Float32Array:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sigma), dtype=np.float32)
