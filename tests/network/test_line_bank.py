"""The line bank: every straight line answers above the noise, and nothing else does."""

import numpy as np
import pytest
import torch
from torch import Tensor

from darkscan.network.attention_fusion import AttentionFusionNetwork, Parts
from darkscan.network.line_bank import CHANNELS, STRENGTHS, LineBank
from darkscan.network.sigma_clipping import clipped_image, in_sigmas
from darkscan.pipeline.core.arrays import Float64Array

SIDE = 384
MIDDLE = (191.3, 193.7)
DIRECTIONS = np.arange(16) * 11.25 + 3.0
LENGTHS = (17.0, 38.0, 90.0, 250.0)
FAMILIES, GROUPS, SLOPES = 2, 5, 8
LINES = (0, 1, 3, 4)  # of the groups: bright lines of 16, 32, 64 and 128 px
SIGMA_PER_FWHM = 0.42466


def line(length: float, degrees: float, fwhm: float = 2.2) -> Float64Array:
    """A straight line through ``MIDDLE`` whose matched-filter signal-to-noise is 1."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    angle = np.radians(degrees)
    x, y = x - MIDDLE[0], y - MIDDLE[1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    light = np.exp(-0.5 * (across / (fwhm * SIGMA_PER_FWHM)) ** 2)
    light *= np.clip(length / 2.0 - np.abs(along) + 0.5, 0.0, 1.0)
    return np.asarray(light / np.sqrt(np.square(light).sum()))


def noise(seed: int, count: int = 1) -> Float64Array:
    return np.random.default_rng(seed).standard_normal((count, SIDE, SIDE))


def answers(images: Float64Array) -> Tensor:
    """The bank's answers (B, families, groups, slopes, h, w) in standard deviations."""
    with torch.inference_mode():
        found, _ = LineBank()(torch.from_numpy(images.astype(np.float32)))
    found = 4.0 * found.reshape(len(images), FAMILIES, GROUPS, SLOPES, *found.shape[2:])
    assert isinstance(found, Tensor)
    return found


def strongest(images: Float64Array) -> Float64Array:
    """The strongest answer of each length (B, groups), wherever and in whatever direction."""
    highest: Float64Array = answers(images).amax((1, 3, 4, 5)).double().numpy()
    return highest


@pytest.fixture(scope="module")
def blanks() -> Float64Array:
    """The strongest answers of each length to noise alone, in sixteen images."""
    answered = np.concatenate([strongest(noise(seed, 4)) for seed in range(4)])
    return np.asarray(answered.max(axis=0), dtype=np.float64)


def test_it_has_an_answer_for_each_cell() -> None:
    assert CHANNELS == FAMILIES * GROUPS * SLOPES
    assert STRENGTHS == GROUPS
    with torch.inference_mode():
        found, strengths = LineBank()(torch.zeros(2, 256, 384))
    assert found.shape == (2, CHANNELS, 32, 48)
    assert strengths.shape == (2, STRENGTHS, 32, 48)


def test_strengths_are_squares_of_the_strongest_of_all_directions() -> None:
    image = torch.from_numpy((noise(6) + 12.0 * line(60.0, 20.0)).astype(np.float32))
    with torch.inference_mode():
        found, strengths = LineBank()(image)
    strongest = 4.0 * found.reshape(1, FAMILIES, GROUPS, SLOPES, *found.shape[2:]).amax((1, 3))
    assert 5.0 < strongest.max() < 10.0
    torch.testing.assert_close(strengths, strongest.clamp(0.0, 10.0).square() / 8.0)


def dirt(seed: int, density: float) -> Float64Array:
    """Round specks of 5 to 50 standard deviations, ``density`` in 10^4 px."""
    rng = np.random.default_rng(seed)
    image = np.zeros((SIDE, SIDE))
    y, x = np.mgrid[-4:5, -4:5]
    for row, column in rng.integers(4, SIDE - 4, (int(density * SIDE**2 / 1e4), 2)):
        profile = np.exp(-0.5 * (x**2 + y**2) / rng.uniform(0.5, 1.5) ** 2)
        place = (slice(row - 4, row + 5), slice(column - 4, column + 5))
        image[place] += np.exp(rng.uniform(np.log(5), np.log(50))) * profile
    return image


@pytest.mark.parametrize("density", [20, 50])
def test_long_answers_to_dirt_are_no_stronger_than_to_noise(
    density: float, blanks: Float64Array
) -> None:
    images = np.concatenate([noise(seed) + dirt(seed, density) for seed in range(40, 48)])
    found = strongest(images).max(axis=0)
    assert found[4] < 1.25 * blanks[4]
    assert found[3] < 1.35 * blanks[3]
    assert found[0] > 1.5 * blanks[0]  # short ones cannot be told from specks here


@pytest.mark.parametrize("length", [90.0, 250.0])
def test_a_long_line_answers_above_dirt(length: float, blanks: Float64Array) -> None:
    images = np.concatenate(
        [
            noise(seed) + dirt(seed, 20) + 16.0 * line(length, 11.0 + 20 * seed)
            for seed in range(60, 68)
        ]
    )
    assert (strongest(images)[:, 3:].max(axis=1) > blanks[3:].max()).mean() > 0.8


