"""One network being trained: a step, a running average of weights, a state to go on from."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from darkscan.network.batches import Batch
from darkscan.network.training._checkpoint import Checkpoint, Weights
from darkscan.network.training._ranks import Ranks
from darkscan.network.training.options import TrainingOptions
from darkscan.network.variants import build, loss_of
from darkscan.pipeline.core.errors import DarkscanError

_Module = TypeVar("_Module", bound=nn.Module)

_WARMING = 10  # steps in which the running average lengthens to ten elevenths of the past


class Trainer:
    """The network, its running average and its optimiser, advanced one batch at a time.

    With ``bfloat16``, by default on a GPU and on a CPU with matrix units (AMX), it computes
    in bfloat16 (norms, losses and weights stay float32), and with ``compiled`` through
    torch.compile. Several processes average their gradients; on GPUs they also average
    batch norm's statistics, so that the result is that of one process with the whole
    batch. On the CPU, where torch has no such norm, each process uses the statistics of
    its share.
    """

    def __init__(
        self,
        options: TrainingOptions,
        ranks: Ranks,
        *,
        compiled: bool = False,
        bfloat16: bool | None = None,
        network: nn.Module | None = None,
    ) -> None:
        """``network`` stands in for the one that the options name."""
        torch.manual_seed(options.seed)
        self.options = options
        self.ranks = ranks
        self.step = 0
        network = build(options.network, options.width) if network is None else network
        average = AveragedModel(network, multi_avg_fn=_running(options), use_buffers=True)
        if ranks.count > 1 and ranks.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        # Channels last is 1.1 to 1.5 times as fast on the CPU, more on a GPU.
        self.network = _placed(network, ranks.device)
        self._average = _placed(average, ranks.device).eval()
        self._set_averaged(self.step)
        self._loss = _loss(self.network, ranks, compiled=compiled)
        self._bfloat16 = _multiplies_bfloat16(ranks.device) if bfloat16 is None else bfloat16
        optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options.optimizer]
        self.optimizer = optimizer(
            self.network.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )

    @property
    def averaged(self) -> nn.Module:
        """The network of the averaged weights, in evaluation mode."""
        return self._average.module

    def start(self, weights: Weights) -> None:
        """Replaces the random first weights."""
        self.network.load_state_dict(weights)
        self.averaged.load_state_dict(weights)

    def train(self, batch: Batch, rate: float) -> float:
        """One step on a batch (of several processes: this one's share): its loss.

        Raises DarkscanError if the loss or its gradient is not finite; then the weights
        are those before the step.
        """
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        device = self.ranks.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._bfloat16):
            loss: Tensor = self._loss(*batch.to(device).tensors())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        longest = self.options.gradient_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), longest)
        # Every process must come to the same answer, or the others wait for it in vain.
        together, gradient = self.ranks.mean([loss.item(), norm.item()])
        if not (math.isfinite(together) and math.isfinite(gradient)):
            raise DarkscanError(
                f"step {self.step + 1}: the loss is {together:g} and its gradient {gradient:g} "
                f"at a learning rate of {rate:.3g}; go on from the last checkpoint with "
                "a lower --learning-rate in a new folder (--init)"
            )
        self.optimizer.step()
        self.step += 1
        self._average.update_parameters(self.network)
        return together

    def state(self) -> dict[str, Any]:
        """The part of a checkpoint that is the trainer's."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Takes the state of a checkpoint, to go on from its step."""
        self.step = checkpoint.step
        self.network.load_state_dict(checkpoint.network)
        self.averaged.load_state_dict(checkpoint.averaged)
        self._set_averaged(self.step)
        self.optimizer.load_state_dict(checkpoint.optimizer)

    def _set_averaged(self, steps: int) -> None:
        """Tells the average that it is of the weights after ``steps`` and of the first ones."""
        self._average.n_averaged.fill_(steps + 1)


def _running(
    options: TrainingOptions,
) -> Callable[[Any, Any, Tensor | int], None]:
    """An exponential average that forgets its beginning fast and lengthens to its full memory."""

    def update(averaged: Any, current: Any, count: Tensor | int) -> None:
        steps = int(count)
        decay = min(options.average_decay, steps / (steps + _WARMING))
        get_ema_multi_avg_fn(decay)(averaged, current, count)  # type: ignore[no-untyped-call]

    return update


class _Loss(nn.Module):
    """A network whose forward pass is its loss, as torch's wrappers need it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *tensors: Tensor) -> Tensor:
        return loss_of(self.network, Batch(*tensors))


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has units for it; without, it is slower than float32."""
    if device.type == "cuda":
        return True
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return device.type == "cpu" and supported is not None and bool(supported())


def _placed(network: _Module, device: torch.device) -> _Module:
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _loss(network: nn.Module, ranks: Ranks, *, compiled: bool) -> nn.Module:
    loss: nn.Module = _Loss(network)
    if ranks.count > 1:
        loss = DistributedDataParallel(loss)
    return torch.compile(loss) if compiled else loss  # type: ignore[return-value]
