"""The training itself: from options and a source of windows to checkpoints in a folder."""

import dataclasses
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Self

import numpy as np
import torch

from darkscan.network.batches import Batches, Source, in_background
from darkscan.network.training._checkpoint import Checkpoint, Row, hash_of, start_from
from darkscan.network.training._journal import Journal, Reporting
from darkscan.network.training._ranks import Ranks, joined
from darkscan.network.training._trainer import Trainer
from darkscan.network.training._validation import ValidationWindows, validate
from darkscan.network.training.options import Machine, TrainingOptions
from darkscan.pipeline.core.errors import InputError, StorageError

LATEST, BEST = "checkpoint.pt", "best.pt"

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def fit(
    options: TrainingOptions,
    directory: Path,
    source: Source,
    *,
    machine: Machine | None = None,
    init: Path | None = None,
    reporting: Reporting | None = None,
) -> Checkpoint:
    """Trains until ``options.steps``, resuming from ``directory``'s checkpoint if it has one.

    Writes ``checkpoint.pt`` at each validation and every ``machine.save_seconds``,
    ``best.pt`` where the validation loss is the lowest yet, and ``log.csv``, ``log.png``
    and ``pr.png`` at each validation. A new training starts from ``init``'s weights, if
    given.

    Raises InputError if the checkpoint is of a training with other options or other
    windows, DarkscanError if the loss is no number any more (the last checkpoint stays),
    StorageError if the directory cannot be written, KeyboardInterrupt, after saving,
    where it is interrupted. Where torchrun started several processes, they share every
    batch; the first alone validates, writes and reports.
    """
    machine, reporting = machine or Machine(), reporting or Reporting()
    if init is not None:
        options = dataclasses.replace(options, init=hash_of(init))
    torch.set_num_threads(machine.threads)
    with joined(machine.device) as ranks, Interrupts() as interrupts:
        if not ranks.first:
            reporting = Reporting(_nothing, _nothing, plots=False)
        training = _Training(options, directory, source, machine, ranks)
        training.begin(init, reporting.line)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(directory, error) from error
        journal = Journal(directory, reporting, steps=options.steps)
        return training.run(journal, interrupts, reporting.step)


