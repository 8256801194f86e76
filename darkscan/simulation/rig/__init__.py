"""The simulated rig: a camera, axes and an element that stand in for real ones."""

from darkscan.simulation.rig._simulated_rig import SimulatedRig
from darkscan.simulation.rig._true_rig import true_geometry, truth_of

__all__ = ["SimulatedRig", "true_geometry", "truth_of"]
