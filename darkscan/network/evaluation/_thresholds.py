"""Which score makes a window a scratch: chosen on validation windows, never on test ones."""

import re
from dataclasses import dataclass
from typing import Literal

from darkscan.network.evaluation.windows import Scored
from darkscan.network.metrics import (
    threshold_for_f1,
    threshold_for_false_positives,
    threshold_for_precision,
)
from darkscan.pipeline.core.errors import InputError

_SYNTAX = re.compile(r"(max-f1)|(precision|fpr)=([0-9.eE-]+)|([0-9.eE-]+)|(model)")


@dataclass(frozen=True)
class Rule:
    """How a threshold is found.

    ``max-f1``: where F1 is highest; ``precision``: the lowest that reaches ``level``;
    ``fpr``: the lowest that at most ``level`` of the backgrounds reach; ``fixed``, or
    ``model``, which came with the model's file: it is ``level``, whatever the data.
    """

    kind: Literal["max-f1", "precision", "fpr", "fixed", "model"]
    level: float = 0.0

    def __str__(self) -> str:
        return {
            "max-f1": "highest F1",
            "precision": f"precision >= {self.level:g}",
            "fpr": f"false positive rate <= {self.level:g}",
            "fixed": f"fixed at {self.level:g}",
            "model": "the model's own",
        }[self.kind]

    @property
    def needs_validation(self) -> bool:
        """Whether it looks at windows at all."""
        return self.kind not in {"fixed", "model"}

    def choose(self, validation: Scored) -> float:
        """The threshold. Infinite if no score of these windows reaches the level."""
        scores, labels = validation.scores, validation.labels
        if self.kind == "precision":
            return threshold_for_precision(scores, labels, self.level)
        if self.kind == "fpr":
            return threshold_for_false_positives(scores, labels, self.level)
        return threshold_for_f1(scores, labels) if self.kind == "max-f1" else self.level


OPERATING_POINTS = (Rule("max-f1"), Rule("precision", 0.98), Rule("fpr", 0.002))
"""Shown in every report beside the rule that was asked for."""


def parse_rule(text: str, model_threshold: float | None) -> Rule:
    """Reads ``max-f1``, ``precision=P``, ``fpr=R``, a number, or ``model``: the file's own.

    Raises InputError.
    """
    match = _SYNTAX.fullmatch(text)
    try:
        if match is not None and match[1]:
            return Rule("max-f1")
        if match is not None and match[2]:
            return Rule("precision" if match[2] == "precision" else "fpr", _fraction(match[3]))
        if match is not None and match[4]:
            return Rule("fixed", _fraction(match[4]))
    except ValueError:
        match = None
    if match is None:
        problem = f"must be max-f1, precision=P, fpr=R, a number from 0 to 1 or model, is {text!r}"
        raise InputError(problem, field="--threshold")
    if model_threshold is None:
        raise InputError("checkpoints have no threshold of their own", field="--threshold")
    return Rule("model", model_threshold)


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value
