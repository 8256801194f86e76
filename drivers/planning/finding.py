"""What is said of one thing that was looked at before a scan."""

from typing import Literal

from darkscan.pipeline.configuration import Settings

Verdict = Literal["ok", "waits", "refused"]


class Finding(Settings):
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    figures: str
    """In one line: what is needed, and what is there."""

    field: str = ""
    """The key of the rig file or the recipe that may change it."""


def judged(name: str, figures: str, *, possible: bool, field: str = "") -> Finding:
    """A finding that either holds or makes the scan impossible."""
    return Finding(name=name, verdict="ok" if possible else "refused", figures=figures, field=field)
