"""The dense form: fields, shared features, windows of whole images."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from darkscan.network.attention_fusion import AttentionFusionNetwork, Parts
from darkscan.network.batches import Batches, Curriculum
from darkscan.network.dense import (
    WINDOW_PX,
    DenseNetwork,
    _maxima,
    _means,
    adjusted_grid,
    line_windows,
    views,
)
from darkscan.network.fields import at_nodes, interpolated
from darkscan.network.frame_model import DenseFrameModel
from darkscan.network.line_bank import STRENGTHS
from darkscan.network.modules import BrightnessAdjustment
from darkscan.network.sigma_clipping import SigmaClipping, clipped_image
from darkscan.network.sources import SimulatedImages
from darkscan.network.training import score
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.grid import window_origins
from tests.rounding import assert_same_but_for_rounding

PARTS = Parts(clip=True, lines=True, bank=True, kinds=True)


@pytest.fixture(scope="module")
def network() -> DenseNetwork:
    torch.manual_seed(3)
    return heard(DenseNetwork(0.125, name="darkscan-dense", parts=PARTS))


def heard(network: DenseNetwork) -> DenseNetwork:
    """The network in evaluation mode, its line bank heard as after a training."""
    joined = network.evidence[1].weight
    assert isinstance(joined, Tensor)
    nn.init.normal_(joined, 0, 0.3)
    return network.eval()


def noise(*shape: int, level: float = 25.0, sigma: float = 3.0) -> Tensor:
    levels = np.random.default_rng(4).normal(level, sigma, shape).round().clip(0)
    return torch.from_numpy(levels.astype(np.float32))


def frame_inputs(frame: npt.NDArray[np.generic], full_scale: int) -> tuple[Tensor, ...]:
    height, width = frame.shape
    origins = window_origins((height, width), WINDOW_PX, 128)
    gains, offsets = gains_and_offsets(*window_extrema(frame, origins, WINDOW_PX))
    return (
        torch.from_numpy(frame.view(np.uint8).reshape(height, width, -1)),
        torch.from_numpy(origins.astype(np.int64)),
        torch.from_numpy(gains),
        torch.from_numpy(offsets),
        torch.tensor(float(full_scale)),
    )


def test_a_plane_known_at_the_nodes_is_a_plane_in_between() -> None:
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    field = interpolated((2 * rows + columns)[None], (384, 512), 128, 0.0)[0]
    y, x = (torch.arange(384) + 0.5) / 128, (torch.arange(512) + 0.5) / 128
    torch.testing.assert_close(field, 2 * y[:, None] + x, atol=1e-4, rtol=0)


def test_windows_on_the_nodes_give_them_their_own_values_and_the_border_its_nearest() -> None:
    centres = torch.tensor([[128, 128], [128, 256], [256, 128], [256, 256]])
    nodes = at_nodes(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), centres, (4, 4))[0]
    torch.testing.assert_close(
        nodes[1:3, 1:3], torch.tensor([[1.0, 2.0], [3.0, 4.0]]), rtol=1e-4, atol=0
    )
    torch.testing.assert_close(nodes[0], nodes[1], rtol=1e-4, atol=0)
    torch.testing.assert_close(nodes[:, 3], nodes[:, 2], rtol=1e-4, atol=0)


def test_a_place_that_no_window_covers_still_has_a_value() -> None:
    centres = torch.tensor([[128, 128], [128, 896], [512, 128]])
    assert torch.isfinite(at_nodes(torch.tensor([[1.0, 2.0, 3.0]]), centres, (6, 8))).all()


def test_brightness_of_a_single_window_is_adjusted_as_the_windowed_network_does() -> None:
    window = noise(1, 256, 256)
    gains, offsets = BrightnessAdjustment.coefficients(window)
    seen = views(
        window, torch.tensor([[0, 0]]), gains[:, None], offsets[:, None], torch.tensor(255.0)
    )
    expected = BrightnessAdjustment()(window, gains, offsets)
    torch.testing.assert_close(seen[:, 1], expected, atol=1e-4, rtol=0)


def test_an_even_image_is_clipped_as_each_of_its_windows_is() -> None:
    image = noise(1, 512, 512)
    image[0, 300, 200] = 255  # no speck dims what is around it
    whole = clipped_image(image)[:, 128:384, 128:384]
    own = SigmaClipping()(image[:, 128:384, 128:384])
    inner = slice(32, -32)  # the window's background has no neighbours at its border
    difference = (whole - own)[:, inner, inner].abs()
    assert difference.mean() < 0.05  # of a quarter of the noise
    assert difference.max() < 0.25


@pytest.mark.parametrize(("pooled", "each"), [(_means, torch.mean), (_maxima, torch.amax)])
def test_features_are_pooled_over_each_window_alone(pooled: object, each: object) -> None:
    features = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(1))
    steps = torch.tensor([[0, 0], [3, 5], [8, 12]])
    found = pooled(features, steps)  # type: ignore[operator]
    for number, (y, x) in enumerate(steps.tolist()):
        window = features[:, :, y : y + 8, x : x + 8]
        torch.testing.assert_close(found[:, number], each(window, dim=(2, 3)))  # type: ignore[operator]


def test_lines_of_a_window_are_the_cells_it_covers() -> None:
    cells = torch.arange(64 * 80, dtype=torch.float32).reshape(64, 80)
    found = line_windows(cells, torch.tensor([[0, 0], [256, 384]]))
    torch.testing.assert_close(found[0], cells[:32, :32])
    torch.testing.assert_close(found[1], cells[32:64, 48:80])


@pytest.mark.slow
def test_images_of_a_batch_do_not_see_each_other(network: DenseNetwork) -> None:
    images = noise(2, 384, 512)
    grid = adjusted_grid(images)
    scale = torch.tensor(255.0)
    with torch.inference_mode():
        together, lines = network.see(images, *grid, scale)
        origins, gains, offsets = grid
        for n in range(2):
            part = slice(n, n + 1)
            alone, own = network.see(images[part], origins, gains[part], offsets[part], scale)
            assert_same_but_for_rounding(alone[0], together[n], layers=256)
            assert_same_but_for_rounding(own[0], lines[n], layers=256)


def test_what_lies_far_outside_of_a_window_does_not_move_its_pooled_features() -> None:
    """Only through the trunk, whose reach is limited, does a window see beyond its border."""
    torch.manual_seed(1)
    network = heard(DenseNetwork(0.125, parts=dataclasses.replace(PARTS, scale=False)))
    image = noise(1, 256, 2048)
    origins, gains, offsets = adjusted_grid(image)
    darker = image.clone()
    darker[:, :, 1800:] *= 0.5
    with torch.inference_mode():
        one, _ = network.see(image, origins, gains, offsets, torch.tensor(255.0))
        other, _ = network.see(darker, origins, gains, offsets, torch.tensor(255.0))
    assert_same_but_for_rounding(one[0, :5], other[0, :5])
    assert (one[0, -1] - other[0, -1]).abs() > 1e-3


def test_the_line_bank_is_heard(network: DenseNetwork) -> None:
    image = noise(1, 256, 256)
    grid = adjusted_grid(image)
    twin = network.twin().eval()
    twin.bank = None
    with torch.inference_mode():
        with_bank, _ = network.see(image, *grid, torch.tensor(255.0))
        without, no_strengths = twin.reached(views(image, *grid, torch.tensor(255.0)))
        own, strengths = network.reached(views(image, *grid, torch.tensor(255.0)))
    assert torch.isfinite(with_bank).all()
    assert no_strengths is None
    assert strengths is not None
    torch.testing.assert_close(own[0], without[0])
    assert (own[1] - without[1]).abs().max() > 1e-3


def test_a_windows_logit_takes_its_strongest_cell(network: DenseNetwork) -> None:
    image = noise(1, 384, 384)
    twin = network.twin().eval()
    with torch.no_grad():
        twin.head.weight.zero_()
        twin.head.weight[0, -1 - STRENGTHS] = 1.0
        assert twin.head.bias is not None
        twin.head.bias.zero_()
    grid = adjusted_grid(image)
    with torch.inference_mode():
        logits, lines = twin.see(image, *grid, torch.tensor(255.0))
    expected = line_windows(lines[0], grid[0]).amax((1, 2))
    assert_same_but_for_rounding(logits[0], expected)


def test_a_windows_logit_takes_the_banks_strengths_within_it(network: DenseNetwork) -> None:
    image = noise(1, 384, 384)
    twin = network.twin().eval()
    with torch.no_grad():
        twin.head.weight.zero_()
        twin.head.weight[0, -1] = 1.0
        assert twin.head.bias is not None
        twin.head.bias.zero_()
    grid = adjusted_grid(image)
    with torch.inference_mode():
        logits, _ = twin.see(image, *grid, torch.tensor(255.0))
        _, strengths = twin.reached(views(image, *grid, torch.tensor(255.0)))
    assert strengths is not None
    expected = line_windows(strengths[0, -1], grid[0]).amax((1, 2))
    assert_same_but_for_rounding(logits[0], expected)


def test_kinds_are_told_as_often_as_they_are_not_as_training_weighs_them(
    network: DenseNetwork,
) -> None:
    """With logits all alike, the kinds that training weighs least are the likeliest."""
    head = network.twin().eval().line_head
    assert head is not None
    assert head.kinds is not None
    with torch.no_grad():
        head.kinds.weight.zero_()
        assert isinstance(head.kinds.bias, torch.Tensor)
        head.kinds.bias.zero_()
    kinds = head.kinds_of(torch.zeros((1, head.hidden, 2, 2)))
    likeliest = 1 / (1 / torch.tensor([1.0, 2.0, 2.0, 1.0, 4.0, 8.0, 4.0])).sum()
    torch.testing.assert_close(kinds, torch.full((1, 2, 2), float(likeliest)))


def test_the_weights_are_the_windowed_networks(network: DenseNetwork) -> None:
    windowed = AttentionFusionNetwork(0.125, parts=PARTS)
    assert {name: w.shape for name, w in windowed.state_dict().items()} == {
        name: w.shape for name, w in network.state_dict().items()
    }


def test_a_deeper_camera_gives_the_same_scores(network: DenseNetwork) -> None:
    frame = noise(384, 384).numpy()
    model = DenseFrameModel(network)
    with torch.inference_mode():
        shallow = model(*frame_inputs(frame.astype(np.uint8), 255))
        deep = model(*frame_inputs(frame.astype("<u2") * 16, 4080))
    for one, other in zip(shallow, deep, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)


def test_a_frame_scores_as_the_image_does_in_training(network: DenseNetwork) -> None:
    frame = noise(512, 384).numpy().astype(np.uint8)
    with torch.inference_mode():
        logits = DenseFrameModel(network)(*frame_inputs(frame, 255))[0]
    assert_same_but_for_rounding(logits, score(network, frame[None]))


def test_labels_are_turned_with_their_images() -> None:
    source = SimulatedImages()
    batch = Batches(source, 1, 8, Curriculum(0), 0, 1, range(8))[0]
    assert batch.windows.shape == (8, 512, 512)
    assert batch.labels.shape == (8, 3, 3)
    cells = batch.lines.numpy()
    for image, label in zip(cells, batch.labels.numpy(), strict=True):
        for y in range(3):
            for x in range(3):
                within = image[16 * y : 16 * y + 32, 16 * x : 16 * x + 32]
                if label[y, x] == 1:
                    assert within.any()
                if label[y, x] == 0:
                    assert not within[3:-3, 3:-3].any()


@pytest.mark.slow
def test_training_reduces_the_loss_of_images() -> None:
    torch.manual_seed(2)
    network = DenseNetwork(0.125, parts=PARTS)
    batch = Batches(SimulatedImages(), 1, 2, Curriculum(100), 0, 1, range(2))[0]
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(5):
        loss = network.training_loss(batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
