"""Options that several commands take."""

import argparse

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.units import COARSEST_UM, FINEST_UM


def checked_pitch(arguments: argparse.Namespace) -> float:
    """The value of --pitch-um. Raises InputError unless a scan can have it."""
    pitch = float(arguments.pitch_um)
    if not FINEST_UM <= pitch <= COARSEST_UM:
        problem = f"must be from {FINEST_UM} to {COARSEST_UM} micrometres, is {pitch}"
        raise InputError(problem, field="--pitch-um")
    return pitch
