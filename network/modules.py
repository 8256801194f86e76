"""The Attention Fusion Network: ResNet18 with brightness, scale and channel attention.

The equations are those of Tao et al., "Weak Scratch Detection of Optical Components
Using Attention Fusion Network"; where the paper is silent, docs/decisions/0003 says
what was chosen. Tensors are float32; images and feature maps are (N, C, H, W).
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

GREY_RANGE = 255.0
"""The range that brightness adjustment stretches every window to, whatever the camera."""

_STAGE_CHANNELS = (64, 128, 256, 512)
_ATROUS_RATES = (1, 3, 5)
# Channel counts are multiples of this, so that scale attention's groups have four channels
# or more: on groups of two, oneDNN's channels-last gradients end the process.
_UNIT = 16


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

    def forward(
        self, windows: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> Tensor:
        """The trunk's input (N, 2, H, W): raw in parts of full scale, adjusted in 0..1.

        ``windows`` (N, H, W) and ``full_scale`` () are in the camera's grey levels.
        """
        adjusted = windows * gains[:, None, None] + offsets[:, None, None]
        return torch.stack((windows / full_scale, adjusted / GREY_RANGE), dim=1)


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
        by_place = torch.sigmoid(self.place(features))
        return by_channel * features + by_place * features


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


class AttentionFusionNetwork(nn.Module):
    """Windows to one logit each: positive means scratch.

    ``width`` multiplies every channel count; 1.0 is the paper's ResNet18 (12.5 M
    parameters, 2.6 GMAC a 256x256 window), and cost falls with its square.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        channels = [max(1, round(width * count / _UNIT)) * _UNIT for count in _STAGE_CHANNELS]
        self.width = width
        self.adjust = BrightnessAdjustment()
        self.stem = ConvNorm(2, channels[0], 7, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        stages: list[nn.Module] = []
        inputs = channels[0]
        for index, outputs in enumerate(channels):
            stages += [
                ResidualBlock(inputs, outputs, stride=1 if index == 0 else 2),
                ResidualBlock(outputs, outputs, stride=1),
                ScaleAttention(outputs),
            ]
            inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.attend = ChannelAttention(inputs)
        self.head = nn.Linear(inputs, 1)
        self._initialise()

    def forward(
        self, windows: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> Tensor:
        """Logits (N,) of windows (N, H, W) in grey levels with their brightness adjustment."""
        channels = self.adjust(windows, gains, offsets, full_scale)
        features = self.attend(self.stages(self.pool(self.stem(channels))))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits.squeeze(1)

    def classify(self, windows: Tensor, full_scale: float = GREY_RANGE) -> Tensor:
        """Logits (N,) of windows (N, H, W) in grey levels, which it adjusts itself."""
        gains, offsets = self.adjust.coefficients(windows)
        logits: Tensor = self(windows, gains, offsets, windows.new_tensor(full_scale))
        return logits

    def fold(self) -> "AttentionFusionNetwork":
        """Merges every batch norm into its convolution, in place, for evaluation."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        with torch.no_grad():
            # Filters without a mean look past the background's level, which varies far
            # more than a weak scratch does; training may give them one.
            weight = self.stem[0].weight
            assert isinstance(weight, Tensor)
            weight -= weight.mean((2, 3), keepdim=True)
