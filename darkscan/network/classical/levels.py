"""Grey levels of any camera on one scale, and as multiples of the local noise."""

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels

BLOCK_PX = 32
CLIP_SIGMAS = 4.0

_BITS = (10, 12, 14, 16)
_KEPT_SIGMAS = 3.0  # pixels beyond are no noise
_PASSES = 4
_LEAST_SIGMA = 0.29  # grey levels: of rounding to whole ones


def full_scale_of(frame: Pixels) -> int:
    """The largest level that the camera can give: 255 for uint8.

    For uint16, that of the least of 10, 12, 14 and 16 bits that holds the frame.
    """
    if frame.dtype.itemsize == 1:
        return 255
    highest = int(frame.max(initial=0))
    return int(2 ** next(bits for bits in _BITS if highest < 2**bits) - 1)


def eight_bit(frame: Pixels, full_scale: float) -> npt.NDArray[np.uint8]:
    """The levels of a frame with this full scale, rounded to 8 bits."""
    if frame.dtype == np.uint8:
        return frame.astype(np.uint8, copy=False)
    scaled: Float32Array = frame.astype(np.float32) * np.float32(255.0 / full_scale)
    return np.rint(scaled).clip(0, 255).astype(np.uint8)


def in_sigmas(frame: Pixels) -> Float32Array:
    """The frame less its background, in local standard deviations, clipped to +-4.

    Background and noise are those of 32 px blocks: median, then mean and deviation of
    what lies within three deviations of it; a 3x3 median of blocks keeps a scratch that
    fills its block out of both.
    """
    blocks = _blocks(frame)
    centre = np.median(blocks, axis=2)
    rest = blocks - centre[..., np.newaxis]
    sigma = rest.std(axis=2)
    shift = np.zeros_like(centre)
    for _ in range(_PASSES):
        kept = np.abs(rest) <= np.maximum(_KEPT_SIGMAS * sigma, 1.0)[..., np.newaxis]
        count = np.maximum(kept.sum(axis=2), 1)
        shift = (rest * kept).sum(axis=2) / count
        variance = (rest * rest * kept).sum(axis=2) / count - shift * shift
        sigma = np.sqrt(np.maximum(variance, 0.0))
    background = _spread(centre + shift, frame)
    noise = np.maximum(_spread(sigma, frame), _LEAST_SIGMA)
    standard = (frame.astype(np.float32) - background) / noise
    return np.clip(standard, -CLIP_SIGMAS, CLIP_SIGMAS).astype(np.float32, copy=False)


def _blocks(frame: Pixels) -> Float32Array:
    """The pixels of each block, (rows, columns, 1024); the last blocks are mirrored full."""
    height, width = frame.shape
    padded = np.pad(frame, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX)), mode="symmetric")
    rows, columns = padded.shape[0] // BLOCK_PX, padded.shape[1] // BLOCK_PX
    split = padded.astype(np.float32).reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    return split.transpose(0, 2, 1, 3).reshape(rows, columns, -1)


def _spread(values: Float32Array, frame: Pixels) -> Float32Array:
    """Values of blocks interpolated to the pixels of the frame."""
    smooth = cv2.medianBlur(values.astype(np.float32), 3)
    size = (values.shape[1] * BLOCK_PX, values.shape[0] * BLOCK_PX)
    spread = cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread[: frame.shape[0], : frame.shape[1]], dtype=np.float32)
