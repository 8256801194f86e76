import numpy as np
import pytest
import torch
from torch import nn

from darkscan.network.attention_fusion import AttentionFusionNetwork, Parts
from darkscan.network.modules import (
    KINDS,
    BrightnessAdjustment,
    ChannelAttention,
    ConvNorm,
    LineHead,
    ResidualBlock,
    ScaleAttention,
)
from darkscan.network.sigma_clipping import SigmaClipping
from darkscan.simulation.element.kinds import UNKNOWN, Kind
from tests.network.equations import (
    array,
    brightness_adjustment,
    conv_norm,
    convolution,
    line_head,
    sigma_clipping,
    sigmoid,
)
from tests.rounding import assert_same_but_for_rounding


def lived_in(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, its batch norms as if it had been trained."""
    torch.manual_seed(7)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.running_mean, part.bias):
                assert isinstance(tensor, torch.Tensor)
                nn.init.normal_(tensor, 0, 0.3)
            for tensor in (part.running_var, part.weight):
                assert isinstance(tensor, torch.Tensor)
                nn.init.uniform_(tensor, 0.5, 2)
    return module.eval()


def features(channels: int, size: int = 12) -> torch.Tensor:
    return torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(3))


def speckled(seed: int) -> np.ndarray:
    """A noisy window (256, 256) on a slope, with bright specks; float32 grey levels."""
    rng = np.random.default_rng(seed)
    window = rng.normal(30, 2, (256, 256)) + np.linspace(0, 12, 256)[:, None]
    for y, x in rng.integers(0, 250, (20, 2)):
        window[y : y + 5, x : x + 5] += 120
    return window.round().astype(np.float32)


def run(module: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return array(module(inputs)[0])


def test_brightness_adjustment_is_equations_1_to_3() -> None:
    window = np.random.default_rng(1).integers(11, 97, (256, 256)).astype(np.float32)
    gain, offset, adjusted = brightness_adjustment(window)
    batch = torch.from_numpy(window)[None]
    gains, offsets = BrightnessAdjustment.coefficients(batch)
    assert gains.tolist() == pytest.approx([gain])
    assert offsets.tolist() == pytest.approx([offset])
    channel = BrightnessAdjustment()(batch, gains, offsets)[0].numpy()
    np.testing.assert_allclose(channel * 255, adjusted, atol=1e-3)
    assert channel.min() == 0
    assert channel.max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("level", [0, 19, 255], ids=["black", "grey", "saturated"])
def test_a_flat_window_has_no_gain_and_a_black_adjusted_channel(level: int) -> None:
    flat = torch.full((1, 256, 256), float(level))
    gains, offsets = BrightnessAdjustment.coefficients(flat)
    assert (gains.item(), offsets.item()) == (0, 0)
    assert BrightnessAdjustment()(flat, gains, offsets).abs().max() == 0


def test_the_trunk_sees_the_raw_channel_before_the_adjusted_and_the_clipped_one() -> None:
    network = AttentionFusionNetwork(0.125, parts=Parts(clip=True))
    window = torch.from_numpy(speckled(3)[None])
    gains, offsets = BrightnessAdjustment.coefficients(window)
    channels = network._channels(window, gains, offsets, torch.tensor(4095.0))
    assert channels.shape == (1, 3, 256, 256)
    np.testing.assert_allclose(channels[0, 0], window[0] / 4095, rtol=1e-6)
    np.testing.assert_allclose(
        channels[0, 1] * 255, brightness_adjustment(window[0].numpy())[2], atol=1e-2
    )
    np.testing.assert_allclose(channels[0, 2], SigmaClipping()(window)[0])


@pytest.mark.parametrize("seed", range(3))
def test_sigma_clipping_is_its_plain_statement(seed: int) -> None:
    window = speckled(seed)
    found = SigmaClipping()(torch.from_numpy(window[None]))[0].numpy()
    np.testing.assert_allclose(found, sigma_clipping(window), atol=2e-3)


def test_sigma_clipping_shows_a_weak_line_alike_beside_any_speck_and_in_any_camera() -> None:
    window = np.random.default_rng(4).normal(20, 1.5, (256, 256)).astype(np.float32)
    window[128] += 4.5
    specked = window.copy()
    specked[40:44, 40:44] = 255
    module = SigmaClipping()
    views = [module(torch.from_numpy(image[None]))[0] for image in (window, specked, 16 * window)]
    for view in views:
        assert view[128].mean() == pytest.approx(3 / 4, rel=0.15)  # sigmas over four
    np.testing.assert_allclose(views[2], views[0], atol=1e-3)
    np.testing.assert_allclose(views[1][100:], views[0][100:], atol=0.15)


def test_a_line_head_joins_three_stages_from_the_coarsest() -> None:
    torch.manual_seed(2)
    module = lived_in(LineHead((4, 6, 8)))
    assert isinstance(module, LineHead)
    stages = [features(count, size)[:, :, :size, :size] for count, size in ((4, 8), (6, 4), (8, 2))]
    with torch.inference_mode():
        hidden = module(stages)
        lines = module.lines_of(hidden)
    expected_hidden, expected_lines = line_head(module, [array(stage[0]) for stage in stages])
    assert_same_but_for_rounding(hidden[0], expected_hidden, layers=4)
    assert_same_but_for_rounding(lines[0], expected_lines, layers=4)


def kinds_head() -> tuple[LineHead, torch.Tensor]:
    """A line head whose first ten features are a cell's kinds and direction; no features yet."""
    head = LineHead((16, 16, 16), kinds=True)
    assert head.kinds is not None
    assert head.directions is not None
    with torch.no_grad():
        for part, first in ((head.kinds, 0), (head.directions, KINDS)):
            assert part.bias is not None
            part.weight.zero_()
            part.bias.zero_()
            for number in range(len(part.weight)):
                part.weight[number, first + number] = 1.0
    return head, torch.zeros(1, 16, 4, 4)


def test_kinds_are_learnt_where_they_are_known() -> None:
    head, hidden = kinds_head()
    kinds = torch.full((1, 4, 4), UNKNOWN, dtype=torch.int64)
    nowhere = torch.zeros(1, 4, 4)
    assert head.kinds_loss(hidden, kinds, nowhere).item() == 0.0
    kinds[0, 1, 2] = Kind.DUST
    guessed = head.kinds_loss(hidden, kinds, nowhere)
    assert guessed.item() == pytest.approx(0.15 * np.log(KINDS), rel=1e-5)
    hidden[0, Kind.DUST, 1, 2] = 20.0
    assert head.kinds_loss(hidden, kinds, nowhere).item() < 1e-6
    hidden[0, Kind.DIG, 1, 3] = 20.0  # of an unknown cell nothing is asked
    assert head.kinds_loss(hidden, kinds, nowhere).item() < 1e-6


def test_kinds_are_the_simulators() -> None:
    assert len(Kind) == KINDS
    assert max(Kind) == Kind.SCRATCH == KINDS - 1


def test_a_direction_is_learnt_in_cells_of_scratches_whichever_way_round() -> None:
    head, hidden = kinds_head()
    kinds = torch.full((1, 4, 4), UNKNOWN, dtype=torch.int64)
    kinds[0, 2, 2] = Kind.SCRATCH
    hidden[0, Kind.SCRATCH] = 20.0
    directions = torch.full((1, 4, 4), 77.0)
    directions[0, 2, 2] = 150.0
    assert head.kinds_loss(hidden, kinds, directions).item() == pytest.approx(0.05)
    for degrees in (150.0, 330.0):
        double = np.radians(2.0 * degrees)
        hidden[0, KINDS : KINDS + 2, 2, 2] = torch.tensor([np.cos(double), np.sin(double)])
        assert head.kinds_loss(hidden, kinds, directions).item() < 1e-6


def test_scale_attention_is_equation_4_beside_a_shortcut() -> None:
    module = lived_in(ScaleAttention(8))
    assert isinstance(module, ScaleAttention)
    inputs = features(8)
    x1, x2, x3, x4 = np.split(conv_norm(module.split, array(inputs[0])), 4)
    y1 = x1
    y2 = conv_norm(module.atrous[0], x2 + y1)
    y3 = conv_norm(module.atrous[1], x3 + y2)
    y4 = conv_norm(module.atrous[2], x4 + y3)
    fused = conv_norm(module.fuse, np.concatenate([y1, y2, y3, y4]))
    expected = np.maximum(array(inputs[0]) + fused, 0)
    assert_same_but_for_rounding(run(module, inputs), expected, layers=8)


def test_scale_attention_reaches_1_3_and_5_pixels() -> None:
    module = ScaleAttention(8)
    rates = [part[0].dilation for part in module.atrous if isinstance(part, ConvNorm)]
    assert rates == [(1, 1), (3, 3), (5, 5)]


def test_channel_attention_is_equations_5_to_8() -> None:
    module = ChannelAttention(8, reduction=2).eval()
    inputs = features(8)
    p = array(inputs[0])
    reduce, _, restore = module.excite
    assert isinstance(reduce, nn.Conv2d)
    assert isinstance(restore, nn.Conv2d)
    squeezed = p.mean(axis=(1, 2))
    hidden = np.maximum(array(reduce.weight)[:, :, 0, 0] @ squeezed + array(reduce.bias), 0)
    sigma_c = sigmoid(array(restore.weight)[:, :, 0, 0] @ hidden + array(restore.bias))
    sigma_s = sigmoid(convolution(p, array(module.place.weight)) + array(module.place.bias))
    expected = sigma_c[:, None, None] * p + sigma_s * p
    assert_same_but_for_rounding(run(module, inputs), expected, layers=8)


@pytest.mark.parametrize(
    ("inputs", "stride"), [(8, 1), (4, 2)], ids=["same size", "half size, more channels"]
)
def test_a_residual_block_adds_two_convolutions_to_its_shortcut(inputs: int, stride: int) -> None:
    module = lived_in(ResidualBlock(inputs, 8, stride))
    assert isinstance(module, ResidualBlock)
    x = features(inputs)
    shortcut = array(x[0])
    if stride == 2:
        shortcut = conv_norm(module.shortcut, shortcut)
    inner = conv_norm(module.second, conv_norm(module.first, array(x[0])))
    assert_same_but_for_rounding(run(module, x), np.maximum(shortcut + inner, 0), layers=4)


@pytest.mark.parametrize(
    "parts",
    [Parts(), Parts(clip=True, lines=True), Parts(clip=True, lines=True, bank=True, kinds=True)],
    ids=["the paper's", "ours", "ours with the line bank"],
)
def test_folding_batch_norm_changes_no_logit(parts: Parts) -> None:
    network = lived_in(AttentionFusionNetwork(0.125, parts=parts))
    assert isinstance(network, AttentionFusionNetwork)
    windows = torch.rand(2, 256, 256, generator=torch.Generator().manual_seed(5)) * 30
    with torch.inference_mode():
        before = network.classify(windows)
        after = network.fold().classify(windows)
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert_same_but_for_rounding(after, before)


def test_the_logit_does_not_depend_on_the_other_windows_of_the_batch() -> None:
    network = lived_in(AttentionFusionNetwork(0.125))
    assert isinstance(network, AttentionFusionNetwork)
    windows = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(6)) * 30
    with torch.inference_mode():
        together = network.classify(windows)
        alone = torch.cat([network.classify(window[None]) for window in windows])
    assert_same_but_for_rounding(together, alone)
