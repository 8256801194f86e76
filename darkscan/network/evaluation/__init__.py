"""Measures detectors: figures with intervals, curves, breakdowns, and the paper's tables.

``windows`` scores a split, ``in_frames`` does where its windows lie, ``thresholds`` chooses
on validation, ``evaluation`` measures, ``intervals`` says how sure that is, ``breakdown``
where it fails, ``elements`` does the same for whole defect maps; ``report``, ``plots`` and
``tables`` show it, ``paper`` holds the paper's own figures. Only ``network_scorer`` needs torch,
and only when it is used.
"""

from darkscan.network.evaluation._evaluation import Evaluation, Terms, evaluate, plain
from darkscan.network.evaluation._thresholds import Rule, parse_rule
from darkscan.network.evaluation.windows import DataSet, Scored, Scorer, WindowSet, score_split

__all__ = [
    "DataSet",
    "Evaluation",
    "Rule",
    "Scored",
    "Scorer",
    "Terms",
    "WindowSet",
    "evaluate",
    "parse_rule",
    "plain",
    "score_split",
]
