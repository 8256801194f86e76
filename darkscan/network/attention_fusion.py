"""The Attention Fusion Network and its ablations: a ResNet18 trunk, attention switched on or off.

The paper's network is ``AttentionFusionNetwork(width)``; Table III's rows leave parts of
it out. Two parts go past the paper, off unless asked for: sigma clipping beside the
brightness adjustment, and a line head beside the global pooling (docs/decisions/0011).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from darkscan.network.batches import Batch
from darkscan.network.line_bank import CHANNELS as BANK_CHANNELS
from darkscan.network.line_bank import STRENGTHS, LineBank
from darkscan.network.modules import (
    GREY_RANGE,
    BrightnessAdjustment,
    ChannelAttention,
    ConvNorm,
    LineHead,
    ResidualBlock,
    ScaleAttention,
)
from darkscan.network.sigma_clipping import SigmaClipping, in_sigmas

_STAGE_CHANNELS = (64, 128, 256, 512)
# Channel counts are multiples of this, so that scale attention's groups have four channels
# or more: on groups of two, oneDNN's channels-last gradients end the process.
_UNIT = 16
_STEM, _STEM_BESIDE_BANK = 7, 5  # sides of the first filters: longer lines are the bank's
_BANK_STAGE = 1  # the stage whose features lie on cells of 8 px, as the line bank's answers do
# The line head's share of the loss: enough to teach the trunk lines, not to rule it.
_LINE_LOSS = 0.5
_LINE_CELLS_WEIGHT = 8.0  # one cell in a hundred is on a scratch


@dataclass(frozen=True)
class Parts:
    """The parts that a network has beside its trunk: by default those of the paper."""

    adjust: bool = True
    """The paper's brightness adjustment, BA: a second input channel."""
    scale: bool = True
    """The paper's scale attention, SA."""
    channel: bool = True
    """The paper's channel attention, CA."""
    clip: bool = False
    """A sigma-clipped input channel, past the paper."""
    lines: bool = False
    """The line head, past the paper."""
    bank: bool = False
    """The line bank, and the strongest cell of a window, past the paper."""
    kinds: bool = False
    """Kinds and directions of cells in the line head, past the paper."""


