"""The modules of the Attention Fusion Network, and the line head beside them.

The equations are those of Tao et al., "Weak Scratch Detection of Optical Components
Using Attention Fusion Network"; where the paper is silent, docs/decisions/0003 says
what was chosen. Tensors are float32; images and feature maps are (N, C, H, W).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from darkscan.simulation.element.kinds import UNKNOWN, Kind

GREY_RANGE = 255.0
"""The range that brightness adjustment stretches every window to, whatever the camera."""

_ATROUS_RATES = (1, 3, 5)
_WEIGHING = 16  # channels between a line bank's strengths and the logits of cells
_KIND_WEIGHTS = (1.0, 2.0, 2.0, 1.0, 4.0, 8.0, 4.0)  # the rarer a kind, the more it counts
_KIND_LOSS = 0.15
_LIKELIEST = 0.999
_DIRECTION_LOSS = 0.05


class ConvNorm(nn.Sequential):
    """A convolution that keeps the size (for stride 1), batch norm, and an optional ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        rate: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                inputs,
                outputs,
                kernel,
                stride,
                padding=rate * (kernel // 2),
                dilation=rate,
                bias=False,
            ),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True) if relu else nn.Identity(),
        )

    def fold(self) -> None:
        """Merges the batch norm into the convolution; only for evaluation, only once."""
        convolution, norm = self[0], self[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        self[0] = fuse_conv_bn_eval(convolution, norm)
        self[1] = nn.Identity()


class BrightnessAdjustment(nn.Module):
    """Hard attention, eq. 1-3: each window stretched to 0..255 and laid beside the raw one."""

    @staticmethod
    def coefficients(windows: Tensor) -> tuple[Tensor, Tensor]:
        """Gain W_mult and offset W_add, (N,) each, of windows (N, H, W) in grey levels.

        A flat window (V_max == V_min) has nothing to stretch: its gain and offset are 0,
        so its adjusted channel is black.
        """
        low, high = windows.amin((1, 2)), windows.amax((1, 2))
        flat = high == low
        gains = torch.where(flat, 0.0, GREY_RANGE / torch.where(flat, 1.0, high - low))
        return gains, -gains * low

    def forward(self, windows: Tensor, gains: Tensor, offsets: Tensor) -> Tensor:
        """Windows (N, H, W) in grey levels, adjusted: (N, H, W) in 0..1."""
        adjusted = windows * gains[:, None, None] + offsets[:, None, None]
        return adjusted / GREY_RANGE


class ScaleAttention(nn.Module):
    """Res2Net-A, eq. 4: a quarter of the channels at each of four growing reaches."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        group = channels // (len(_ATROUS_RATES) + 1)
        self.split = ConvNorm(channels, channels, 1)
        self.atrous = nn.ModuleList(ConvNorm(group, group, 3, rate=r) for r in _ATROUS_RATES)
        self.fuse = ConvNorm(channels, channels, 1, relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape (N, C, H, W)."""
        first, *others = self.split(features).chunk(len(self.atrous) + 1, dim=1)
        outputs = [first]
        for group, atrous in zip(others, self.atrous, strict=True):
            outputs.append(atrous(group + outputs[-1]))
        return torch.relu(features + self.fuse(torch.cat(outputs, dim=1)))


class ChannelAttention(nn.Module):
    """Eq. 5-8: the features weighted by channel, plus the features weighted by place."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        squeezed = max(channels // reduction, 4)
        self.excite = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
        )
        self.place = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape (N, C, H, W)."""
        squeezed = features.mean((2, 3), keepdim=True)
        by_channel = torch.sigmoid(self.excite(squeezed))
        return by_channel * features + self.by_place(features)

    def by_place(self, features: Tensor) -> Tensor:
        """The features (N, C, H, W) weighted by place."""
        return torch.sigmoid(self.place(features)) * features

    def channel_weights(self, means: Tensor) -> Tensor:
        """The weight of each channel, (B, N, C) of means (B, N, C) over N regions."""
        squeezed = means.reshape(-1, means.shape[2], 1, 1)
        return torch.sigmoid(self.excite(squeezed)).reshape(means.shape)


class ResidualBlock(nn.Module):
    """ResNet18's basic block: two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3, stride=stride)
        self.second = ConvNorm(outputs, outputs, 3, relu=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = ConvNorm(inputs, outputs, 1, stride=stride, relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        return torch.relu(self.shortcut(features) + self.second(self.first(features)))


CELL = 8
"""The side of a cell of the line map, pixels."""
KINDS = len(Kind)
"""How many kinds of cells there are."""


class LineHead(nn.Module):
    """Joins three stages' features to one map of cells of 8 px that a scratch crosses.

    Taught where scratches run, the trunk learns lines from every cell rather than one
    answer from every window; and pooled by their maximum, its features keep a short
    scratch that global average pooling would thin out (the paper's own weakness on
    discontinuous scratches).
    """

    def __init__(self, channels: Sequence[int], *, strengths: int = 0, kinds: bool = False) -> None:
        """``channels`` of the three stages, at strides of 8, 16 and 32 px.

        ``strengths``: how many a line bank gives for each cell, weighed beside the features.
        ``kinds``: it also tells each cell's kind and direction.
        """
        super().__init__()
        self.hidden = channels[0]
        self.lateral = nn.ModuleList(
            ConvNorm(count, self.hidden, 1, relu=False) for count in channels
        )
        self.join = ConvNorm(self.hidden, self.hidden, 3)
        self.lines = nn.Conv2d(self.hidden, 1, 1)
        self.weigh: nn.Module | None = None
        if strengths:
            self.weigh = nn.Sequential(
                nn.Conv2d(self.hidden + strengths, _WEIGHING, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(_WEIGHING, 1, 1),
            )
        self.kinds = nn.Conv2d(self.hidden, KINDS, 1) if kinds else None
        self.directions = nn.Conv2d(self.hidden, 2, 1) if kinds else None

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Hidden features (N, C, h, w) of cells of 8 px."""
        laterals = [lateral(f) for lateral, f in zip(self.lateral, features, strict=True)]
        joined = laterals[-1]
        for finer in laterals[-2::-1]:
            joined = finer + nn.functional.interpolate(joined, scale_factor=2, mode="nearest")
        hidden: Tensor = self.join(torch.relu(joined))
        return hidden

    def lines_of(self, hidden: Tensor, strengths: Tensor | None = None) -> Tensor:
        """The logits (N, h, w) that a scratch crosses each cell, from the hidden features.

        ``strengths`` (N, S, h, w) are a line bank's.
        """
        lines: Tensor = self.lines(hidden)
        if self.weigh is not None and strengths is not None:
            lines = lines + self.weigh(torch.cat((hidden, strengths), dim=1))
        return lines.squeeze(1)

    def kinds_of(self, hidden: Tensor) -> Tensor:
        """Each cell's likeliest kind (N, h, w): its number plus its probability, less than 1.

        Training weighs kinds, and so raises their odds by that; here it is taken off again.
        """
        assert self.kinds is not None
        weights = hidden.new_tensor(_KIND_WEIGHTS).log()
        probabilities = (self.kinds(hidden) - weights[:, None, None]).softmax(dim=1)
        probability, kind = probabilities.max(dim=1)
        told: Tensor = kind.to(hidden.dtype) + probability.clamp(max=_LIKELIEST)
        return told

    def kinds_loss(self, hidden: Tensor, kinds: Tensor, directions: Tensor) -> Tensor:
        """What kinds and directions add to the loss of training.

        ``hidden`` (N, C, h, w); ``kinds`` (N, h, w) int64, some of which may be unknown;
        ``directions`` (N, h, w) float32, degrees from x towards y, where a scratch runs. A
        direction is told as the cosine and sine of twice its angle, since a line has no ends.
        """
        assert self.kinds is not None
        assert self.directions is not None
        weights = hidden.new_tensor(_KIND_WEIGHTS)
        known = weights[kinds.clamp(max=KINDS - 1)] * (kinds != UNKNOWN)
        by_kind = nn.functional.cross_entropy(
            self.kinds(hidden).float(), kinds, weights, ignore_index=UNKNOWN, reduction="sum"
        ) / known.sum().clamp(min=1.0)
        double = torch.deg2rad(2.0 * directions)
        true = torch.stack((double.cos(), double.sin()), dim=1)
        scratched = (kinds == Kind.SCRATCH).float()[:, None]
        missed = (self.directions(hidden).float() - true).square() * scratched
        by_direction = missed.sum() / scratched.sum().clamp(min=1.0)
        loss: Tensor = _KIND_LOSS * by_kind + _DIRECTION_LOSS * by_direction
        return loss
