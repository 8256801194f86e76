"""An explanation: all that can be shown of a network's view of windows, as numpy arrays."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from darkscan.network.explaining._attention import attention
from darkscan.network.explaining._grad_cam import grad_cam
from darkscan.pipeline.core.arrays import Float32Array, Pixels


class Panel(Enum):
    """One view of a network that a figure can show."""

    CAM = "cam"
    PLACE = "place"
    CHANNEL = "channel"
    SCALE = "scale"
    LINE = "line"


@dataclass(frozen=True)
class Explanation:
    """One network's view of N windows; maps are as fine as the network's own."""

    network: str
    scores: Float32Array
    """(N,), probability of scratch."""
    cam: Float32Array
    """Grad-CAM: (N, h, w), not below 0, in units of the logit."""
    places: Float32Array | None
    """sigma_s of eq. 7: (N, h, w) in 0..1; None without channel attention."""
    channels: Float32Array | None
    """sigma_c of eq. 6: (N, C) in 0..1; None without channel attention."""
    scales: tuple[Float32Array, ...]
    """Responses of the four groups of each stage's scale attention: (N, 4, h, w) each."""
    lines: Float32Array | None
    """Where the line head sees scratches: (N, 32, 32) in 0..1; None without line head."""


def explain(
    network: nn.Module, windows: Pixels, full_scale: float = 255.0, *, name: str = ""
) -> Explanation:
    """Looks at windows (N, 256, 256) uint8 or uint16 with a network in evaluation mode.

    ``full_scale`` is the largest grey level that the camera can give.
    """
    levels = _levels(windows)
    logits, cam = grad_cam(network, levels, full_scale)
    weights = attention(network, levels, full_scale)
    return Explanation(
        network=name or str(network.name),
        scores=_array(torch.sigmoid(logits)),
        cam=_array(cam),
        places=None if weights.places is None else _array(weights.places),
        channels=None if weights.channels is None else _array(weights.channels),
        scales=tuple(_array(groups) for groups in weights.scales),
        lines=None if weights.lines is None else _array(weights.lines),
    )


@torch.inference_mode()
def scores_of(
    network: nn.Module, windows: Pixels, full_scale: float = 255.0, *, batch: int = 32
) -> Float32Array:
    """Probabilities of scratch (N,) of windows (N, 256, 256) uint8 or uint16."""
    parts: list[Tensor] = [
        network.classify(_levels(windows[first : first + batch]), full_scale)  # type: ignore[operator]
        for first in range(0, len(windows), batch)
    ]
    return _array(torch.sigmoid(torch.cat(parts)))


def _levels(windows: Pixels) -> Tensor:
    return torch.from_numpy(windows.astype(np.float32))


def _array(tensor: Tensor) -> Float32Array:
    values: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    return values.astype(np.float32)
