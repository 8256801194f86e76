"""The cost of a network: parameters, bytes, and multiply-adds for a window."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

WINDOW = 256
_BYTES_A_MEGABYTE = 1e6


@dataclass(frozen=True)
class Complexity:
    """The cost of one network."""

    parameters: int  # trained; without the batch norms' statistics
    macs: int  # multiply-adds of convolutions and matrix products, for one window
    megabytes: float  # 1e6 bytes of parameters and statistics, as they are stored


def measure(network: nn.Module, window: int = WINDOW) -> Complexity:
    """The cost of a network that has ``classify``, for one window of ``window`` px a side.

    Leaves the network in the mode (training or evaluation) in which it was.
    """
    classify: Callable[[Tensor], Tensor] = network.classify  # type: ignore[assignment]
    was_training = network.training
    network.eval()
    try:
        macs = count_macs(lambda: classify(torch.zeros(1, window, window)))
    finally:
        network.train(was_training)
    tensors = [*network.parameters(), *network.buffers()]
    return Complexity(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=macs,
        megabytes=sum(one.numel() * one.element_size() for one in tensors) / _BYTES_A_MEGABYTE,
    )


def count_macs(compute: Callable[[], object]) -> int:
    """Multiply-adds of the convolutions and matrix products that ``compute`` runs.

    Norms, activations, pooling and sums are not counted, as the literature does not.
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        compute()
    return int(counter.get_total_flops()) // 2
