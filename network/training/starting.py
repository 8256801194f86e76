"""Starts a training from another's weights, as far as the two networks agree."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from darkscan.network.training.checkpoint import Checkpoint
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.files import read_file

_WIDENED = ("stem.", "head.")  # where more inputs may come behind those there were


@dataclass(frozen=True)
class Start:
    """Weights for a network, and the names of those taken, padded with zeros, and fresh."""

    weights: dict[str, Tensor]
    taken: tuple[str, ...]
    padded: tuple[str, ...]
    fresh: tuple[str, ...]

    def __str__(self) -> str:
        """One line: how many tensors were taken, and which parts are new."""
        parts = sorted({name.rsplit(".", 1)[0] for name in self.fresh})
        roots = list(dict.fromkeys(".".join(part.split(".")[:2]) for part in parts))
        text = f"{len(self.taken)} tensors taken"
        if self.padded:
            text += f", padded with zeros: {', '.join(self.padded)}"
        return text + f", fresh: {', '.join(roots) or 'none'}"


def start_from(file: Path, network: nn.Module) -> Start:
    """The averaged weights of a checkpoint where their names and shapes are the network's.

    Where the network's stem or head takes more inputs than the checkpoint's, the further
    ones begin at zero: it starts as the other ended. Raises InputError if nothing fits.
    """
    checkpoint = Checkpoint.load(file)
    weights, taken, padded, fresh = {}, [], [], []
    for name, own in network.state_dict().items():
        other = checkpoint.averaged.get(name)
        if other is not None and other.shape == own.shape:
            taken.append(name)
            weights[name] = other
        elif other is not None and name.startswith(_WIDENED) and _has_more_inputs(own, other):
            padded.append(name)
            weights[name] = torch.zeros_like(own)
            weights[name][:, : other.shape[1]] = other
        else:
            fresh.append(name)
            weights[name] = own
    if not any(weights[name].ndim > 1 for name in taken):
        theirs = f"{checkpoint.options.network} at width {checkpoint.options.width:g}"
        problem = f"holds {theirs}, none of whose weights fit; give the same --width"
        raise InputError(problem, file=file, field="--init")
    return Start(weights, tuple(taken), tuple(padded), tuple(fresh))


def hash_of(file: Path) -> str:
    """The SHA-256 of a checkpoint's file. Raises InputError if it cannot be read."""
    return hashlib.sha256(read_file(file, field="--init")).hexdigest()


def _has_more_inputs(own: Tensor, other: Tensor) -> bool:
    return (
        own.ndim == other.ndim > 1
        and own.shape[1] > other.shape[1]
        and own.shape[:1] + own.shape[2:] == other.shape[:1] + other.shape[2:]
    )
