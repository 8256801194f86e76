"""``darkscan network``: what each network costs in parameters, arithmetic and bytes."""

import argparse

from darkscan.cli.progress import say
from darkscan.pipeline.core.errors import ExitCode, InputError

_EPILOG = """\
examples:
  darkscan network
  darkscan network afn darkscan --width 0.25

Multiply-adds (MACs) are those of convolutions and matrix products for one 256x256 window.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan network`` and its options."""
    parser = commands.add_parser(
        "network",
        help="show the networks: parameters, multiply-adds, size",
        description="Shows what each network costs: the paper's, its ablations, darkscan's "
        "own, and those compared with.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument(
        "--width", type=float, default=1.0, help="multiplies every channel count (default: 1)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints a table of the networks' costs."""
    from darkscan.network.complexity import measure
    from darkscan.network.variants import NAMES, build

    names = list(dict.fromkeys(arguments.names)) or list(NAMES)
    for name in names:
        if name not in NAMES:
            raise InputError(f"is unknown: {name!r}; known are {', '.join(NAMES)}", field="NAME")
    longest = max(len(name) for name in ("network", *names))
    for index, name in enumerate(names):
        cost = measure(build(name, arguments.width))
        if index == 0:  # a wrong width has been refused by now
            say(f"{'network':{longest}}  {'parameters':>11}  {'MMAC a window':>13}  {'MB':>7}")
        say(
            f"{name:{longest}}  {cost.parameters:>11,}  {cost.macs / 1e6:>13,.1f}  "
            f"{cost.megabytes:>7.2f}"
        )
    return ExitCode.OK
