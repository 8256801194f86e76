"""Runs one stage of a run: ``python -m darkscan.stages NAME --run DIR``.

The supervisor starts its processes here and not through the command line of darkscan,
which would load every library of every command into each of them.
"""

import argparse
import sys
from pathlib import Path

from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.core.frame_results import LINK_STAGES, RIG_STAGES, STAGES
from darkscan.stages.process import run_stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that say which stage of which run this process is."""
    parser.add_argument("stage", choices=STAGES + RIG_STAGES + LINK_STAGES, help="which one")
    parser.add_argument(
        "--run", dest="run_dir", type=Path, required=True, help="the run's folder in /dev/shm"
    )
    parser.add_argument(
        "--index", type=int, choices=range(256), default=0, metavar="N", help="which worker (0...)"
    )
    parser.add_argument("--parent", type=int, help="end when this process is gone")


def main() -> int:
    """Runs the stage; returns the exit code."""
    parser = argparse.ArgumentParser(prog="darkscan.stages", description=__doc__)
    add_arguments(parser)
    arguments = parser.parse_args()
    try:
        run_stage(arguments.stage, arguments.run_dir, arguments.index, arguments.parent)
    except DarkscanError as error:
        print(f"darkscan: error: {error}", file=sys.stderr)  # noqa: T201 - for whoever started us
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
