"""``darkscan quantise``: a model file in eight bits, if it finds the scratches as well."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.cli.options import add_force_option, model_file, require_new
from darkscan.cli.progress import progress_bar, say
from darkscan.pipeline.core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from darkscan.network.quantising import Comparison, StatedWindows

_FEWEST, _MOST = 16, 1_000_000
_CALIBRATION_SEED, _TEST_SEED = 31, 32

_EPILOG = """\
examples:
  darkscan quantise default --out default-int8.onnx
  darkscan quantise mine.onnx --data data.h5 --out mine-int8.onnx
  darkscan quantise mine.onnx --target tensorrt --out mine-int8-tensorrt.onnx

The convolutions between the first one and the last feature maps become eight-bit, and of a
dense model those of its line head; brightness adjustment, the first convolution, what weighs
channels, a windowed model's line head and the last layer stay float. Feature maps are scaled
by what calibration windows reach: simulated ones, or those of the data set's training split;
of a dense model by simulated images of nine windows. The result is kept only if F1 at the
model's own threshold falls by no more than --allow on others: simulated at full difficulty,
or of the data set's test split. The thresholds stay; what re-choosing them would give is
shown.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan quantise`` and its options."""
    parser = commands.add_parser(
        "quantise",
        help="write a model file in eight bits",
        description="Writes a model file in eight bits (ONNX QDQ), to run faster, and judges it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help="a model file in float, or a shipped one's name"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model file to write")
    parser.add_argument(
        "--target",
        choices=("cpu", "tensorrt"),
        default="cpu",
        help="what it is to run on: a CPU (unsigned feature maps) or TensorRT (symmetric ones)",
    )
    parser.add_argument("--data", type=Path, help="a data set, instead of simulated windows")
    parser.add_argument(
        "--allow", type=float, default=0.005, help="the loss of F1 allowed (default: %(default)s)"
    )
    parser.add_argument(
        "--calibrate",
        type=int,
        default=256,
        metavar="N",
        help="windows, or images of nine for a dense model (default: %(default)s)",
    )
    parser.add_argument(
        "--judge",
        type=int,
        default=2048,
        metavar="N",
        help="windows, or images of nine for a dense model (default: %(default)s)",
    )
    add_force_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Checks the options, then writes the model in eight bits."""
    require_new(arguments.out, force=arguments.force)
    for field, value in (("--calibrate", arguments.calibrate), ("--judge", arguments.judge)):
        if not _FEWEST <= value <= _MOST:
            raise InputError(f"must be from {_FEWEST} to {_MOST}, is {value}", field=field)
    if not 0 <= arguments.allow <= 1:
        raise InputError(f"must be from 0 to 1, is {arguments.allow}", field="--allow")
    with model_file(arguments.model) as model:
        _quantise(model, arguments)
    return ExitCode.OK


def _quantise(model: Path, arguments: argparse.Namespace) -> None:
    from darkscan.network.quantising import Target, Trial, quantise_file, read_model

    out = arguments.out

    # What is wrong with it is told before minutes of work.
    dense = read_model(model).dense
    if dense and arguments.data is not None:
        problem = "holds windows; a dense model is calibrated on images, which are simulated"
        raise InputError(problem, file=arguments.data, field="--data")
    steps = arguments.calibrate * 2 + arguments.judge * 3
    with progress_bar("quantising", "images" if dense else "windows", steps) as bar:
        trial = Trial(
            _windows(arguments, "train", arguments.calibrate, bar.advance, dense=dense),
            _windows(arguments, "test", arguments.judge, bar.advance, dense=dense),
            arguments.allow,
        )
        target = Target(arguments.target)
        quantise_file(model, out, target, trial, tick=bar.advance, on_comparison=_report)
    megabytes = [file.stat().st_size / 1e6 for file in (model, out)]
    say(f"{out}: {megabytes[1]:.1f} MB, where {arguments.model} is {megabytes[0]:.1f} MB")


def _windows(
    arguments: argparse.Namespace,
    split: str,
    count: int,
    tick: Callable[[int], object],
    *,
    dense: bool,
) -> "StatedWindows":
    from darkscan.network.quantising import data_set_windows, simulated_images, simulated_windows

    seed = _CALIBRATION_SEED if split == "train" else _TEST_SEED
    if dense:
        return simulated_images(count, seed=seed, tick=tick)
    if arguments.data is None:
        return simulated_windows(count, seed=seed, tick=tick)
    return data_set_windows(arguments.data, split, count, seed=seed, tick=tick)


def _report(comparison: "Comparison") -> None:
    say(comparison.table())
    say(f"{comparison.agreement:.2%} of the windows stay on their side of the threshold")
