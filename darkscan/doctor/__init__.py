"""The doctor: looks at a computer for all that darkscan needs of it, and says what to do.

It reads and measures, and changes nothing: no axis moves, no camera is opened, no leftover is
removed.
"""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")

from darkscan.doctor._examination import CHECKS, examine
from darkscan.doctor._findings import Finding, Level, Subject, counted

__all__ = ["CHECKS", "Finding", "Level", "Subject", "counted", "examine"]