@pytest.mark.parametrize("length", LENGTHS)
def test_a_line_of_any_direction_answers_above_the_noise(
    length: float, blanks: Float64Array
) -> None:
    def found(snr: float) -> float:
        images = noise(7, len(DIRECTIONS)) + [snr * line(length, angle) for angle in DIRECTIONS]
        return float((strongest(images) > blanks)[:, LINES].any(axis=1).mean())

    assert found(8.0) >= 0.2  # white noise, at none false in sixteen images of 384x384
    assert found(12.0) >= 0.85


@pytest.mark.parametrize(
    ("length", "group"), list(zip(LENGTHS, LINES, strict=True)), ids=lambda value: f"{value:g}"
)
def test_the_filters_nearest_in_length_answer_the_most(length: float, group: int) -> None:
    images = noise(8, len(DIRECTIONS)) + [14.0 * line(length, angle) for angle in DIRECTIONS]
    mean = strongest(images).mean(axis=0)[list(LINES)]
    assert abs(int(mean.argmax()) - LINES.index(group)) <= 1


@pytest.mark.parametrize("degrees", [4, 25, 41, 65, 86, 100, 128, 155, 172])
def test_the_strongest_slope_is_the_lines_own(degrees: float) -> None:
    (found,) = answers(noise(9) + 60.0 * line(150.0, degrees)).amax((4, 5))
    family, slope = divmod(int(found[:, 4].argmax()), SLOPES)
    x, y = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rows_a_column = x / y if family else y / x
    assert -1.0 + slope * 0.25 - 0.1 <= rows_a_column <= -0.75 + slope * 0.25 + 0.1


def test_a_line_lights_the_cells_that_it_crosses() -> None:
    found = answers(noise(10) + 40.0 * line(90.0, 30.0))[0, :, 3].amax((0, 1))
    rows, columns = np.nonzero((found > 5.5).numpy())
    away = np.abs(
        (8 * rows + 4 - MIDDLE[1]) * np.cos(np.pi / 6)
        - (8 * columns + 4 - MIDDLE[0]) * np.sin(np.pi / 6)
    )
    assert len(rows) >= 8
    assert away.max() < 12.0


def test_transposed_images_have_transposed_answers() -> None:
    image = torch.from_numpy((noise(11) + 15.0 * line(60.0, 20.0)).astype(np.float32))
    bank = LineBank()
    with torch.inference_mode():
        (one, strength), (other, turned) = bank(image), bank(image.transpose(1, 2))
    half = CHANNELS // 2
    swapped = torch.cat((other[:, half:], other[:, :half]), dim=1).transpose(2, 3)
    torch.testing.assert_close(swapped, one, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(turned.transpose(2, 3), strength, atol=1e-5, rtol=1e-5)


def test_a_deeper_or_dimmer_camera_gives_the_same_answers() -> None:
    levels = 40.0 + 3.0 * (noise(12) + 15.0 * line(60.0, 70.0))

    def of_levels(image: Float64Array) -> Float64Array:
        sigmas = in_sigmas(clipped_image(torch.from_numpy(image.astype(np.float32))))
        return answers(sigmas.double().numpy()).numpy()

    for factor in (0.3, 16.0):  # a third of the light, twelve bits
        np.testing.assert_allclose(of_levels(factor * levels), of_levels(levels), atol=0.01)


@pytest.mark.parametrize(("side", "most"), [(1, 0.5), (3, 2.5), (6, 3.5)])
def test_a_saturated_speck_counts_little(side: int, most: float) -> None:
    for shift in range(4):
        image = noise(13)
        image[:, 200 + shift : 200 + shift + side, 150 + shift : 150 + shift + side] = 8.0
        risen = strongest(image)[0] - strongest(noise(13))[0]
        assert risen.max() < most
        assert risen[4] < most / 2.0  # the longest filters hardly notice


def test_noise_that_was_smoothed_does_not_look_like_lines(blanks: Float64Array) -> None:
    white = noise(14)
    along = white + np.roll(white, 1, axis=1)
    smooth = along + np.roll(along, 1, axis=2)
    smooth /= smooth.std()
    assert (strongest(smooth)[0] < 1.15 * blanks).all()


def test_an_edge_has_a_dark_side_and_a_line_has_none() -> None:
    _, x = np.mgrid[0:SIDE, 0:SIDE]
    edge = noise(15) + np.where(x > 190, 2.0, -2.0)
    ridge = noise(15) + 30.0 * line(250.0, 90.0)
    dark, bright = 2, 1
    assert strongest(edge)[0, dark] > 0.8 * strongest(edge)[0, bright]
    assert strongest(ridge)[0, dark] < 1.25 * strongest(noise(15))[0, bright]
    assert strongest(ridge)[0, bright] > 1.4 * strongest(noise(15))[0, bright]


def test_its_filters_are_fixed_and_belong_to_no_checkpoint() -> None:
    bank = LineBank()
    assert not list(bank.parameters())
    assert not bank.state_dict()
    for kernels in bank.buffers():
        torch.testing.assert_close(kernels.square().sum((1, 2, 3)), torch.ones(len(kernels)))


def test_a_network_that_it_joins_is_at_first_the_one_without() -> None:
    torch.manual_seed(5)
    network = AttentionFusionNetwork(0.125, parts=Parts(clip=True, bank=True)).eval()
    windows = torch.from_numpy(20.0 + 2.0 * noise(16)[:, :256, :256].astype(np.float32))
    seen = torch.stack([windows] * 3, dim=1)
    with torch.inference_mode():
        with_bank, _ = network.reached(seen)
        network.bank = None
        without, _ = network.reached(seen)
    for one, other in zip(with_bank, without, strict=True):
        torch.testing.assert_close(one, other)
