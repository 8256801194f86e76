"""The simulated element: dark-field scans with ground truth, and windows to train on."""

from darkscan.drivers.simulation.element import PRESETS, simulate_element
from darkscan.drivers.simulation.source import SimulatedScan, size_of_patch
from darkscan.drivers.simulation.truth import Dig, ElementTruth, Trace
from darkscan.drivers.simulation.windows import (
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
