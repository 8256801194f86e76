"""Trains the Attention Fusion Network on simulated windows; can be killed and resumed."""

import csv
import dataclasses
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from darkscan.network.batches import (
    Batches,
    BatchSource,
    Curriculum,
    Windows,
    fingerprint,
    in_background,
    validation_windows,
)
from darkscan.network.modules import AttentionFusionNetwork
from darkscan.network.validation import area_under_curve, figures, threshold_for_precision
from darkscan.pipeline.errors import InputError, StorageError

_LOG_FIELDS = (
    "step", "seconds", "contrast", "learning_rate", "loss",
    "auc", "f1", "recall", "precision", "false_positive_rate", "threshold",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingOptions:
    """All that a training depends on, beside the source of its windows."""

    width: float = 0.25
    steps: int = 4000
    batch: int = 32
    learning_rate: float = 2e-3  # the cosine's top, reached after warm_up steps
    warm_up: int = 100
    weight_decay: float = 1e-4
    gradient_norm: float = 5.0
    average_decay: float = 0.995  # of the running average of weights that is validated and kept
    ramp: float = 0.3  # of the steps, within which the contrast rises from 0 to 1
    seed: int = 1
    validation_seed: int = 900_001
    validation_windows: int = 1024
    precision: float = 0.995  # that the threshold must reach on validation
    validate_every: int = 250
    save_seconds: float = 180.0
    threads: int = 2

    def rate(self, step: int) -> float:
        """The learning rate of ``step``: a linear warm-up, then half a cosine to 0."""
        warm = min(1.0, (step + 1) / self.warm_up)
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    @property
    def curriculum(self) -> Curriculum:
        """The contrast by step."""
        return Curriculum(int(self.ramp * self.steps))


@dataclass(frozen=True)
class Checkpoint:
    """What is kept of a training: enough to go on with it, or to export its network."""

    options: TrainingOptions
    step: int
    data_hash: str
    network: dict[str, Any]
    averaged: dict[str, Any]
    optimizer: dict[str, Any]
    figures: dict[str, float]

    def save(self, file: Path) -> None:
        """Replaces ``file`` in one go. Raises StorageError if it cannot be written."""
        partial = file.with_name(file.name + ".partial")
        content = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        content["options"] = dataclasses.asdict(self.options)
        try:
            with partial.open("wb") as stream:
                torch.save(content, stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(file)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(file, error) from error

    @classmethod
    def load(cls, file: Path) -> "Checkpoint":
        """Reads what ``save`` wrote. Raises InputError if it is no checkpoint."""
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
            options = TrainingOptions(**content.pop("options"))
            return cls(options=options, **content)
        except FileNotFoundError as error:
            raise InputError("there is no such checkpoint", file=file) from error
        except Exception as error:
            raise InputError(f"is not a training checkpoint ({error})", file=file) from error

    def averaged_network(self) -> AttentionFusionNetwork:
        """The network to use: averaged weights, in evaluation mode."""
        network = AttentionFusionNetwork(self.options.width)
        network.load_state_dict(self.averaged)
        return network.eval()


def fit(
    options: TrainingOptions,
    directory: Path,
    source: BatchSource,
    report: Callable[[str], None] = print,
) -> Checkpoint:
    """Trains until ``options.steps``, going on from ``directory``'s checkpoint if it has one.

    Writes ``checkpoint.pt`` every ``save_seconds`` and at the end, and ``log.csv`` at each
    validation. Raises InputError if the checkpoint is of a training with other options or
    other windows, StorageError if the directory cannot be written.
    """
    file = directory / "checkpoint.pt"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(directory, error) from error
    torch.set_num_threads(options.threads)
    data_hash = fingerprint(source, options.seed)
    trainer = _Trainer(options)
    latest: dict[str, float] = {}
    if file.exists():
        checkpoint = Checkpoint.load(file)
        _require_same(checkpoint, options, data_hash, file)
        trainer.restore(checkpoint)
        latest = checkpoint.figures
    windows, labels = validation_windows(
        source, options.validation_seed, options.validation_windows
    )
    batches = Batches(
        source,
        seed=options.seed,
        size=options.batch,
        curriculum=options.curriculum,
        first=trainer.step,
        last=options.steps,
    )
    begun = saved = time.monotonic()
    losses: list[float] = []
    for batch, truth in in_background(batches):
        losses.append(trainer.train(batch, truth))
        finished = trainer.step == options.steps
        if finished or trainer.step % options.validate_every == 0:
            latest = _validate(trainer.averaged, windows, labels, options.precision)
            row = {
                "step": trainer.step,
                "seconds": round(time.monotonic() - begun, 1),
                "contrast": options.curriculum.contrast(trainer.step - 1),
                "learning_rate": options.rate(trainer.step - 1),
                "loss": float(np.mean(losses)),
                **latest,
            }
            losses.clear()
            _log(directory / "log.csv", row)
            report("  ".join(f"{name} {value:.5g}" for name, value in row.items()))
        if finished or time.monotonic() - saved >= options.save_seconds:
            trainer.checkpoint(data_hash, latest).save(file)
            saved = time.monotonic()
    return trainer.checkpoint(data_hash, latest)


class _Trainer:
    """The network, its running average and its optimiser, advanced one batch at a time."""

    def __init__(self, options: TrainingOptions) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.step = 0
        self.network = AttentionFusionNetwork(options.width)
        # Channels last is 1.1 to 1.5 times as fast on the CPU.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = AttentionFusionNetwork(options.width).eval()
        self.averaged.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )

    def train(self, windows: Tensor, labels: Tensor) -> float:
        """One step on windows (N, 256, 256) uint8 and labels (N,) float32: the loss."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate(self.step)
        logits = self.network.classify(windows.float())
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.options.gradient_norm)
        self.optimizer.step()
        self.step += 1
        self._average()
        return loss.item()

    def checkpoint(self, data_hash: str, latest: dict[str, float]) -> Checkpoint:
        return Checkpoint(
            options=self.options,
            step=self.step,
            data_hash=data_hash,
            network=self.network.state_dict(),
            averaged=self.averaged.state_dict(),
            optimizer=self.optimizer.state_dict(),
            figures=latest,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        self.step = checkpoint.step
        self.network.load_state_dict(checkpoint.network)
        self.averaged.load_state_dict(checkpoint.averaged)
        self.optimizer.load_state_dict(checkpoint.optimizer)

    @torch.no_grad()
    def _average(self) -> None:
        # The average forgets its beginning fast and lengthens to its full memory.
        decay = min(self.options.average_decay, self.step / (self.step + 10))
        current = self.network.state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - decay)
            else:
                value.copy_(current[name])


@torch.inference_mode()
def score(
    network: AttentionFusionNetwork, windows: Windows, batch: int = 64
) -> npt.NDArray[np.float32]:
    """Logits (N,) of uint8 windows (N, 256, 256), by a network in evaluation mode."""
    parts = [
        network.classify(torch.from_numpy(windows[first : first + batch]).float())
        for first in range(0, len(windows), batch)
    ]
    return torch.cat(parts).numpy()


def _validate(
    network: AttentionFusionNetwork,
    windows: Windows,
    labels: npt.NDArray[np.int64],
    precision: float,
) -> dict[str, float]:
    logits = score(network, windows)
    threshold = threshold_for_precision(logits, labels, precision)
    found = dataclasses.asdict(figures(logits, labels, threshold))
    return {"auc": area_under_curve(logits, labels), **found}


def _require_same(
    checkpoint: Checkpoint, options: TrainingOptions, data_hash: str, file: Path
) -> None:
    for field in dataclasses.fields(options):
        ours, theirs = getattr(options, field.name), getattr(checkpoint.options, field.name)
        if ours != theirs and field.name not in {"threads", "save_seconds"}:
            raise InputError(
                f"belongs to a training with {theirs}, not {ours}", file=file, field=field.name
            )
    if checkpoint.data_hash != data_hash:
        raise InputError("belongs to a training on other windows", file=file)


def _log(file: Path, row: dict[str, float]) -> None:
    try:
        new = not file.exists()
        with file.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, _LOG_FIELDS)
            if new:
                writer.writeheader()
            writer.writerow(row)
    except OSError as error:
        raise StorageError(file, error) from error
