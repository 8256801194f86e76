"""Xception: Chollet, "Deep Learning with Depthwise Separable Convolutions", CVPR 2017.

Layers follow the paper's figure 5 and the author's Keras definition, whose 22,855,952
trainable parameters are table 3's (Keras also counts 54,528 batch norm statistics).
"""

from itertools import pairwise

from torch import Tensor, nn

from darkscan.network.peers._parts import Peer, channels, conv_norm, initialise

_MIDDLE_BLOCKS = 8


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """A 3x3 filter for each channel, a 1x1 across them, batch norm: nothing in between."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class XceptionBlock(nn.Module):
    """Separable convolutions beside a shortcut; ``counts`` are the channels between them.

    A block that changes the channel count also halves the size.
    """

    def __init__(self, counts: tuple[int, ...], *, relu_first: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise(counts)):
            if index or relu_first:
                # The first must leave the shortcut's input as it is.
                layers.append(nn.ReLU(inplace=index > 0))
            layers.append(separable(inputs, outputs))
        self.shortcut: nn.Module = nn.Identity()
        if counts[0] != counts[-1]:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
            self.shortcut = conv_norm(counts[0], counts[-1], 1, stride=2, relu=False)
        self.separables = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """(N, first count, H, W) to (N, last count, H, W), or half of H and W."""
        summed: Tensor = self.separables(features) + self.shortcut(features)
        return summed


class Xception(Peer):
    """The published form has 3 inputs and 1000 outputs."""

    def __init__(self, width: float = 1.0, *, inputs: int = 1, outputs: int = 1) -> None:
        super().__init__("xception", width, inputs)
        c32, c64, c128, c256, c728, c1024, c1536, c2048 = (
            channels(count, width) for count in (32, 64, 128, 256, 728, 1024, 1536, 2048)
        )
        self.features = nn.Sequential(
            conv_norm(inputs, c32, 3, stride=2, padding=0),
            conv_norm(c32, c64, 3, padding=0),
            XceptionBlock((c64, c128, c128), relu_first=False),
            XceptionBlock((c128, c256, c256)),
            XceptionBlock((c256, c728, c728)),
            *(XceptionBlock((c728, c728, c728, c728)) for _ in range(_MIDDLE_BLOCKS)),
            XceptionBlock((c728, c728, c1024)),
            separable(c1024, c1536),
            nn.ReLU(inplace=True),
            separable(c1536, c2048),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(c2048, outputs)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, outputs) of images (N, inputs, H, W)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits
