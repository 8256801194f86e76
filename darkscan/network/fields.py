"""Quantities that change slowly over an image: known at its nodes, interpolated between them.

Interpolation is two matrix products with tent functions. As a resampling operator it would
give the same numbers; as products it runs at the full speed of every backend, and exports.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

NODE_PX = 128
"""Between two nodes, which lie on every multiple of it, both borders included."""

_BARELY = 1e-6  # a weight that counts only where there is no other


def tents(length: int, spacing: float, first: float, count: int, like: Tensor) -> Tensor:
    """(length, count) weights of ``count`` samples at ``first``, ``first + spacing``...

    Row p belongs to the middle of pixel p. Outside of the samples the nearest counts alone.
    """
    places = (torch.arange(length, device=like.device, dtype=like.dtype) + 0.5 - first) / spacing
    number = torch.arange(count, device=like.device, dtype=like.dtype)
    places = torch.minimum(places.clamp(min=0.0), number[-1])
    return torch.relu(1.0 - (places[:, None] - number).abs())


def interpolated(samples: Tensor, shape: Sequence[int], spacing: float, first: float) -> Tensor:
    """Samples (B, r, c) at ``first``, ``first + spacing``... both ways, as images (B, *shape)."""
    rows, columns = (
        tents(side, spacing, first, count, samples)
        for side, count in zip(shape, samples.shape[1:], strict=True)
    )
    return rows @ (samples @ columns.transpose(0, 1))


def at_nodes(values: Tensor, centres: Tensor, nodes: tuple[int, int]) -> Tensor:
    """Values (B, N) at places (N, 2), y and x in pixels, brought to the nodes: (B, *nodes).

    The places form a grid with steps of ``NODE_PX`` at most. Exact for places on nodes;
    else the mean of those nearer than ``NODE_PX``, weighted by their nearness. Nodes
    outside of the grid have what its border has; those in its gaps, the mean of all.
    """
    across, along = (
        _nearness(centres[:, axis].to(values.dtype), count) for axis, count in enumerate(nodes)
    )
    along = along.transpose(0, 1)
    everywhere = _BARELY * values.mean(1)[:, None, None]
    return ((values[:, None, :] * across) @ along + everywhere) / (across @ along + _BARELY)


def _nearness(places: Tensor, nodes: int) -> Tensor:
    """(nodes, N): 1 where a place lies on the node, 0 from ``NODE_PX`` on."""
    node = NODE_PX * torch.arange(nodes, device=places.device, dtype=places.dtype)
    node = torch.minimum(torch.maximum(node, places.amin(0)), places.amax(0))
    return torch.relu(1.0 - (node[:, None] - places).abs() / NODE_PX)
