"""Where in a window the scratches run: a light segmentation head on the trunk's features."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from darkscan.network.modules import ConvNorm

CELL = 8
"""The side of a cell of the line map, pixels."""


class LineHead(nn.Module):
    """Joins three stages' features to one map of cells of 8 px that a scratch crosses.

    Taught where scratches run, the trunk learns lines from every cell rather than one
    answer from every window; and pooled by their maximum, its features keep a short
    scratch that global average pooling would thin out (the paper's own weakness on
    discontinuous scratches).
    """

    def __init__(self, channels: Sequence[int]) -> None:
        """``channels`` of the three stages, at strides of 8, 16 and 32 px."""
        super().__init__()
        self.hidden = channels[0]
        self.lateral = nn.ModuleList(
            ConvNorm(count, self.hidden, 1, relu=False) for count in channels
        )
        self.join = ConvNorm(self.hidden, self.hidden, 3)
        self.lines = nn.Conv2d(self.hidden, 1, 1)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Hidden features (N, C, h, w) and the logits (N, h, w) of cells of 8 px."""
        laterals = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        joined = laterals[-1]
        for finer in laterals[-2::-1]:
            joined = finer + nn.functional.interpolate(joined, scale_factor=2, mode="nearest")
        hidden: Tensor = self.join(torch.relu(joined))
        lines: Tensor = self.lines(hidden)
        return hidden, lines.squeeze(1)
