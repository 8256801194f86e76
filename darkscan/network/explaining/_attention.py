"""The attention modules' own weights, as a network gives them to windows."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.dense import DenseNetwork
from darkscan.network.modules import ChannelAttention, LineHead, ScaleAttention

Listener = Callable[[nn.Module, tuple[Any, ...], Any], None]


@contextlib.contextmanager
def listening(network: nn.Module, listener: Listener) -> Iterator[None]:
    """Calls ``listener(module, inputs, output)`` after every module, in the order of running."""
    handles = [module.register_forward_hook(listener) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Attention:
    """The weights that a network's modules gave; None or empty for modules that it lacks."""

    places: Tensor | None
    """sigma_s of channel attention (eq. 7): (N, h, w) in 0..1."""
    channels: Tensor | None
    """sigma_c of channel attention (eq. 6): (N, C) in 0..1."""
    scales: tuple[Tensor, ...]
    """How strongly the four groups of each scale attention (eq. 4) answer, from the one
    without atrous convolution to the farthest reaching: (N, 4, h, w) each, the mean
    magnitude of the group's channels."""
    lines: Tensor | None
    """The line head's probability that a scratch runs through a cell: (N, 32, 32) in 0..1."""


@torch.no_grad()
def attention(network: nn.Module, windows: Tensor, full_scale: float = 255.0) -> Attention:
    """The weights that ``network``, in evaluation mode, gives to windows.

    ``windows`` (N, 256, 256) float32 grey levels.
    """
    places: list[Tensor] = []
    channels: list[Tensor] = []
    scales: list[Tensor] = []
    lines: list[Tensor] = []
    fusing = {module.fuse for module in network.modules() if isinstance(module, ScaleAttention)}
    # A dense network asks its channel attention for its parts, behind the last stage.
    dense = network if isinstance(network, DenseNetwork) else None

    def attend(module: ChannelAttention, features: Tensor) -> None:
        squeezed = features.mean((2, 3), keepdim=True)
        places.append(torch.sigmoid(module.place(features)).squeeze(1))
        channels.append(torch.sigmoid(module.excite(squeezed)).flatten(1))

    def read(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, ChannelAttention):
            attend(module, inputs[0])
        elif dense is not None and module is dense.stages[-1]:
            assert isinstance(dense.attend, ChannelAttention)
            attend(dense.attend, output)
        elif isinstance(module, LineHead):
            lines.append(AttentionFusionNetwork.line_probabilities(module.lines_of(output)))
        elif module in fusing:
            groups = inputs[0].chunk(4, dim=1)
            scales.append(torch.stack([group.abs().mean(1) for group in groups], dim=1))

    with listening(network, read):
        network.classify(windows, full_scale)  # type: ignore[operator]
    return Attention(
        places=places[-1] if places else None,
        channels=channels[-1] if channels else None,
        scales=tuple(scales),
        lines=lines[-1] if lines else None,
    )
