"""What stands in for glass and instrument: the simulated element and the simulated rig."""
