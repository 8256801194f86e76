"""``darkscan engine``: TensorRT's engines, built for one model and one GPU."""

import argparse
import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from darkscan.cli.options import model_file, require_writable
from darkscan.cli.progress import progress_bar, say
from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError
from darkscan.pipeline.core.scan import PixelType

if TYPE_CHECKING:
    from darkscan.inference.tensorrt import Library, Order, Step

_ARITHMETICS = ("fp32", "fp16", "bf16")
_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})", re.ASCII)
_SMALLEST_PX, _LARGEST_PX = 256, 16384
_MOST_MARGIN_PX = 512
_FINEST_STRIDE_PX = 8
_BITS_OF_A_BYTE = 8
_MOST_WORKSPACE_MB = 1 << 20

_EPILOG = """\
examples:
  darkscan engine build                            the default model, 2048x2048, 8 bits
  darkscan engine build --depth 16 --precision fp16
  darkscan engine build --model dense.onnx --context 128 --device 1
  darkscan engine list
  darkscan engine check default                    is its graph accepted? needs no GPU

An engine runs one model, on one kind of GPU, with one version of TensorRT, for frames of
one size with windows of one stride. Building takes minutes and is done once; the timings
of kernels are kept, so that the next one takes less. Engines lie in
$XDG_CACHE_HOME/darkscan/engines (~/.cache without it). Of several for the same frames,
runs use the one that was built last; asking for one that is there makes it the last. With
inspection.precision = "exact" runs take engines of fp32 only; with "half" those of fp16
and bf16 come first.

fp16 and bf16 compute the convolutions in 16 bits; brightness adjustment, sigma clipping
and logits stay float32. Models of `darkscan quantise --target tensorrt` stay eight-bit:
build them with fp32, which leaves a file's types as they are.

Needs TensorRT 11, or TensorRT for RTX 1.x.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``darkscan engine`` to the commands."""
    parser = commands.add_parser(
        "engine",
        help="build, list or check TensorRT engines",
        description="Builds models into engines, with which TensorRT runs them on a GPU.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_build(actions)
    _add_list(actions)
    _add_check(actions)


def _add_build(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser("build", help="build the engine of a model for a GPU")
    parser.add_argument(
        "--model", type=Path, help="a model file, or a shipped one's name (default: default)"
    )
    _add_order_options(parser)
    parser.add_argument("--device", type=int, default=0, help="the GPU's number (default: 0)")
    parser.add_argument("--out", type=Path, help="the folder for engines, if not the usual one")
    parser.add_argument("--force", action="store_true", help="build it even if it is there")
    parser.add_argument(
        "--workspace-mb",
        type=int,
        metavar="MB",
        help="the most memory that kernels may use beside it (default: all there is)",
    )
    parser.set_defaults(run=_build)


def _add_list(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser("list", help="list the engines, the one built last first")
    parser.add_argument("--out", type=Path, help="the folder of engines, if not the usual one")
    parser.set_defaults(run=_list)


def _add_check(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "check",
        help="see whether a model can be built",
        description="Has TensorRT read a model's graph, and build it where that needs no GPU; "
        "nothing is kept.",
    )
    parser.add_argument("model", metavar="MODEL", help="a model file, or a shipped one's name")
    _add_order_options(parser)
    parser.set_defaults(run=_check)


def _add_order_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frame",
        default="2048x2048",
        metavar="WxH",
        help="the frames' width and height, pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--depth",
        type=int,
        choices=(8, 16),
        default=8,
        help="bits a pixel is stored in: 16 for cameras of 10 to 16 (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=_ARITHMETICS,
        default="fp32",
        help="of the convolutions (default: %(default)s)",
    )
    parser.add_argument(
        "--context",
        type=int,
        default=0,
        metavar="PX",
        help="the recipe's context_px (default: %(default)s)",
    )
    parser.add_argument(
        "--stride", type=int, metavar="PX", help="the recipe's stride (default: the model's)"
    )


def _build(arguments: argparse.Namespace) -> int:
    workspace = _workspace(arguments.workspace_mb)
    with model_file(arguments.model) as model:
        order = dataclasses.replace(_order(arguments, model), workspace=workspace)
        return _build_of(order, arguments)


def _build_of(order: "Order", arguments: argparse.Namespace) -> int:
    from darkscan.inference import tensorrt

    folder = _folder(arguments.out)
    require_writable(folder)
    # Asked before anything else of TensorRT: without a driver it crashes.
    device, library = tensorrt.find_device(arguments.device), tensorrt.load_library()
    started = time.monotonic()
    with _progress() as tell:
        made = tensorrt.run_watched(
            lambda watch: tensorrt.make_engine(
                library, device, order, folder, force=arguments.force, watch=watch
            ),
            tell,
        )
    if not made.anew:
        say(f"{made.path}: is there already; --force builds it anew")
        return ExitCode.OK
    say(
        f"{made.path}: {made.path.stat().st_size / 1e6:.1f} MB in "
        f"{time.monotonic() - started:.0f} s, for {made.engine.shapes} on {device.name}"
    )
    return ExitCode.OK


def _list(arguments: argparse.Namespace) -> int:
    from darkscan.inference.tensorrt import engines_in

    folder = _folder(arguments.out)
    found = engines_in(folder)
    if not found:
        say(f"no engines in {folder}; darkscan engine build makes one")
    for path, engine in found:
        what = f"model {engine.model}, {engine.shapes}, {engine.arithmetic}"
        say(f"{what}, {engine.device}, {engine.library}: {path}")
    return ExitCode.OK


def _check(arguments: argparse.Namespace) -> int:
    with model_file(arguments.model) as model:
        return _check_of(_order(arguments, model))


def _check_of(order: "Order") -> int:
    shapes, content = order.shapes(), order.content()

    from darkscan.inference import tensorrt

    library = _library_here()
    graph = tensorrt.read_graph(library, content, file=order.job.file)
    done = "reads it"
    if library.reads_without_gpu:
        with _progress() as tell:
            built = tensorrt.run_watched(
                lambda watch: tensorrt.build(library, graph, shapes, watch=watch), tell
            )
        done = f"reads it and builds an engine of {len(built.engine) / 1e6:.1f} MB"
    say(f"{order.job.file}: {library.name} {library.version} {done} ({shapes}, {order.arithmetic})")
    return ExitCode.OK


def _folder(given: Path | None) -> Path:
    """The folder of engines. Raises InputError if it is something else."""
    from darkscan.inference.tensorrt import engines_folder

    folder = given or engines_folder()
    if folder.exists() and not folder.is_dir():
        raise InputError("is no folder", file=folder, field="--out")
    return folder


def _library_here() -> "Library":
    """The library that can read a graph on this machine; without a GPU only one can."""
    from darkscan.inference import tensorrt

    try:
        tensorrt.find_device(0)
    except DarkscanError:
        return tensorrt.load_library(without_gpu=True)
    return tensorrt.load_library()


def _order(arguments: argparse.Namespace, model: Path) -> "Order":
    """The engine that the options ask for. Raises InputError if there can be none."""
    margin_px = arguments.context
    if not 0 <= margin_px <= _MOST_MARGIN_PX or margin_px % 64:
        problem = f"must be a multiple of 64 from 0 to {_MOST_MARGIN_PX}, is {margin_px}"
        raise InputError(problem, field="--context")
    stride = arguments.stride
    if stride is not None and stride < _FINEST_STRIDE_PX:
        raise InputError(f"must be {_FINEST_STRIDE_PX} or more, is {stride}", field="--stride")
    shape = _frame_shape(arguments.frame)

    from darkscan.inference import FrameFormat, ModelJob
    from darkscan.inference.tensorrt import Order

    pixel_type: PixelType = "uint8" if arguments.depth == _BITS_OF_A_BYTE else "uint16"
    full_scale = (1 << arguments.depth) - 1
    frames = FrameFormat(shape, pixel_type, full_scale, margin_px)
    return Order(ModelJob.read(model, frames, stride=stride), arguments.precision)


def _frame_shape(text: str) -> tuple[int, int]:
    """Height and width from ``WIDTHxHEIGHT``."""
    sides = _SIZE.fullmatch(text)
    if sides is None:
        raise InputError(f"must be WIDTHxHEIGHT, is {text!r:.40}", field="--frame")
    width, height = (int(side) for side in sides.groups())
    for side in (width, height):
        if not _SMALLEST_PX <= side <= _LARGEST_PX:
            problem = f"sides must be from {_SMALLEST_PX} to {_LARGEST_PX}, one is {side}"
            raise InputError(problem, field="--frame")
    return height, width


def _workspace(megabytes: int | None) -> int | None:
    if megabytes is None:
        return None
    if not 1 <= megabytes <= _MOST_WORKSPACE_MB:
        problem = f"must be from 1 to {_MOST_WORKSPACE_MB}, is {megabytes}"
        raise InputError(problem, field="--workspace-mb")
    return megabytes << 20


@contextlib.contextmanager
def _progress() -> Iterator[Callable[["Step"], object]]:
    """Yields whom to tell of TensorRT's steps."""
    with progress_bar("building", "steps") as bar:
        yield lambda step: bar.show(step.done, step.total, note=step.phase.lower())
