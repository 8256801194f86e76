"""The paper's modules in plain numpy: slow, literal, for small feature maps (C, H, W)."""

import numpy as np
import numpy.typing as npt
from torch import nn

from darkscan.network.modules import ConvNorm

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
