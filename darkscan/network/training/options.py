"""The options of a training: the paper's protocol, and the one for small machines."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from darkscan.network.batches import Curriculum
from darkscan.network.variants import OURS
from darkscan.pipeline.core.errors import InputError

PAPER_WINDOWS = 30_920
"""The training windows of the paper's Table I."""
PAPER_VALIDATION_WINDOWS = 996
PAPER_EPOCHS = 40

_ENOUGH_BETTER = 1e-4  # a validation loss that falls by less is no progress
_LEAST: dict[str, float] = {
    "steps": 1, "batch": 2, "learning_rate": 0, "warm_up": 0, "patience": 1, "weight_decay": 0,
    "gradient_norm": 0, "average_decay": 0, "ramp": 0, "seed": 0, "validation_seed": 0,
    "validation_windows": 2, "precision": 0, "validate_every": 1,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingOptions:
    """All that a training's outcome depends on, beside the source of its windows.

    The defaults are the preset for small machines.
    """

    network: str = OURS
    width: float = 0.25
    steps: int = 4000
    batch: int = 32
    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["cosine", "plateau"] = "cosine"
    learning_rate: float = 2e-3  # the highest, reached after warm_up steps
    warm_up: int = 100
    patience: int = 3  # validations without progress, after which a plateau ends
    weight_decay: float = 1e-4
    gradient_norm: float = 5.0  # longer gradients are shortened to it; 0: none are
    average_decay: float = 0.995  # for the average of weights, which is validated and kept
    ramp: float = 0.3  # the share of steps in which the contrast rises from 0 to 1
    seed: int = 1
    validation_seed: int = 900_001
    validation_windows: int = 1024
    precision: float = 0.995  # the threshold must reach it on validation
    validate_every: int = 250
    init: str = ""  # the SHA-256 of the checkpoint whose weights it started from

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not least <= value < math.inf:  # NaN neither
                raise InputError(f"must be {least:g} or more, is {value}", field=name)
        for name in ("average_decay", "ramp", "precision"):
            if getattr(self, name) > 1:
                raise InputError(f"must be at most 1, is {getattr(self, name)}", field=name)
        if not self.learning_rate > 0:
            raise InputError(f"must be above 0, is {self.learning_rate}", field="learning_rate")

    def rate(self, step: int, reductions: int = 0) -> float:
        """The learning rate of ``step``: a linear warm-up, then by the schedule.

        "cosine" is half a cosine to 0 at the last step; "plateau" a tenth for each of
        ``reductions``.
        """
        rate = self.learning_rate * min(1.0, (step + 1) / max(self.warm_up, 1))
        if self.schedule == "plateau":
            return rate * 0.1**reductions
        return rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def reductions(self, losses: Iterable[float]) -> int:
        """How often the validation losses so far stalled for ``patience`` validations."""
        best, stalled, count = math.inf, 0, 0
        for loss in losses:
            stalled = 0 if loss < best - _ENOUGH_BETTER else stalled + 1
            best = min(best, loss)
            if stalled == self.patience:
                count, stalled = count + 1, 0
        return count

    @property
    def curriculum(self) -> Curriculum:
        """The contrast by step."""
        return Curriculum(int(self.ramp * self.steps))


@dataclass(frozen=True)
class Machine:
    """Where a training runs. Changes its speed, and its figures by no more than rounding."""

    threads: int = 2  # torch's, on the CPU
    workers: int = 1  # processes that draw windows ahead; 0: none, the training draws them
    device: str = "auto"  # "cpu", "cuda", or cuda where there is one
    compiled: bool | None = None  # by torch.compile; None: on a GPU
    bfloat16: bool | None = None  # not float32; None: on a GPU, and on a CPU with units for it
    save_seconds: float = 180.0  # at most between two checkpoints


def small() -> TrainingOptions:
    """For two cores and an hour: a narrow network, weak scratches last, averaged weights."""
    return TrainingOptions()


def paper(windows: int = PAPER_WINDOWS, batch: int = 32) -> TrainingOptions:
    """The paper's protocol, Section III: Adam at 1e-4, a tenth of it at every plateau.

    40 epochs of ``windows``, validated after each; no curriculum, no averaging. Raises
    InputError for fewer windows than a batch.
    """
    epoch = windows // batch
    if not epoch:
        problem = f"are {windows}, fewer than a batch of {batch}"
        raise InputError(problem, field="training windows")
    return TrainingOptions(
        network="afn",
        width=1.0,
        steps=PAPER_EPOCHS * epoch,
        batch=batch,
        optimizer="adam",
        schedule="plateau",
        learning_rate=1e-4,
        warm_up=0,
        weight_decay=0.0,
        gradient_norm=0.0,
        average_decay=0.0,
        ramp=0.0,
        validation_windows=PAPER_VALIDATION_WINDOWS,
        validate_every=epoch,
    )
