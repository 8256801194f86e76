"""The validation of a network: its logits on labelled windows, and the figures of these."""

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from darkscan.network.metrics import (
    area_under_curve,
    cross_entropy,
    figures,
    threshold_for_precision,
)
from darkscan.network.modules import GREY_RANGE
from darkscan.pipeline.core.arrays import Float32Array, Mask, Pixels


class ValidationWindows(NamedTuple):
    """Windows (N, 256, 256) in grey levels up to ``full_scale``, and labels (N,).

    Or larger images with the labels of all their windows in a row. Windows with other labels
    than 0 and 1 judge nothing.
    """

    windows: Pixels
    labels: Float32Array
    full_scale: float

    @property
    def judging(self) -> Mask:
        """(N,) which labels are 0 or 1."""
        return np.asarray((self.labels == 0) | (self.labels == 1))


@torch.inference_mode()
def score(
    network: nn.Module, windows: Pixels, batch: int = 64, full_scale: float = GREY_RANGE
) -> Float32Array:
    """Logits (N,) of windows (N, 256, 256) in grey levels, where the network is.

    A dense network also takes larger images, and gives logits of all their windows.
    The network is to be in evaluation mode.
    """
    device = next(network.parameters()).device
    parts = []
    for first in range(0, len(windows), batch):
        some = windows[first : first + batch].astype(np.float32)
        logits = network.classify(torch.from_numpy(some).to(device), full_scale)  # type: ignore[operator]
        parts.append(logits.float().cpu())
    return torch.cat(parts).numpy() if parts else np.zeros(0, np.float32)


def validate(
    network: nn.Module, judged: ValidationWindows, precision: float
) -> tuple[dict[str, float], Float32Array, Float32Array]:
    """A network's figures at the lowest threshold of that precision, its labels and logits.

    Labels and logits (N,) are those of the windows that judge.
    """
    judging = judged.judging
    logits = score(network, judged.windows, full_scale=judged.full_scale)[judging]
    labels = judged.labels[judging]
    threshold = threshold_for_precision(logits, labels, precision)
    found = dataclasses.asdict(figures(logits, labels, threshold))
    loss = cross_entropy(logits, labels)
    area = area_under_curve(logits, labels)
    return {"validation_loss": loss, "auc": area} | found, labels, logits
