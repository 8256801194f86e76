"""The option that names a folder of real backgrounds, of the commands that take one."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.cli.progress import progress_bar

if TYPE_CHECKING:
    from darkscan.simulation.element.real_backgrounds import RealBackgrounds


def add_backgrounds_option(parser: "argparse._ActionsContainer", what: str) -> None:
    """Adds --backgrounds; ``what`` is done with them, in words."""
    parser.add_argument(
        "--backgrounds",
        type=Path,
        metavar="DIR",
        help="a folder of pictures and recordings of your instrument WITHOUT scratches, " + what,
    )


def read_backgrounds(folder: Path, share: float = 1.0) -> "RealBackgrounds":
    """The pictures and recordings in a folder; shows how far it is. Raises InputError."""
    from darkscan.simulation.element.real_backgrounds import RealBackgrounds

    with progress_bar("reading backgrounds", "files") as bar:
        return RealBackgrounds.of_folder(folder, share, bar.show)
