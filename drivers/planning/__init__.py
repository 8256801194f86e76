"""Planning: which frames a scan takes, and where the axes stand for each."""

from darkscan.drivers.planning.plan import Pass, PlannedFrame, ScanPlan

__all__ = ["Pass", "PlannedFrame", "ScanPlan"]
