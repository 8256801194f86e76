"""In their published form the peers have the published parameters and arithmetic."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from darkscan.network.complexity import count_macs
from darkscan.network.peers import InceptionV3, RetinaNet, Xception, attention_56, attention_92

EXACT = [
    pytest.param(Xception, 1000, 22_855_952, id="xception as chollet's table 3 and keras"),
    pytest.param(InceptionV3, 1000, 23_834_568, id="inception-v3 as timm, without auxiliary"),
    pytest.param(RetinaNet, 91, 34_014_999, id="retinanet as torchvision for coco"),
]
NEAR = [
    # The layers are the authors' own Caffe definition's; their table 6 is rounded otherwise.
    pytest.param(attention_56, 31.9e6, 0.005, id="attention-56"),
    pytest.param(attention_92, 51.3e6, 0.025, id="attention-92"),
]
ARITHMETIC = [
    pytest.param(attention_56, 224, 6.2e9, id="attention-56 as its table 6"),
    pytest.param(attention_92, 224, 10.4e9, id="attention-92 as its table 6"),
    pytest.param(Xception, 299, 8.40e9, id="xception as pytorchcv"),
    pytest.param(InceptionV3, 299, 5.713e9, id="inception-v3 as torchvision"),
]


def published(peer: Callable[..., nn.Module], outputs: int = 1000) -> nn.Module:
    """Without memory for its weights: only their shapes matter here."""
    with torch.device("meta"):
        return peer(inputs=3, outputs=outputs).eval()


def count(network: nn.Module, *, frozen: type[nn.Module] | None = None) -> int:
    return sum(
        parameter.numel()
        for module in network.modules()
        if frozen is None or not isinstance(module, frozen)
        for parameter in module.parameters(recurse=False)
    )


@pytest.mark.parametrize(("peer", "outputs", "parameters"), EXACT)
def test_parameters_are_the_published_ones(
    peer: Callable[..., nn.Module], outputs: int, parameters: int
) -> None:
    # torchvision's detector freezes the batch norms of its backbone and does not count them.
    frozen = nn.BatchNorm2d if peer is RetinaNet else None
    assert count(published(peer, outputs), frozen=frozen) == parameters


@pytest.mark.parametrize(("peer", "parameters", "tolerance"), NEAR)
def test_parameters_are_near_the_published_ones(
    peer: Callable[..., nn.Module], parameters: float, tolerance: float
) -> None:
    assert count(published(peer)) == pytest.approx(parameters, rel=tolerance)


@pytest.mark.parametrize(("peer", "side", "macs"), ARITHMETIC)
def test_arithmetic_is_near_the_published_one(
    peer: Callable[..., nn.Module], side: int, macs: float
) -> None:
    network = published(peer)
    image = torch.zeros(1, 3, side, side, device="meta")
    assert count_macs(lambda: network(image)) == pytest.approx(macs, rel=0.015)