class Interrupts:
    """While it is entered, the first interrupt only sets ``asked``; a second one interrupts.

    A step that is cut in two leaves weights that are neither before nor after it.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class _Training:
    """A trainer, the windows it is trained and judged on, and the folder that keeps it."""

    def __init__(
        self,
        options: TrainingOptions,
        directory: Path,
        source: Source,
        machine: Machine,
        ranks: Ranks,
    ) -> None:
        self.options = options
        self.directory = directory
        self.source = source
        self.machine = machine
        self.ranks = ranks
        self.share = ranks.share(options.batch)
        on_gpu = ranks.device.type == "cuda"
        compiled = on_gpu if machine.compiled is None else machine.compiled
        self.trainer = Trainer(options, ranks, compiled=compiled, bfloat16=machine.bfloat16)
        self.data_hash = source.fingerprint(options.seed)
        self.history: list[Row] = []
        self.figures: Row = {}
        self.losses: list[float] = []  # since the latest validation

    def begin(self, init: Path | None, report: Callable[[str], None]) -> None:
        """Resumes from the folder's checkpoint, or starts, from ``init``'s weights if given."""
        file = self.directory / LATEST
        if file.exists():
            checkpoint = Checkpoint.load(file)
            _require_same(checkpoint, self.options, self.data_hash, file)
            self.trainer.restore(checkpoint)
            self.history = list(checkpoint.history)
            self.figures = checkpoint.figures
            self.losses = list(checkpoint.losses)
            report(f"{file}: goes on after step {checkpoint.step} of {self.options.steps}")
        elif init is not None:
            start = start_from(init, self.trainer.network)
            self.trainer.start(start.weights)
            report(f"{init}: {start}")

    def run(
        self, journal: Journal, interrupts: Interrupts, on_step: Callable[[int, float], None]
    ) -> Checkpoint:
        """Trains to the end; see ``fit``."""
        options, trainer = self.options, self.trainer
        if trainer.step >= options.steps:
            return self.checkpoint()
        judged = self._validation_windows()
        batches = in_background(
            Batches(
                self.source,
                options.seed,
                options.batch,
                options.curriculum,
                first=trainer.step,
                last=options.steps,
                share=self.share,
            ),
            self.machine.workers,
            pinned=self.ranks.device.type == "cuda",
        )
        first, begun = trainer.step, time.monotonic()
        before = self.history[-1]["seconds"] if self.history else 0.0
        saved = begun
        for batch in batches:
            loss = trainer.train(batch, options.rate(trainer.step, self._reductions()))
            self.losses.append(loss)
            on_step(trainer.step, loss)
            now = time.monotonic()
            if trainer.step == options.steps or trainer.step % options.validate_every == 0:
                row = {
                    "step": trainer.step,
                    "seconds": round(before + now - begun, 1),
                    "contrast": options.curriculum.contrast(trainer.step - 1),
                    "learning_rate": options.rate(trainer.step - 1, self._reductions()),
                    "loss": float(np.mean(self.losses)),
                }
                self.losses.clear()
                left = (now - begun) / (trainer.step - first) * (options.steps - trainer.step)
                self._validate(row, judged, journal, left)
                saved = time.monotonic()
            stop, due = self.ranks.mean(
                [interrupts.asked, now - saved >= self.machine.save_seconds]
            )
            if stop or due:
                self._save(LATEST)
                saved = time.monotonic()
            if stop:
                raise KeyboardInterrupt
        return self.checkpoint()

    def checkpoint(self) -> Checkpoint:
        """The training as it stands."""
        return Checkpoint(
            options=self.options,
            data_hash=self.data_hash,
            data=self.source.description,
            figures=self.figures,
            history=self.history,
            losses=self.losses,
            **self.trainer.state(),
        )

    def _validate(
        self, row: Row, judged: ValidationWindows | None, journal: Journal, left: float
    ) -> None:
        """Adds a validation to the history, and saves; the best also apart."""

        def measured() -> Row:
            assert judged is not None
            found, labels, logits = validate(self.trainer.averaged, judged, self.options.precision)
            journal.write([*self.history, row | found], labels, logits, left)
            return found

        self.figures = self.ranks.from_first(measured)
        best = min((past["validation_loss"] for past in self.history), default=np.inf)
        self.history.append(row | self.figures)
        if self.figures["validation_loss"] < best:
            self._save(BEST)  # before the other, which says that it is there
        self._save(LATEST)

    def _reductions(self) -> int:
        return self.options.reductions(row["validation_loss"] for row in self.history)

    def _validation_windows(self) -> ValidationWindows | None:
        if not self.ranks.first:
            return None
        options = self.options
        drawn = self.source.validation(options.validation_seed, options.validation_windows)
        judged = ValidationWindows(*drawn, self.source.full_scale)
        if len(set(judged.labels[judged.judging].tolist())) < 2:  # noqa: PLR2004 - both classes
            problem = f"gives {len(judged.labels)} validation windows, all of one class"
            raise InputError(problem, field=self.source.description)
        return judged

    def _save(self, name: str) -> None:
        if self.ranks.first:
            self.checkpoint().save(self.directory / name)


def _require_same(
    checkpoint: Checkpoint, options: TrainingOptions, data_hash: str, file: Path
) -> None:
    for field in dataclasses.fields(options):
        ours, theirs = getattr(options, field.name), getattr(checkpoint.options, field.name)
        if ours != theirs:
            raise InputError(
                f"belongs to a training with {theirs}, not {ours}", file=file, field=field.name
            )
    if checkpoint.data_hash != data_hash:
        raise InputError("belongs to a training on other windows", file=file)
    if not checkpoint.network:
        raise InputError("holds weights only; start a new training with --init", file=file)


def _nothing(*_: object) -> None:
    pass
