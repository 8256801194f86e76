"""Planning: which frames a scan takes, and where the axes stand for each."""

from darkscan.drivers.planning._planner import plan_scan
from darkscan.drivers.planning.passes import check_limits, passes
from darkscan.drivers.planning.plan import LiveScan, Pass, PlannedFrame, ScanPlan

__all__ = [
    "LiveScan",
    "Pass",
    "PlannedFrame",
    "ScanPlan",
    "check_limits",
    "passes",
    "plan_scan",
]
