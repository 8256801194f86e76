"""Measures detectors: figures with intervals, curves, breakdowns, and the paper's tables.

``windows`` scores a split, ``in_frames`` does where its windows lie, ``thresholds`` chooses
on validation, ``evaluation`` measures, ``intervals`` says how sure that is, ``breakdown``
where it fails, ``elements`` does the same for whole defect maps; ``report``, ``plots`` and
``tables`` show it, ``paper`` holds the paper's own figures. Only ``network_scorer`` needs torch,
and only when it is used.

Real frames: ``polylines`` reads the scratches drawn on them, ``labelled_frames`` the frames,
``lines_in_maps`` says which a map shows, ``beyond_windows`` what light from beyond a window
does, ``frame_figures`` adds it all up. ``degradations`` are what cameras and files do to an
image, ``conditions`` the sweeps of them.
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
