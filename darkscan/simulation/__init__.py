"""Simulation of glass and instrument: the simulated element and the simulated rig."""
