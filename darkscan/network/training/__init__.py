"""Training: fits a network to windows, can be killed and resumed, and keeps the best.

``TrainingOptions`` say what is trained, ``Machine`` where; ``fit`` trains and writes
``Checkpoint`` files; ``score`` asks a network.
"""

from darkscan.network.training.checkpoint import Checkpoint
from darkscan.network.training.fitting import fit
from darkscan.network.training.options import Machine, TrainingOptions, paper, small
from darkscan.network.training.scoring import ValidationWindows, score

__all__ = [
    "Checkpoint",
    "Machine",
    "TrainingOptions",
    "ValidationWindows",
    "fit",
    "paper",
    "score",
    "small",
]
