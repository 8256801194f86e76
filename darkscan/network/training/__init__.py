"""Training: fits a network to windows, can be killed and resumed, and keeps the best.

``TrainingOptions`` say what is trained, ``Machine`` where, ``Reporting`` who hears of it;
``fit`` trains and writes ``Checkpoint`` files; ``score`` gives a network's logits.
"""

from darkscan.network.training._checkpoint import Checkpoint
from darkscan.network.training._fitting import fit
from darkscan.network.training._journal import Reporting
from darkscan.network.training._validation import ValidationWindows, score
from darkscan.network.training.options import Machine, TrainingOptions, paper, small

__all__ = [
    "Checkpoint",
    "Machine",
    "Reporting",
    "TrainingOptions",
    "ValidationWindows",
    "fit",
    "paper",
    "score",
    "small",
]
