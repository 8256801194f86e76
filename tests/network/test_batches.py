"""Batches and augmentation: repeatable, shareable, and nothing that no camera gives."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from darkscan.network.augmentation import (
    CHANGES,
    ORIENTATIONS,
    depth_of,
    relit,
    turned,
    turned_box,
    turned_directions,
)
from darkscan.network.batches import Batches, Curriculum, Drawn, augmented, in_background
from darkscan.network.sources import SimulatedWindows
from darkscan.simulation.element.kinds import Kind
from darkscan.simulation.element.sensor import noise_of
from tests.network.easy_windows import easy_windows


def batches(first: int = 0, share: range = range(4)) -> Batches:
    source = SimulatedWindows(easy_windows)
    return Batches(source, 3, 4, Curriculum(0), first=first, last=6, share=share)


def generators(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, number)) for number in range(count)]


def drawn_twice(dtype: type[np.generic] = np.uint8) -> Drawn:
    easy = Drawn(*easy_windows(1, 0, 16, 1.0))
    return easy._replace(images=easy.images.astype(dtype))


def test_turning_gives_all_eight_orientations_and_keeps_the_pixels() -> None:
    window = np.random.default_rng(1).integers(0, 255, (256, 256), dtype=np.uint8)
    many = [turned(window, turn) for turn in range(ORIENTATIONS)]
    assert np.array_equal(many[0], window)
    assert len({image.tobytes() for image in many}) == 8
    assert all(np.array_equal(np.sort(image, None), np.sort(window, None)) for image in many)


@pytest.mark.parametrize("turn", range(ORIENTATIONS))
def test_a_box_stays_around_what_it_was_around(turn: int) -> None:
    image = np.zeros((256, 256), np.uint8)
    image[30:70, 100:220] = 1
    x0, y0, x1, y1 = turned_box(np.array([100, 30, 220, 70], np.float32), turn).astype(int)
    after = turned(image, turn)
    assert after[y0:y1, x0:x1].all()
    assert after.sum() == (y1 - y0) * (x1 - x0)


def test_no_box_stays_no_box() -> None:
    assert not turned_box(np.zeros(4, np.float32), 3).any()


def test_lines_and_boxes_turn_with_their_windows() -> None:
    drawn = drawn_twice()
    batch = augmented(drawn, generators(16), full_scale=255, repeated=False)
    for window, label, lines, box in zip(
        batch.windows, batch.labels, batch.lines, batch.boxes, strict=True
    ):
        bright = window > 35
        cells = bright.reshape(32, 8, 32, 8).any(3).any(1)
        assert bool(label) == bool(bright.any())
        assert torch.equal(cells, lines > 0)
        x0, y0, x1, y1 = box.int().tolist()
        assert bright[y0:y1, x0:x1].sum() == bright.sum()


def test_kinds_and_directions_turn_with_their_windows() -> None:
    batch = augmented(drawn_twice(), generators(16), full_scale=255, repeated=False)
    assert batch.kinds.dtype == torch.int64
    assert torch.equal(batch.kinds == Kind.SCRATCH, batch.lines > 0)
    upright = 0
    for lines, directions in zip(batch.lines, batch.directions, strict=True):
        if not lines.any():
            continue
        down = bool(lines.any(dim=1).sum() > 1)
        upright += down
        assert set(directions[lines > 0].tolist()) <= ({90.0} if down else {0.0, 180.0})
    assert 0 < upright < int(batch.labels.sum())


@pytest.mark.parametrize("turn", range(ORIENTATIONS))
def test_a_direction_turns_as_a_drawn_line_does(turn: int) -> None:
    image = np.zeros((256, 256), np.uint8)
    cv2.line(image, (60, 100), (200, 181), 1)  # 30 degrees from x towards y
    y, x = np.nonzero(turned(image, turn))
    _, _, axes = np.linalg.svd(np.stack([x, y], axis=1) - (x.mean(), y.mean()))
    fitted = float(np.degrees(np.arctan2(axes[0, 1], axes[0, 0]))) % 180.0
    told = turned_directions(np.full((2, 2), 30, np.uint8), turn)
    assert (told == told[0, 0]).all()
    assert float(told[0, 0]) == pytest.approx(fitted, abs=1.5)


def test_drawn_windows_keep_every_pixel_and_some_are_a_deeper_cameras() -> None:
    drawn = drawn_twice()
    batch = augmented(drawn, generators(16), full_scale=255, repeated=False)
    for before, after in zip(drawn.images, batch.windows.numpy(), strict=True):
        assert np.array_equal(np.sort(before, None), np.sort(after, None))
    depths = [depth_of(rng) for rng in generators(400)]
    assert 0.6 < np.mean([depth == 1 for depth in depths]) < 0.8
    assert 1 <= min(depths) < 20 < max(depths) <= 40


def test_16_bit_windows_stay_whole_numbers_and_scale_with_their_camera() -> None:
    drawn = drawn_twice(np.uint16)
    batch = augmented(drawn, generators(16), full_scale=4095, repeated=False)
    assert batch.windows.dtype == torch.int32
    assert batch.full_scale.min() == 4095


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_light_keeps_line_and_contrast(change: str) -> None:
    rng = np.random.default_rng(2)
    levels = rng.normal(20, 1.5, (256, 256)).astype(np.float32)
    levels[100] += 6
    for generator in generators(20):
        changed = CHANGES[change](levels, 1.5, generator)
        step = changed[100].mean() - (changed[98].mean() + changed[102].mean()) / 2
        noise = np.diff(changed[:90], axis=1).std() / np.sqrt(2)
        assert changed.shape == levels.shape
        assert step / noise == pytest.approx(6 / 1.5, rel=0.2)


def test_a_gradient_is_slow_and_leaves_the_middle() -> None:
    flat = np.zeros((256, 256), np.float32)
    slopes = [CHANGES["gradient"](flat, 1.5, rng) for rng in generators(20)]
    assert max(float(np.abs(slope).max()) for slope in slopes) <= 6 * 1.5 + 1e-4
    assert max(float(np.abs(np.diff(slope, axis=0)).max()) for slope in slopes) < 0.1
    assert max(abs(float(slope.mean())) for slope in slopes) < 0.05


def test_the_noise_is_measured_past_a_gradient() -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(100, 4, (256, 256)) + np.linspace(0, 60, 256)
    assert noise_of(image.round().astype(np.uint8)) == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16], ids=["8 bits", "12 bits"])
def test_relit_windows_stay_within_the_camera(dtype: type[np.unsignedinteger]) -> None:
    full_scale = 255 if dtype is np.uint8 else 4095
    image = np.random.default_rng(1).integers(1, full_scale, (64, 64)).astype(dtype)
    image[5, 5] = full_scale
    changed = [relit(image, full_scale, rng) for rng in generators(30)]
    assert all(one.dtype == dtype for one in changed)
    assert all(one.max() == full_scale and one[5, 5] == full_scale for one in changed)
    assert sum(not np.array_equal(one, image) for one in changed) > 15


def test_a_batch_depends_on_its_step_alone() -> None:
    from_the_start, after_a_resume = batches()[5], batches(first=5)[0]
    for one, other in zip(from_the_start.tensors(), after_a_resume.tensors(), strict=True):
        assert torch.equal(one, other)


def test_processes_that_share_a_batch_see_together_what_one_sees() -> None:
    whole = batches()[2]
    for rank in range(2):
        part = batches(share=range(rank, 4, 2))[2]
        for one, other in zip(whole.tensors(), part.tensors(), strict=True):
            assert torch.equal(one[rank::2], other)


@pytest.mark.slow
def test_batches_come_in_their_order_from_several_processes() -> None:
    ahead = [batch.windows for batch in in_background(batches(), workers=2)]
    assert len(ahead) == 6
    for step, windows in enumerate(ahead):
        assert torch.equal(windows, batches()[step].windows)


def test_the_simulator_is_known_by_what_it_draws(tmp_path: Path) -> None:
    source = SimulatedWindows(easy_windows)
    assert source.fingerprint(1) == SimulatedWindows(easy_windows).fingerprint(1)
    assert source.fingerprint(1) != source.fingerprint(2)
