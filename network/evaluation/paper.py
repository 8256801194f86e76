"""The figures that the paper prints: Tables I, II and III.

X. Tao, D. Zhang, A. K. Singh, M. Prasad, C.-T. Lin and D. Xu, "Weak Scratch Detection of
Optical Components Using Attention Fusion Network".
"""

from dataclasses import dataclass
from typing import Literal

TableNumber = Literal[2, 3]


@dataclass(frozen=True)
class PaperRow:
    """A row of a table: the model as the paper names it, and as darkscan does."""

    model: str
    network: str
    precision: float
    recall: float
    f1: float


TITLES: dict[TableNumber, str] = {
    2: "Table II: comparative experiment on the test data set",
    3: "Table III: ablation experiments on the test data set",
}

TABLES: dict[TableNumber, tuple[PaperRow, ...]] = {
    2: (
        PaperRow("Attention-56", "attention-56", 0.8621, 0.5285, 0.6552),
        PaperRow("Attention-92", "attention-92", 0.9821, 0.5106, 0.6719),
        PaperRow("Xception + pretraining", "xception", 0.9952, 0.5557, 0.7132),
        PaperRow("InceptionV3 + pretraining", "inception-v3", 0.9573, 0.7440, 0.8373),
        PaperRow("Our proposed method", "afn", 0.9901, 0.7958, 0.8824),
    ),
    3: (
        PaperRow("ResNet18", "resnet18", 0.9943, 0.6936, 0.8172),
        PaperRow("ResNet18+CA", "resnet18+ca", 0.9962, 0.6950, 0.8187),
        PaperRow("ResNet18+CA+BA", "resnet18+ca+ba", 0.9927, 0.7202, 0.8347),
        PaperRow("ResNet18+CA+SA", "resnet18+ca+sa", 0.9881, 0.7692, 0.8650),
        PaperRow("Our proposed method (ResNet18+CA+SA+BA)", "afn", 0.9901, 0.7958, 0.8824),
    ),
}

WINDOWS = {  # Table I: scratch and background windows of each split
    "train": (16800, 14120),
    "validation": (582, 414),
    "test": (754, 707),
}
SAMPLES = 40 * (16800 + 14120)
"""The paper's budget: 40 passes over its training windows, batches of 32, width 1."""
