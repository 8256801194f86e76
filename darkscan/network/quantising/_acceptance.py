"""Quantises a model file, and keeps the result only if it is as good on windows it never saw."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import onnx

from darkscan.inference.conventions import INPUTS
from darkscan.inference.scoring import ModelScorer
from darkscan.network.metrics import (
    Figures,
    Scores,
    area_under_curve,
    figures,
    threshold_for_false_positives,
)
from darkscan.network.quantising._model import Target, add_metadata, is_dense, load_model, quantise
from darkscan.network.quantising._windows import BATCH, StatedWindows, Tick, silent
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.inputs import read_file

ALLOWED_LOSS = 0.005
"""The loss of F1 that is allowed, at the model's own threshold."""


@dataclass(frozen=True)
class Trial:
    """The windows that a model in eight bits is made with and judged on."""

    calibration: StatedWindows
    test: StatedWindows
    allowed_loss: float = ALLOWED_LOSS
    """The most that F1 may fall on the test windows."""


@dataclass(frozen=True)
class Side:
    """The figures of one model on the test windows."""

    area_under_curve: float
    kept: Figures
    """At the threshold that the model file states."""
    rechosen: Figures
    """At the lowest threshold with no more false positives than the float model's kept one."""


@dataclass(frozen=True)
class Comparison:
    """A model in float and in eight bits, on the same windows."""

    before: Side
    after: Side
    agreement: float
    """The share of windows on the same side of the kept threshold."""

    @property
    def loss(self) -> float:
        """How much F1 falls at the kept threshold; below 0 if it rises."""
        return self.before.kept.f1 - self.after.kept.f1

    def table(self) -> str:
        """The figures as a Markdown table."""
        lines = [
            "| model | threshold | | AUC | precision | recall | F1 | false positive rate |",
            "|---" * 8 + "|",
        ]
        for choice in ("kept", "rechosen"):
            for name, side in (("float", self.before), ("int8", self.after)):
                f: Figures = getattr(side, choice)
                lines.append(
                    f"| {name} | {choice} | {f.threshold:.4f} | {side.area_under_curve:.4f} "
                    f"| {f.precision:.4f} | {f.recall:.4f} | {f.f1:.4f} "
                    f"| {f.false_positive_rate:.4f} |"
                )
        return "\n".join(lines)


def compare(
    before: Path, after: Path, test: StatedWindows, threshold: float, *, tick: Tick = silent
) -> Comparison:
    """Compares two model files at a threshold of the score, and at re-chosen ones."""
    judging = test.judging
    first, second = (
        _scores(ModelScorer(file, threads=0, batch=BATCH), test, tick)[judging]
        for file in (before, after)
    )
    rate = figures(first, test.labels[judging], threshold).false_positive_rate
    return Comparison(
        before=_side(first, test, threshold, rate),
        after=_side(second, test, threshold, rate),
        agreement=float(((first >= threshold) == (second >= threshold)).mean()),
    )


def _scores(scorer: ModelScorer, test: StatedWindows, tick: Tick) -> Scores:
    """Scores of all windows, each without its neighbours': those the labels stand beside."""
    parts = []
    for part in test.parts(1 if scorer.dense else BATCH):
        scored = scorer.images if scorer.dense else scorer
        parts.append(scored(part, test.full_scale))
        tick(len(part))
    return np.concatenate(parts)


def _side(scores: Scores, test: StatedWindows, threshold: float, rate: float) -> Side:
    labels = test.labels[test.judging]
    rechosen = threshold_for_false_positives(scores, labels, rate)
    return Side(
        area_under_curve=area_under_curve(scores, labels),
        kept=figures(scores, labels, threshold),
        rechosen=figures(scores, labels, rechosen),
    )


class FloatModel(NamedTuple):
    """A model file to be brought to eight bits."""

    content: bytes
    threshold: float
    dense: bool
    """Whether whole frames pass it; it is then calibrated and judged on images."""


def read_model(file: Path) -> FloatModel:
    """Reads a model file. Raises InputError if it is no model of ours."""
    content = read_file(file)
    model = load_model(content, file)
    names = {node.name for node in model.graph.input}
    if names != set(INPUTS):
        problem = f"has inputs {', '.join(sorted(names))}; expected {', '.join(sorted(INPUTS))}"
        raise InputError(problem, file=file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    try:
        threshold = float(metadata["darkscan.threshold"])
    except (KeyError, ValueError) as error:
        problem = "is no darkscan model: it states no threshold"
        raise InputError(problem, file=file, field="darkscan.threshold") from error
    return FloatModel(content, threshold, is_dense(metadata))


def quantise_file(
    file: Path,
    out: Path,
    target: Target,
    trial: Trial,
    *,
    tick: Tick = silent,
    on_comparison: Callable[[Comparison], object] = lambda _: None,
) -> Comparison:
    """Writes ``file``'s model in eight bits to ``out``, if its F1 does not fall too far.

    F1 is that of the test windows at the threshold that the file states: the thresholds stay
    what they are, so that the two files can stand in for each other. ``on_comparison`` gets
    the figures before they are judged. Each calibration window ticks once, each test
    window twice. Raises InputError if ``file`` is no float model, DarkscanError if too
    much is lost, StorageError if ``out`` cannot be written; then nothing is.
    """
    content, threshold, _ = read_model(file)
    model, test = quantise(content, target, trial.calibration, file=file, tick=tick), trial.test
    with TemporaryDirectory(prefix="darkscan-quantise-") as folder:
        candidate = Path(folder) / "model.onnx"
        candidate.write_bytes(_bytes_of(model))
        comparison = compare(file, candidate, test, threshold, tick=tick)
    on_comparison(comparison)
    if not comparison.loss <= trial.allowed_loss:
        raise DarkscanError(
            f"{file}: eight bits lose {comparison.loss:.4f} of F1 on {len(test)} {test.unit}, "
            f"more than the {trial.allowed_loss:g} allowed; nothing is written"
        )
    stated = {
        "judged_on": test.description,
        "judged_on_seed": str(test.seed),
        f"judged_on_{test.unit}": str(len(test)),
        "f1_before": f"{comparison.before.kept.f1:.4f}",
        "f1_after": f"{comparison.after.kept.f1:.4f}",
        "f1_rechosen_before": f"{comparison.before.rechosen.f1:.4f}",
        "f1_rechosen_after": f"{comparison.after.rechosen.f1:.4f}",
        "threshold_rechosen": repr(comparison.after.rechosen.threshold),
    }
    add_metadata(model, {f"darkscan.{key}": value for key, value in stated.items()})
    write_atomically(out, _bytes_of(model))
    return comparison


def _bytes_of(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content
