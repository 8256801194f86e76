"""InceptionV3: Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016.

Layers follow torchvision's ``inception_v3``, ported from the authors' TensorFlow
definition, without the auxiliary head: 23,834,568 parameters (27,161,264 with it).
"""

import torch
from torch import Tensor, nn

from darkscan.network.peers._parts import Peer, channels, conv_norm, initialise

_EPS = 1e-3
_DROPPED = 0.2  # TF-Slim's inception_v3 keeps 0.8

Kernel = int | tuple[int, int]


class Mixed(nn.Module):
    """Branches side by side, their channels joined."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) to the sum of the branches' channels."""
        return torch.cat([branch(features) for branch in self.branches], dim=1)


class InceptionV3(Peer):
    """The published form has 3 inputs and 1000 outputs."""

    def __init__(self, width: float = 1.0, *, inputs: int = 1, outputs: int = 1) -> None:
        super().__init__("inception-v3", width, inputs)
        stem, reached = self._chain(
            inputs, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3), None, (80, 1), (192, 3, 1, 0), None
        )
        layers: list[nn.Module] = [stem]
        for pooled in (32, 64, 64):
            layers.append(self._square(reached, pooled))
            reached = sum(channels(count, width) for count in (64, 64, 96, pooled))
        layers.append(self._square_halved(reached))
        reached += channels(384, width) + channels(96, width)
        for inner in (128, 160, 160, 192):
            layers.append(self._factorised(reached, inner))
            reached = 4 * channels(192, width)
        layers.append(self._factorised_halved(reached))
        reached += channels(320, width) + channels(192, width)
        for _ in range(2):
            layers.append(self._expanded(reached))
            reached = channels(320, width) + 4 * channels(384, width) + channels(192, width)
        self.features = nn.Sequential(*layers)
        for module in self.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = _EPS
        self.drop = nn.Dropout(_DROPPED)
        self.head = nn.Linear(reached, outputs)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, outputs) of images (N, inputs, H, W)."""
        logits: Tensor = self.head(self.drop(self.features(images).mean((2, 3))))
        return logits

    def _chain(
        self,
        inputs: int,
        *layers: tuple[int, Kernel] | tuple[int, Kernel, int, int] | None,
    ) -> tuple[nn.Sequential, int]:
        """Convolutions (outputs, kernel[, stride, padding]) in turn, None a max pool; channels."""
        chain: list[nn.Module] = []
        for layer in layers:
            if layer is None:
                chain.append(nn.MaxPool2d(3, stride=2))
                continue
            published, kernel, *rest = layer
            outputs = channels(published, self.width)
            stride, padding = rest or (1, None)
            chain.append(conv_norm(inputs, outputs, kernel, stride=stride, padding=padding))
            inputs = outputs
        return nn.Sequential(*chain), inputs

    def _branch(
        self, inputs: int, *layers: tuple[int, Kernel] | tuple[int, Kernel, int, int]
    ) -> nn.Sequential:
        return self._chain(inputs, *layers)[0]

    def _pooled(self, inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.AvgPool2d(3, 1, 1), self._branch(inputs, (outputs, 1)))

    def _square(self, inputs: int, pooled: int) -> Mixed:
        """The paper's figure 5; its 5x5 as the authors' code keeps it."""
        return Mixed(
            self._branch(inputs, (64, 1)),
            self._branch(inputs, (48, 1), (64, 5)),
            self._branch(inputs, (64, 1), (96, 3), (96, 3)),
            self._pooled(inputs, pooled),
        )

    def _square_halved(self, inputs: int) -> Mixed:
        """Figure 10, from 35x35 to 17x17."""
        return Mixed(
            self._branch(inputs, (384, 3, 2, 0)),
            self._branch(inputs, (64, 1), (96, 3), (96, 3, 2, 0)),
            nn.MaxPool2d(3, stride=2),
        )

    def _factorised(self, inputs: int, inner: int) -> Mixed:
        """Figure 6 with n = 7."""
        row, column = (1, 7), (7, 1)
        return Mixed(
            self._branch(inputs, (192, 1)),
            self._branch(inputs, (inner, 1), (inner, row), (192, column)),
            self._branch(
                inputs, (inner, 1), (inner, column), (inner, row), (inner, column), (192, row)
            ),
            self._pooled(inputs, 192),
        )

    def _factorised_halved(self, inputs: int) -> Mixed:
        """Figure 10 again, from 17x17 to 8x8."""
        return Mixed(
            self._branch(inputs, (192, 1), (320, 3, 2, 0)),
            self._branch(inputs, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, 0)),
            nn.MaxPool2d(3, stride=2),
        )

    def _expanded(self, inputs: int) -> Mixed:
        """Figure 7: the last convolution of two branches as a row beside a column."""
        inner = channels(384, self.width)

        def cross() -> Mixed:
            return Mixed(self._branch(inner, (384, (1, 3))), self._branch(inner, (384, (3, 1))))

        return Mixed(
            self._branch(inputs, (320, 1)),
            nn.Sequential(self._branch(inputs, (384, 1)), cross()),
            nn.Sequential(self._branch(inputs, (448, 1), (384, 3)), cross()),
            self._pooled(inputs, 192),
        )
