"""Attention-56 and Attention-92: Wang et al., "Residual Attention Network", CVPR 2017.

Layers follow the authors' own Caffe definitions (github.com/fwang91/
residual-attention-network, model/Attention-56-deploy.prototxt and -92-): units of
pre-activation, p = 1, t = 2, r = 1. There the mask ends in a hyperbolic tangent; the
sigmoid of the paper's section 3.2 is taken here. The paper's table 6 counts 31.9 and 51.3
million parameters and 6.2 and 10.4 GMAC for 224x224; these layers have 31.8 and 52.5
million, 6.27 and 10.53 GMAC.
"""

from torch import Tensor, nn
from torch.nn.functional import interpolate

from darkscan.network.peers._parts import Peer, channels, conv_norm, initialise

_STAGE_CHANNELS = (256, 512, 1024)
_LAST_CHANNELS = 2048


class PreActivationUnit(nn.Module):
    """He et al. 2016's bottleneck: norm and ReLU before each of 1x1, 3x3, 1x1."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        inner = outputs // 4
        self.activate = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(
            conv_norm(inputs, inner, 1),
            conv_norm(inner, inner, 3, stride=stride),
            nn.Conv2d(inner, outputs, 1, bias=False),
        )
        self.project = (
            nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            if stride != 1 or inputs != outputs
            else None
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        activated = self.activate(features)
        shortcut = features if self.project is None else self.project(activated)
        summed: Tensor = shortcut + self.residual(activated)
        return summed


class HalfScale(nn.Module):
    """The mask's part at half the size: a unit, the same deeper down, a unit, and back up.

    At the deepest of ``depth`` levels there are two units and nothing between them.
    """

    def __init__(self, count: int, depth: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.down = PreActivationUnit(count, count)
        self.deeper = HalfScale(count, depth - 1) if depth > 1 else None
        self.skip = PreActivationUnit(count, count) if depth > 1 else None
        self.up = PreActivationUnit(count, count)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape (N, C, H, W)."""
        halved = self.down(self.pool(features))
        if self.deeper is not None and self.skip is not None:
            halved = self.skip(halved) + self.deeper(halved)
        return interpolate(
            self.up(halved), size=features.shape[2:], mode="bilinear", align_corners=True
        )


class AttentionModule(nn.Module):
    """The trunk T of two units, weighted by the mask M: (1 + M) T, the paper's eq. 3."""

    def __init__(self, count: int, depth: int) -> None:
        super().__init__()
        self.first = PreActivationUnit(count, count)
        self.trunk = nn.Sequential(PreActivationUnit(count, count), PreActivationUnit(count, count))
        self.mask = nn.Sequential(
            HalfScale(count, depth),
            nn.BatchNorm2d(count),
            nn.ReLU(inplace=True),
            conv_norm(count, count, 1),
            nn.Conv2d(count, count, 1, bias=False),
            nn.Sigmoid(),
        )
        self.last = PreActivationUnit(count, count)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape (N, C, H, W)."""
        begun = self.first(features)
        weighted: Tensor = self.last((1 + self.mask(begun)) * self.trunk(begun))
        return weighted


class ResidualAttentionNetwork(Peer):
    """``modules`` says how many attention modules each of the three stages has.

    The published form has 3 inputs and 1000 outputs; a mask reaches three levels down in
    the first stage, two in the second, one in the third.
    """

    def __init__(
        self,
        name: str,
        modules: tuple[int, int, int],
        width: float = 1.0,
        *,
        inputs: int = 1,
        outputs: int = 1,
    ) -> None:
        super().__init__(name, width, inputs)
        reached = channels(64, width)
        layers: list[nn.Module] = [
            conv_norm(inputs, reached, 7, stride=2),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        for stage, (published, count) in enumerate(zip(_STAGE_CHANNELS, modules, strict=True)):
            stage_channels = 4 * channels(published // 4, width)
            layers.append(PreActivationUnit(reached, stage_channels, 1 if stage == 0 else 2))
            depth = len(modules) - stage
            layers += [AttentionModule(stage_channels, depth) for _ in range(count)]
            reached = stage_channels
        last = 4 * channels(_LAST_CHANNELS // 4, width)
        layers += [
            PreActivationUnit(reached, last, 2),
            PreActivationUnit(last, last),
            PreActivationUnit(last, last),
            nn.BatchNorm2d(last),
            nn.ReLU(inplace=True),
        ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(last, outputs)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, outputs) of images (N, inputs, H, W)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def attention_56(
    width: float = 1.0, *, inputs: int = 1, outputs: int = 1
) -> ResidualAttentionNetwork:
    """One attention module a stage."""
    return ResidualAttentionNetwork(
        "attention-56", (1, 1, 1), width, inputs=inputs, outputs=outputs
    )


def attention_92(
    width: float = 1.0, *, inputs: int = 1, outputs: int = 1
) -> ResidualAttentionNetwork:
    """One, two and three attention modules in the first, second and third stage."""
    return ResidualAttentionNetwork(
        "attention-92", (1, 2, 3), width, inputs=inputs, outputs=outputs
    )
