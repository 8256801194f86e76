import pytest
import torch
from torch import Tensor, nn

from darkscan.network.complexity import count_macs, measure
from darkscan.network.modules import ConvNorm, ResidualBlock


class Counted(nn.Module):
    """A convolution of 9 x 1 x 4 weights, its norm, and a linear layer of 4 + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 1)

    def classify(self, windows: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.convolution(windows[:, None])).mean((2, 3)))
        return logits[:, 0]


def test_a_small_network_counted_by_hand() -> None:
    network = Counted()
    cost = measure(network, window=16)
    assert cost.parameters == 36 + 8 + 5
    assert cost.macs == 8 * 8 * 36 + 4
    # The norm's mean and variance, and the int64 that counts its batches.
    assert cost.megabytes == pytest.approx((4 * (49 + 8) + 8) / 1e6)
    assert network.training


@pytest.mark.parametrize(
    ("groups", "macs"), [(1, 10 * 10 * 9 * 8 * 8), (8, 10 * 10 * 9 * 8)], ids=["full", "depthwise"]
)
def test_a_filter_counts_the_channels_that_it_sees(groups: int, macs: int) -> None:
    layer = nn.Conv2d(8, 8, 3, padding=1, groups=groups)
    assert count_macs(lambda: layer(torch.zeros(1, 8, 10, 10))) == macs


def test_resnet18_of_our_blocks_is_torchvisions() -> None:
    blocks: list[nn.Module] = []
    for inputs, outputs in ((64, 64), (64, 128), (128, 256), (256, 512)):
        blocks += [
            ResidualBlock(inputs, outputs, 1 if inputs == outputs else 2),
            ResidualBlock(outputs, outputs, 1),
        ]
    network = nn.Sequential(
        ConvNorm(3, 64, 7, stride=2),
        nn.MaxPool2d(3, 2, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 1000),
    ).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512
    macs = count_macs(lambda: network(torch.zeros(1, 3, 224, 224)))
    assert macs == pytest.approx(1.814e9, rel=1e-3)
