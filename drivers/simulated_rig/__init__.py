"""The simulated rig: a camera, axes and an element that stand in for real ones."""

from darkscan.drivers.simulated_rig.rig import SimulatedRig
from darkscan.drivers.simulated_rig.truth import true_geometry, truth_of

__all__ = ["SimulatedRig", "true_geometry", "truth_of"]
