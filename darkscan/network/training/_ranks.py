"""The processes that train one network together, started by torch's own launcher."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed

from darkscan.pipeline.core.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together: number ``rank`` of ``count``."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the one that validates, writes and reports."""
        return self.rank == 0

    def share(self, size: int) -> range:
        """The places of a batch of ``size`` that this process draws.

        Raises InputError unless all get equally many.
        """
        if size % self.count:
            problem = f"must be a multiple of the {self.count} processes, is {size}"
            raise InputError(problem, field="batch")
        return range(self.rank, size, self.count)

    def mean(self, values: list[float]) -> list[float]:
        """The mean of each value over all processes."""
        if self.count == 1:
            return values
        together = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(together)
        return [float(value) for value in together / self.count]

    def from_first(self, compute: Callable[[], T]) -> T:
        """The result of the first process, given to all."""
        if self.count == 1:
            return compute()
        box: list[Any] = [compute() if self.first else None]
        distributed.broadcast_object_list(box, src=0)
        result: T = box[0]
        return result


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Joins the processes that torchrun started; alone if it did not.

    ``device`` is "cpu", "cuda", or "auto": cuda where there is one. Raises InputError if
    it is none of these, or not there.
    """
    if device not in {"auto", "cpu", "cuda"}:
        raise InputError(f"must be auto, cpu or cuda, is {device!r}", field="device")
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise InputError("there is no GPU that torch can use", field="device")
    on_gpu = has_gpu and device != "cpu"
    count = int(os.environ.get("WORLD_SIZE", "1"))
    local = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else None
    if local is not None:
        torch.cuda.set_device(local)
    here = local or torch.device("cpu")
    if count == 1:
        yield Ranks(0, 1, here)
        return
    # Gradients go by nccl; the few numbers that Ranks passes around stay on the CPU.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        yield Ranks(distributed.get_rank(), count, here)
    finally:
        distributed.destroy_process_group()
