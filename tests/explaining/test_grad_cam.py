"""Grad-CAM, held against networks of which it is known what they look at."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from darkscan.network.explaining import grad_cam
from darkscan.network.modules import ChannelAttention
from darkscan.network.variants import build
from tests.explaining.small_networks import ByHand
from tests.rounding import assert_same_but_for_rounding

OWN = (
    "resnet18", "resnet18+ca", "resnet18+ca+ba", "resnet18+ca+sa", "afn", "darkscan",
    "darkscan-dense",
)  # fmt: skip


def noise(count: int = 2, seed: int = 1) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(20, 3, (count, 256, 256)).astype(np.float32))


def test_a_network_that_looks_at_one_quadrant_is_shown_to() -> None:
    _, cam = grad_cam(ByHand(quadrant=True).eval(), noise())
    assert cam.shape == (2, 32, 32)
    assert (cam[:, :16, 16:] > 0).all()
    cam[:, :16, 16:] = 0
    assert not cam.any()


def test_the_map_lies_on_the_scratch() -> None:
    windows = noise(1)
    rows = np.arange(20, 220)
    for thickness in range(3):
        windows[0, rows, rows // 2 + 60 + thickness] += 60
    _, cam = grad_cam(ByHand().eval(), windows)
    near = np.zeros((32, 32), bool)
    near[rows // 8, (rows // 2 + 60) // 8] = True
    assert cam[0][near].mean() > 5 * cam[0][~near].mean()
    assert cam[0][near].sum() > 2 * cam[0][~near].sum() * near.sum() / (~near).sum()


def test_it_is_the_formula_of_its_authors() -> None:
    network = ByHand().eval()
    windows = noise()
    with torch.no_grad():
        features = network.features(windows[:, None] / 255)
        # The logit is a mean of features, weighted: its gradient is the weight by the places.
        alpha = network.head.weight[0] / features[0, 0].numel()
        expected = torch.relu(torch.einsum("c,nchw->nhw", alpha, features))
    _, cam = grad_cam(network, windows)
    torch.testing.assert_close(cam, expected)


def test_nothing_speaks_for_a_scratch_where_all_speaks_against() -> None:
    network = ByHand().eval()
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[-1.0, -1.0]]))
    _, cam = grad_cam(network, noise())
    assert not cam.any()


@pytest.mark.parametrize("name", OWN)
def test_every_network_of_ours_can_be_explained(name: str) -> None:
    torch.manual_seed(1)
    network = build(name, 0.25).eval()
    windows = noise()
    logits, cam = grad_cam(network, windows)
    with torch.no_grad():
        assert_same_but_for_rounding(logits, network.classify(windows))  # type: ignore[operator]
    assert cam.shape == (2, 8, 8)
    assert torch.isfinite(cam).all()
    assert (cam >= 0).all()


def test_with_channel_attention_its_output_is_looked_at() -> None:
    torch.manual_seed(1)
    network = build("afn", 0.25).eval()
    attended: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, ChannelAttention):
            module.register_forward_hook(lambda *words: attended.append(words[2]))
    _, cam = grad_cam(network, noise())
    (features,) = attended
    alpha = network.get_parameter("head.weight")[0] / 64
    expected = torch.relu(torch.einsum("c,nchw->nhw", alpha, features))
    assert_same_but_for_rounding(cam, expected, layers=4)


@pytest.mark.parametrize("name", ["darkscan", "darkscan-dense"])
def test_windows_do_not_see_each_other(name: str) -> None:
    torch.manual_seed(1)
    network = build(name, 0.25).eval()
    windows = noise(3)
    _, together = grad_cam(network, windows)
    _, alone = grad_cam(network, windows[1:2])
    # Gradients pass the network twice, and only the brightest places are looked at.
    brightest = float(alone.max())
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-3 * brightest)


def test_frozen_weights_and_switched_off_gradients_change_nothing() -> None:
    network = ByHand().eval()
    _, expected = grad_cam(network, noise())
    network.requires_grad_(requires_grad=False)
    with torch.no_grad():
        _, cam = grad_cam(network, noise())
    torch.testing.assert_close(cam, expected)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_without_feature_maps_has_no_map() -> None:
    class Mean(nn.Module):
        def classify(self, windows: Tensor, full_scale: float = 255.0) -> Tensor:
            return windows.mean((1, 2)) / full_scale

    with pytest.raises(ValueError, match="no feature maps"):
        grad_cam(Mean().eval(), noise())
