import functools

import numpy as np
import pytest
import torch

from darkscan.drivers.simulation.windows import TrainingBatch
from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.batches import BatchSource
from darkscan.network.operating_point import choose_operating_point
from tests.network.easy_windows import easy_windows


def flat_windows(seed: int, index: int, size: int, contrast: float, level: int) -> TrainingBatch:
    images = np.full((size, 256, 256), level, np.uint8)
    labels = (np.arange(size) % 2).astype(np.float32)
    return TrainingBatch(
        images, labels, np.zeros((size, 32, 32), np.uint8), np.zeros((size, 4), np.float32)
    )


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_threshold_keeps_false_windows_rare_on_every_kind(rate: float) -> None:
    torch.manual_seed(1)
    network = AttentionFusionNetwork(0.125).eval()
    sources: dict[str, BatchSource] = {
        "lines": easy_windows,
        "flat": functools.partial(flat_windows, level=20),
    }
    point = choose_operating_point(network, sources, seed=5, count=64, false_positive_rate=rate)
    assert point.figures.keys() == sources.keys()
    assert max(f.false_positive_rate for f in point.figures.values()) <= rate
    assert point.area_under_curve["flat"] == 0.5
    assert point.table().count("\n") == 3
