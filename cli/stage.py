"""``darkscan stage``: one stage of a run, in this process."""

import argparse
from pathlib import Path

from darkscan.stages.run import STAGES, run_stage


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "stage",
        help="run one stage of a run by hand (replay starts all of them)",
        description="Runs one stage of a run in this process until SIGTERM or Ctrl-C.",
    )
    parser.add_argument("stage", choices=STAGES, help="which one")
    parser.add_argument(
        "--run", dest="run_dir", type=Path, required=True, help="the run's folder in /dev/shm"
    )
    parser.add_argument("--index", type=int, default=0, help="which of several workers (from 0)")
    parser.add_argument("--parent", type=int, help="end when this process is gone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the stage."""
    return run_stage(arguments.stage, arguments.run_dir, arguments.index, arguments.parent)
