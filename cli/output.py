"""Prints results for whoever reads them, or for nobody."""

import os
import sys


def say(text: str) -> None:
    """Prints to standard output; a reader that is gone (`| head`) changes nothing else."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Else Python would try to flush the rest at its end, and fail with another code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
