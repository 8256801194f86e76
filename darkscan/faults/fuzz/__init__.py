"""Fuzzing: hostile messages and files through all that reads them, each case from its seed."""

from darkscan.faults.fuzz._engine import Counts, Finding, Work, case_of, fuzz
from darkscan.faults.fuzz._target import TARGETS, Target, TargetName
from darkscan.faults.fuzz._targets import target_of

__all__ = [
    "TARGETS",
    "Counts",
    "Finding",
    "Target",
    "TargetName",
    "Work",
    "case_of",
    "fuzz",
    "target_of",
]
