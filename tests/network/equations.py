"""The paper's modules in plain numpy: slow, literal, for small feature maps (C, H, W)."""

import numpy as np
import numpy.typing as npt
from torch import nn

from darkscan.network.modules import ConvNorm, LineHead

Features = npt.NDArray[np.float64]


def brightness_adjustment(window: npt.NDArray[np.generic]) -> tuple[float, float, Features]:
    """Eq. 1-3: W_mult, W_add and I_BA."""
    grey = window.astype(np.float64)
    v_max, v_min = grey.max(), grey.min()
    w_mult = 255 / (v_max - v_min)
    w_add = -w_mult * v_min
    return w_mult, w_add, grey * w_mult + w_add


def convolution(features: Features, weight: Features, rate: int = 1, stride: int = 1) -> Features:
    """A sum over kernel taps of shifted features; zeros beyond the border."""
    kernel = weight.shape[-1]
    pad = rate * (kernel // 2)
    padded = np.pad(features, ((0, 0), (pad, pad), (pad, pad)))
    rows = range(0, features.shape[1], stride)
    columns = range(0, features.shape[2], stride)
    output = np.zeros((weight.shape[0], len(rows), len(columns)))
    for i in range(kernel):
        for j in range(kernel):
            tap = padded[:, i * rate :, j * rate :][:, : features.shape[1], : features.shape[2]]
            output += np.einsum("oc,chw->ohw", weight[:, :, i, j], tap[:, ::stride, ::stride])
    return output


def conv_norm(module: nn.Module, features: Features) -> Features:
    """A ConvNorm in evaluation mode."""
    assert isinstance(module, ConvNorm)
    conv, norm = module[0], module[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    output = convolution(features, array(conv.weight), conv.dilation[0], conv.stride[0])
    mean, variance = array(norm.running_mean), array(norm.running_var)
    scale = array(norm.weight) / np.sqrt(variance + norm.eps)
    output = (output - mean[:, None, None]) * scale[:, None, None]
    output += array(norm.bias)[:, None, None]
    return np.maximum(output, 0) if isinstance(module[2], nn.ReLU) else output


def array(tensor: object) -> Features:
    return np.asarray(tensor.detach().numpy(), dtype=np.float64)  # type: ignore[attr-defined]


def sigmoid(x: Features) -> Features:
    return 1 / (1 + np.exp(-x))


def sigma_clipping(window: npt.NDArray[np.generic]) -> Features:
    """A window (H, W) less its background, over its noise, over four: about -1 to 2."""
    grey = window.astype(np.float64)
    few = grey[::4, ::4]
    middle, spread = few.mean(), few.std(ddof=1)
    for _ in range(3):
        clipped = np.clip(few, middle - 3 * spread, middle + 3 * spread)
        middle, spread = clipped.mean(), clipped.std(ddof=1)
    clipped = np.clip(few, middle - 3 * spread, middle + 3 * spread)
    height, width = clipped.shape
    cells = clipped.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    rest = few - enlarged(cells, 8)
    noise = np.clip(rest, -3 * spread, 3 * spread)
    reach = 3 * np.sqrt((noise**2).mean())
    noise = np.clip(rest, -reach, reach)
    sigma = max(np.sqrt((noise**2).mean()), 0.29)
    view = np.clip((grey - enlarged(cells, 32)) / sigma, -4, 8) / 4
    return np.asarray(view, dtype=np.float64)


def enlarged(cells: Features, factor: int) -> Features:
    """(h, w) to (h * factor, w * factor), linear between the cells' middles."""
    for axis in (0, 1):
        count = cells.shape[axis]
        places = (np.arange(count * factor) + 0.5) / factor - 0.5
        lower = np.clip(np.floor(places), 0, count - 1).astype(int)
        upper = np.minimum(lower + 1, count - 1)
        part = np.clip(places - lower, 0, 1)
        shape = (-1, 1) if axis == 0 else (1, -1)
        below, above = cells.take(lower, axis), cells.take(upper, axis)
        cells = below + (above - below) * part.reshape(shape)
    return cells


def line_head(module: LineHead, stages: list[Features]) -> tuple[Features, Features]:
    """Hidden features (C, h, w) and line logits (h, w) of features at three strides."""
    joined: Features | None = None
    for lateral, features in list(zip(module.lateral, stages, strict=True))[::-1]:
        own = conv_norm(lateral, features)
        joined = own if joined is None else own + joined.repeat(2, axis=1).repeat(2, axis=2)
    assert joined is not None
    hidden = conv_norm(module.join, np.maximum(joined, 0))
    assert module.lines.bias is not None
    lines = (
        convolution(hidden, array(module.lines.weight)) + array(module.lines.bias)[:, None, None]
    )
    return hidden, lines[0]
