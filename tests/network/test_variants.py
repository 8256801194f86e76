"""Every network by its name: which parts it has, how large it is, and what it is called."""

import pytest
import torch
from torch import nn

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.batches import Batch
from darkscan.network.line_bank import LineBank
from darkscan.network.modules import ChannelAttention, LineHead, ScaleAttention
from darkscan.network.variants import NAMES, build, loss_of
from darkscan.pipeline.core.errors import InputError

SMALLEST = 0.0625
PARTS = {
    "resnet18": "",
    "resnet18+ca": "channel",
    "resnet18+ca+ba": "adjust channel",
    "resnet18+ca+sa": "scale channel",
    "afn": "adjust scale channel",
    "darkscan": "adjust scale channel clip lines",
    "darkscan-dense": "adjust scale channel clip lines bank kinds",
}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def one_batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        windows=torch.randint(0, 60, (2, 256, 256), generator=generator).to(torch.uint8),
        labels=torch.tensor([0.0, 1.0]),
        lines=torch.zeros(2, 32, 32),
        boxes=torch.tensor([[0.0, 0, 0, 0], [20, 30, 200, 90]]),
        full_scale=torch.full((2, 1, 1), 255.0),
        kinds=torch.zeros(2, 32, 32, dtype=torch.int64),
        directions=torch.zeros(2, 32, 32),
    )


@pytest.mark.parametrize("name", PARTS)
def test_each_variant_has_its_parts_and_no_other(name: str) -> None:
    network = build(name, SMALLEST)
    assert isinstance(network, AttentionFusionNetwork)
    parts = PARTS[name].split()
    modules = list(network.modules())
    attending = 2 if "bank" in parts else 4  # the line bank takes the place of the finer two
    assert sum(isinstance(m, ScaleAttention) for m in modules) == attending * ("scale" in parts)
    assert sum(isinstance(m, ChannelAttention) for m in modules) == ("channel" in parts)
    assert (network.adjust is not None) == ("adjust" in parts)
    assert (network.clip is not None) == ("clip" in parts)
    assert (network.line_head is not None) == ("lines" in parts)
    assert sum(isinstance(m, LineBank) for m in modules) == ("bank" in parts)
    assert [m.kinds is not None for m in modules if isinstance(m, LineHead)] == (
        ["kinds" in parts] * ("lines" in parts)
    )
    weight = network.stem[0].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.shape[1] == 1 + ("adjust" in parts) + ("clip" in parts)
    assert weight.shape[2:] == ((5, 5) if "bank" in parts else (7, 7))


def test_beside_the_line_bank_scale_attention_starts_at_the_third_stage() -> None:
    network = build("darkscan-dense", SMALLEST)
    assert isinstance(network, AttentionFusionNetwork)
    attending = [
        any(isinstance(m, ScaleAttention) for m in stage.modules()) for stage in network.stages
    ]
    assert attending == [False, False, True, True]


@pytest.mark.parametrize("name", NAMES)
def test_each_has_its_name_scores_windows_and_can_learn(name: str) -> None:
    torch.manual_seed(1)
    network = build(name, SMALLEST)
    assert {"name": network.name, "width": network.width} == {"name": name, "width": SMALLEST}
    loss_of(network, one_batch()).backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients)
    with torch.inference_mode():
        logits = network.eval().classify(one_batch().windows.float(), 255.0)  # type: ignore[operator]
    assert logits.shape == (2,)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet18", 11.2), ("afn", 12.5)],
    ids=["ResNet18 with one output", "the paper's network"],
)
def test_at_width_1_it_has_the_published_size(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = build(name)
    assert parameters(network) == pytest.approx(millions * 1e6, rel=0.005)


def test_width_scales_the_parameters_with_its_square() -> None:
    assert parameters(build("afn", 0.5)) / parameters(build("afn", 0.25)) == pytest.approx(
        4, rel=0.02
    )


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"network: is unknown: 'vgg'; known are resnet18, "):
        build("vgg")


@pytest.mark.parametrize("width", [0.0, -1.0, 4.5, float("nan")], ids=str)
@pytest.mark.parametrize("name", ["afn", "xception"])
def test_a_width_nobody_can_build_is_refused(name: str, width: float) -> None:
    with pytest.raises(InputError, match="width: must be above 0 and at most 4"):
        build(name, width)
