"""Checkpoints: the state of a training in a file, and how another training starts from one."""

import dataclasses
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darkscan.network.metrics import chance_area
from darkscan.network.training.options import TrainingOptions
from darkscan.network.variants import build
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.inputs import read_file, require_file

_FORMAT = 2
# Options of the first format that said where a training ran, not what was trained.
_MACHINE_OPTIONS = ("threads", "save_seconds")
_WIDENED = ("stem.", "head.")  # modules that may take more inputs behind those they had

Row = dict[str, float]
Weights = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Enough to resume a training, or, without ``network``, to use the network it trained.

    ``network`` and ``averaged`` are state dicts, ``optimizer`` that of the optimiser;
    ``figures`` are those of the latest validation, ``history`` of all, ``losses`` those of
    the steps since the latest validation.
    """

    options: TrainingOptions
    step: int
    data_hash: str
    network: Weights
    averaged: Weights
    optimizer: dict[str, Any]
    figures: Row
    history: list[Row] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    data: str = ""  # the source of windows, in words
    file: Path | None = None  # the file that it was loaded from

    def save(self, file: Path) -> None:
        """Replaces ``file`` in one go. Raises StorageError if it cannot be written."""
        content = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del content["file"]
        content |= {"format": _FORMAT, "options": dataclasses.asdict(self.options)}
        stream = io.BytesIO()
        torch.save(content, stream)
        write_atomically(file, stream.getvalue())

    @classmethod
    def load(cls, file: Path) -> "Checkpoint":
        """Reads what ``save`` wrote. Raises InputError if it is no checkpoint, or too old."""
        require_file(file, absent="there is no such checkpoint")
        try:
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            version = content.pop("format", 1)
            options = dict(content.pop("options"))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=file) from error
        except Exception as error:  # torch's own reasons advise to read the file unsafely
            raise InputError("is not a training checkpoint", file=file) from error
        if version not in {1, _FORMAT} or "network" not in options:
            problem = "is of another version of darkscan, which trained other networks"
            raise InputError(problem, file=file, field="format")
        if version == 1:
            options = {k: v for k, v in options.items() if k not in _MACHINE_OPTIONS}
        try:
            return cls(options=TrainingOptions(**options), **content, file=file)
        except (TypeError, InputError) as error:
            raise InputError(f"is not a training checkpoint ({error})", file=file) from error

    @property
    def best_area(self) -> float:
        """The largest area under the curve of all validations; 0 before the first."""
        return max((row["auc"] for row in self.history), default=0.0)

    @property
    def learned(self) -> bool:
        """Whether any validation was better than chance: its area under the curve tells.

        Of scores without knowledge, one in 40 passes for better.
        """
        half = self.options.validation_windows / 2
        return self.best_area > chance_area(half, half)

    def weights_only(self) -> "Checkpoint":
        """The same without what only a resumed training needs: a sixth of the size."""
        return dataclasses.replace(self, network={}, optimizer={}, history=[], losses=[])

    def averaged_network(self) -> nn.Module:
        """The network to use: averaged weights, in evaluation mode.

        Raises InputError if the weights are not those of the network that it names.
        """
        network = build(self.options.network, self.options.width)
        try:
            network.load_state_dict(self.averaged)
        except RuntimeError as error:
            named = f"{self.options.network} at width {self.options.width:g}"
            problem = f"its weights are not those of this version's {named}"
            raise InputError(problem, file=self.file, field="network") from error
        return network.eval()


@dataclass(frozen=True)
class Start:
    """First weights of a network, and the names of those taken, padded with zeros, and fresh."""

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

    Where the network's stem or head takes more inputs than the checkpoint's, the weights of
    the further ones are zero, so that the network starts as the other one ended. Raises
    InputError if nothing fits.
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
