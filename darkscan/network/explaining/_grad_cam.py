"""Grad-CAM: which places of the last feature maps raised the logit.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, reference [26] of the paper.
"""

from typing import Any

import torch
from torch import Tensor, nn

from darkscan.network.dense import DenseNetwork
from darkscan.network.explaining._attention import listening
from darkscan.network.modules import ChannelAttention

_MAPS = 4  # dimensions of feature maps: (N, C, h, w)


def grad_cam(
    network: nn.Module, windows: Tensor, full_scale: float = 255.0
) -> tuple[Tensor, Tensor]:
    """Logits (N,) and class activation maps (N, h, w) float32, not below 0, of windows.

    ``windows`` (N, 256, 256) float32 grey levels, ``network`` in evaluation mode. With
    A_k the last feature maps that the logit y depends on, and Z their h * w places:

        alpha_k = 1/Z sum_ij dy / dA_k,ij        (eq. 1 of Grad-CAM)
        map     = ReLU(sum_k alpha_k A_k)        (eq. 2)

    The last feature maps are those after the channel attention; of a dense network, which
    attends to the windows that it pools, those before it; else the output of the last
    module that gives several channels and several places. A map is all 0 where
    nothing speaks for a scratch. Raises ValueError if the network has no feature maps.
    """
    wanted = _ends_of(network)
    maps: list[Tensor] = []

    def keep(module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        if module in wanted and isinstance(output, Tensor) and _is_feature_map(output):
            maps.append(output)

    with torch.enable_grad(), listening(network, keep):
        # A window that wants its gradient makes every map have one, frozen weights or not.
        logits: Tensor = network.classify(  # type: ignore[operator]
            windows.detach().clone().requires_grad_(), full_scale
        )
        features, gradient = _last(logits, maps)
    alpha = gradient.mean((2, 3), keepdim=True)
    cam = torch.relu((alpha * features).sum(dim=1))
    return logits.detach(), cam.detach()


def _ends_of(network: nn.Module) -> set[nn.Module]:
    """The modules among whose outputs the last feature maps are."""
    if isinstance(network, DenseNetwork):
        return {network.stages[-1]}
    modules = set(network.modules())
    return {module for module in modules if isinstance(module, ChannelAttention)} or modules


def _is_feature_map(output: Tensor) -> bool:
    return (
        output.ndim == _MAPS
        and output.requires_grad
        and output.shape[1] > 1
        and min(output.shape[2:]) > 1
    )


def _last(logits: Tensor, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The last of the maps that the logits depend on, and the logits' gradient there."""
    if maps:
        # Windows do not touch each other, so the sum's gradient is each window's own.
        gradients = torch.autograd.grad(logits.sum(), maps, allow_unused=True)
        found = [pair for pair in zip(maps, gradients, strict=True) if pair[1] is not None]
        # Where a network answers at several scales, the gradients of the maps that the
        # strongest answer did not come from are 0 everywhere.
        telling = [pair for pair in found if pair[1].any()]
        if found:
            return (telling or found)[-1]
    raise ValueError("the network has no feature maps that its logit depends on")