class AttentionFusionNetwork(nn.Module):
    """Windows to one logit each: positive means scratch.

    ``width`` multiplies every channel count; 1.0 is the paper's ResNet18 (12.5 M
    parameters, 2.6 GMAC a 256x256 window), and cost falls with its square.
    """

    def __init__(
        self, width: float = 1.0, *, name: str = "afn", parts: Parts | None = None
    ) -> None:
        super().__init__()
        channels = [max(1, round(width * count / _UNIT)) * _UNIT for count in _STAGE_CHANNELS]
        self.name = name
        self.width = width
        self.parts = parts = parts or Parts()
        self.adjust = BrightnessAdjustment() if parts.adjust else None
        self.clip = SigmaClipping() if parts.clip else None
        side = _STEM_BESIDE_BANK if parts.bank else _STEM
        self.stem = ConvNorm(1 + parts.adjust + parts.clip, channels[0], side, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        stages: list[nn.Module] = []
        inputs = channels[0]
        for index, outputs in enumerate(channels):
            blocks: list[nn.Module] = [
                ResidualBlock(inputs, outputs, stride=1 if index == 0 else 2),
                ResidualBlock(outputs, outputs, stride=1),
            ]
            # At the finer stages the line bank reaches farther, at less cost.
            if parts.scale and not (parts.bank and index <= _BANK_STAGE):
                blocks.append(ScaleAttention(outputs))
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.stages = nn.ModuleList(stages)
        self.attend: nn.Module = ChannelAttention(inputs) if parts.channel else nn.Identity()
        strengths = STRENGTHS if parts.bank else 0
        self.line_head: LineHead | None = None
        if parts.lines:
            self.line_head = LineHead(channels[1:], strengths=strengths, kinds=parts.kinds)
        self.bank: LineBank | None = None
        if parts.bank:
            self.bank = LineBank()
            self.evidence = ConvNorm(BANK_CHANNELS, channels[_BANK_STAGE], 1, relu=False)
        further = 2 * self.line_head.hidden if self.line_head else 0
        self.head = nn.Linear(inputs + further + parts.bank + strengths, 1)
        self._initialise()

    def forward(
        self, windows: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> Tensor:
        """Logits (N,) of windows (N, H, W) in grey levels with their brightness adjustment.

        ``full_scale``, () or (N, 1, 1), is the largest grey level the camera can give.
        """
        return self.logits_and_lines(windows, gains, offsets, full_scale)[0]

    def classify(self, windows: Tensor, full_scale: float = GREY_RANGE) -> Tensor:
        """Logits (N,) of windows (N, H, W) in grey levels, which it adjusts itself."""
        gains, offsets = BrightnessAdjustment.coefficients(windows)
        logits: Tensor = self(windows, gains, offsets, windows.new_tensor(full_scale))
        return logits

    def training_loss(self, batch: Batch) -> Tensor:
        """Binary cross entropy of the windows and, with a line head, of its cells."""
        windows = batch.windows.float()
        gains, offsets = BrightnessAdjustment.coefficients(windows)
        logits, lines = self.logits_and_lines(windows, gains, offsets, batch.full_scale)
        return self.loss(logits, batch.labels, lines, batch.lines)

    @staticmethod
    def loss(logits: Tensor, labels: Tensor, lines: Tensor | None, cells: Tensor) -> Tensor:
        """The loss of logits (N,) with their labels, and of a line head's cells (N, h, w)."""
        entropy = nn.functional.binary_cross_entropy_with_logits
        loss = entropy(logits, labels)
        if lines is not None:
            weight = lines.new_tensor(_LINE_CELLS_WEIGHT)
            loss = loss + _LINE_LOSS * entropy(lines, cells, pos_weight=weight)
        return loss

    @staticmethod
    def line_probabilities(lines: Tensor) -> Tensor:
        """The probability of each cell that a scratch crosses it, from its logit.

        Training weighs cells on scratches, which are rare, and so raises their odds by
        that weight; here it is taken off again.
        """
        return torch.sigmoid(lines - math.log(_LINE_CELLS_WEIGHT))

    def fold(self) -> "AttentionFusionNetwork":
        """Merges every batch norm into its convolution, in place, for evaluation."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self

    def twin(self) -> "AttentionFusionNetwork":
        """Another network of the same shape with the same weights."""
        twin = AttentionFusionNetwork(self.width, name=self.name, parts=self.parts)
        twin.load_state_dict(self.state_dict())
        return twin

    def logits_and_lines(
        self, windows: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """As ``forward``; and the logits (N, h, w) of cells of 8 px, if it has a line head."""
        reached, strengths = self.reached(self._channels(windows, gains, offsets, full_scale))
        features = self.attend(reached[-1])
        pooled = [features.mean((2, 3))]
        lines = None
        if self.line_head is not None:
            hidden = self.line_head([*reached[1:-1], features])
            lines = self.line_head.lines_of(hidden, strengths)
            pooled += [hidden.mean((2, 3)), hidden.amax((2, 3))]
            if strengths is not None:
                pooled += [lines.amax((1, 2))[:, None], strengths.amax((2, 3))]
        logits: Tensor = self.head(torch.cat(pooled, dim=1))
        return logits.squeeze(1), lines

    def reached(self, seen: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """The features (N, C, h, w) after each stage of the trunk, of its input (N, 1-3, H, W).

        With a line bank also its strengths (N, S, H/8, W/8).
        """
        features = self.pool(self.stem(seen))
        reached: list[Tensor] = []
        strengths: Tensor | None = None
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if self.bank is not None and index == _BANK_STAGE:
                answers, strengths = self.bank(in_sigmas(seen[:, -1]))
                features = features + self.evidence(answers)
            reached.append(features)
        return reached, strengths

    def _channels(
        self, windows: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> Tensor:
        """The trunk's input (N, 1 to 3, H, W): raw, adjusted, clipped."""
        channels = [windows / full_scale]
        if self.adjust is not None:
            channels.append(self.adjust(windows, gains, offsets))
        if self.clip is not None:
            channels.append(self.clip(windows))
        return torch.stack(channels, dim=1)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        with torch.no_grad():
            if self.bank is not None:
                # The bank joins a trunk as it is, and is heard as training finds it of use.
                joined = self.evidence[1].weight
                assert isinstance(joined, Tensor)
                joined.zero_()
            # Filters without a mean look past the background's level, which varies far
            # more than a weak scratch does; training may give them one.
            weight = self.stem[0].weight
            assert isinstance(weight, Tensor)
            weight -= weight.mean((2, 3), keepdim=True)
