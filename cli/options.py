"""Options that several commands take."""

import argparse
import os
from pathlib import Path

from darkscan.pipeline.errors import InputError, StorageError
from darkscan.pipeline.recipe import Recipe, load_recipe
from darkscan.pipeline.units import COARSEST_UM, FINEST_UM

_MOST_THREADS = 1024


def checked_pitch(arguments: argparse.Namespace) -> float:
    """The value of --pitch-um. Raises InputError unless a scan can have it."""
    pitch = float(arguments.pitch_um)
    if not FINEST_UM <= pitch <= COARSEST_UM:
        problem = f"must be from {FINEST_UM} to {COARSEST_UM} micrometres, is {pitch}"
        raise InputError(problem, field="--pitch-um")
    return pitch


def add_hdu(parser: "argparse._ActionsContainer") -> None:
    """Adds the option that chooses among the images of FITS files."""
    parser.add_argument(
        "--hdu",
        metavar="NAME",
        help="which image of a FITS file that holds several: NAME, NAME,VERSION or its number",
    )


def checked_threads(given: int | None) -> int:
    """How many threads to use. Raises InputError for an impossible number."""
    if given is None:
        return len(os.sched_getaffinity(0))
    if not 1 <= given <= _MOST_THREADS:
        raise InputError(f"must be from 1 to {_MOST_THREADS}, is {given}", field="--threads")
    return given


def require_writable(out: Path) -> None:
    """Raises StorageError, before any work, if nothing could be written at ``out``."""
    above = out if out.is_dir() else out.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise StorageError(out, f"{above} is not a directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError(out, f"{above} is not writable")


def recipe_of(file: Path | None) -> Recipe:
    """The recipe in a file, or the embedded one. Raises InputError."""
    return Recipe() if file is None else load_recipe(file)
