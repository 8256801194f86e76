"""``darkscan export``: makes the model file that inspections load from a checkpoint."""

import argparse
import os
from pathlib import Path

from darkscan.cli.background_options import add_backgrounds_option, read_backgrounds
from darkscan.cli.options import add_force_option, require_new
from darkscan.cli.progress import say
from darkscan.pipeline.core.errors import ExitCode, InputError

_LEAST_WINDOWS = 64

_EPILOG = """\
examples:
  darkscan export trained/best.pt --out model.onnx
  darkscan export trained/best.pt --out model.onnx --weights model.pt
  darkscan export trained/best.pt --out model.onnx --backgrounds clean-frames

The thresholds are chosen on simulated windows that the training never saw, so that at most 0.5 %
(to find) and 2 % (to follow) of the clean ones of look "optic" are over them; with --backgrounds
the clean ones of your own frames count as a look, too. The weights file is a small checkpoint:
darkscan explain shows it, darkscan train --init starts from it.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan export`` and its options."""
    parser = commands.add_parser(
        "export",
        help="make a model file from a training's checkpoint",
        description="Chooses the thresholds of a trained network and writes its model file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="of darkscan train")
    parser.add_argument("--out", type=Path, required=True, help="the model to write (ONNX)")
    parser.add_argument("--weights", type=Path, help="also write the averaged weights alone")
    parser.add_argument(
        "--windows",
        type=int,
        default=4000,
        help="of each look, to choose the thresholds on (default: 4000)",
    )
    add_backgrounds_option(parser, "of which no more than of simulated optics may be over them")
    parser.add_argument("--threads", type=int, help="of the network (default: torch's choice)")
    add_force_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the model file and prints its thresholds."""
    import torch

    from darkscan.network.export import export_checkpoint

    if arguments.windows < _LEAST_WINDOWS:
        problem = f"must be {_LEAST_WINDOWS} or more, is {arguments.windows}"
        raise InputError(problem, field="--windows")
    if arguments.threads is not None:
        if arguments.threads < 1:
            raise InputError(f"must be 1 or more, is {arguments.threads}", field="--threads")
        torch.set_num_threads(arguments.threads)
    outputs = [path for path in (arguments.out, arguments.weights) if path is not None]
    paths = [os.path.realpath(path) for path in (arguments.checkpoint, *outputs)]
    if len(set(paths)) < len(paths):
        raise InputError("is given twice", file=arguments.out, field="--out")
    require_new(*outputs, force=arguments.force)
    backgrounds = None
    if arguments.backgrounds is not None:
        backgrounds = read_backgrounds(arguments.backgrounds)
        say(f"backgrounds: {backgrounds.count} in {arguments.backgrounds}")
    point = export_checkpoint(
        arguments.checkpoint,
        arguments.out,
        weights=arguments.weights,
        windows=arguments.windows,
        backgrounds=backgrounds,
    )
    say(point.table())
    say(f"threshold {point.threshold:.4f}, to follow a scratch {point.grow_threshold:.4f}")
    for path in outputs:
        say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return ExitCode.OK
