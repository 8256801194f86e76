"""``darkscan stage``: one stage of a run, in this process."""

import argparse

from darkscan.pipeline.core.errors import ExitCode
from darkscan.stages.__main__ import add_arguments
from darkscan.stages.process import run_stage


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan stage`` and its options."""
    parser = commands.add_parser(
        "stage",
        help="run one stage of a run by hand (replay starts all of them)",
        description="Runs one stage of a run in this process until SIGTERM or Ctrl-C.",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the stage."""
    run_stage(arguments.stage, arguments.run_dir, arguments.index, arguments.parent)
    return ExitCode.OK
