"""Trains narrow peers on one small batch, as training does; prints a line of JSON for each.

A program of its own: a fault in oneDNN's channels-last gradients ends the process.
"""

import json
import sys

import torch
from torch import nn

from darkscan.network.batches import Batch
from darkscan.network.peers import PEERS
from darkscan.network.variants import loss_of

STEPS = 6


def lines_and_none(count: int = 8, width: int = 6) -> Batch:
    """Grey noise; every second window has a bright upright line, ``width`` px wide."""
    generator = torch.Generator().manual_seed(2)
    windows = 20 + 2 * torch.randn(count, 256, 256, generator=generator)
    labels = (torch.arange(count) % 2).float()
    boxes = torch.zeros(count, 4)
    for index in range(1, count, 2):
        x = 20 + 25 * index
        windows[index, :, x : x + width] += 40
        boxes[index] = torch.tensor([x, 0, x + width, 256])
    return Batch(
        windows=windows.round().clamp(0, 255).to(torch.uint8),
        labels=labels,
        lines=torch.zeros(count, 32, 32),
        boxes=boxes,
        full_scale=torch.full((count, 1, 1), 255.0),
        kinds=torch.zeros(count, 32, 32, dtype=torch.int64),
        directions=torch.zeros(count, 32, 32),
    )


def losses(name: str, steps: int = STEPS) -> list[float]:
    torch.manual_seed(1)
    network = PEERS[name](0.125).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    batch = lines_and_none(count=4)
    found = []
    for _ in range(steps):
        loss = loss_of(network, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        found.append(loss.item())
    return found


if __name__ == "__main__":
    for peer in sys.argv[1:]:
        sys.stdout.write(json.dumps([peer, losses(peer)]) + "\n")
        sys.stdout.flush()
