import functools

import numpy as np
import pytest
import torch

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.operating_point import Look, choose_operating_point
from darkscan.simulation.element.windows import TrainingBatch
from tests.network.easy_windows import easy_windows


def flat_windows(seed: int, index: int, size: int, contrast: float, level: int) -> TrainingBatch:
    images = np.full((size, 256, 256), level, np.uint8)
    labels = (np.arange(size) % 2).astype(np.float32)
    cells = np.zeros((size, 32, 32), np.uint8)
    boxes = np.zeros((size, 4), np.float32)
    return TrainingBatch(images, labels, cells, boxes, kinds=cells, directions=cells)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_threshold_keeps_false_windows_rare_on_every_kind(rate: float) -> None:
    torch.manual_seed(1)
    network = AttentionFusionNetwork(0.125).eval()
    looks = {
        "lines": Look(easy_windows, rate, 0.5),
        "flat": Look(functools.partial(flat_windows, level=20), rate, 1.0),
    }
    point = choose_operating_point(network, looks, seed=5, count=64)
    assert point.figures.keys() == looks.keys()
    assert max(f.false_positive_rate for f in point.figures.values()) <= rate
    assert point.grow_threshold <= point.threshold
    assert point.area_under_curve["flat"] == 0.5
    assert point.table().count("\n") == 3
