"""Data sets of labelled windows: built from images and simulated elements, kept in one file.

``Dataset.open(file)`` gives the ``WindowSet`` of each split; ``build_dataset`` makes the
file. docs/reference/datasets.md has the rule that labels windows, the sampling and the format.
"""

from darkscan.network.datasets._build import LeftOut, Options, Source, SplitReport, build_dataset
from darkscan.network.datasets._reader import Dataset, WindowSet
from darkscan.network.datasets._sampling import Sampling, Shares
from darkscan.network.datasets._sheet import contact_sheet, save_sheet
from darkscan.network.datasets._splits import Counts
from darkscan.network.datasets.images import MarkedImage
from darkscan.network.datasets.marks import MarksError
from darkscan.network.datasets.rule import RULE
from darkscan.network.datasets.simulated import SimulatedImage

__all__ = [
    "RULE",
    "Counts",
    "Dataset",
    "LeftOut",
    "MarkedImage",
    "MarksError",
    "Options",
    "Sampling",
    "Shares",
    "SimulatedImage",
    "Source",
    "SplitReport",
    "WindowSet",
    "build_dataset",
    "contact_sheet",
    "save_sheet",
]
