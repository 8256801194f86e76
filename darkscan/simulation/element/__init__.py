"""The simulated element: dark-field scans with ground truth, and windows to train on."""

from darkscan.simulation.element._element import PRESETS, simulate_element
from darkscan.simulation.element._source import SimulatedScan, size_of_patch
from darkscan.simulation.element.element_truth import Dig, ElementTruth, Trace
from darkscan.simulation.element.windows import (
    TrainingWindow,
    training_batch,
    training_window,
)

__all__ = [
    "PRESETS",
    "Dig",
    "ElementTruth",
    "SimulatedScan",
    "Trace",
    "TrainingWindow",
    "simulate_element",
    "size_of_patch",
    "training_batch",
    "training_window",
]
