"""Simulation of glass and instrument: the simulated element and the simulated rig."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")
