"""``darkscan train``: trains a network on simulated windows or on a data set."""

import argparse
import dataclasses
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkscan.cli.background_options import add_backgrounds_option, read_backgrounds
from darkscan.cli.progress import progress_bar
from darkscan.pipeline.core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from darkscan.network.batches import Source
    from darkscan.network.training import Machine, TrainingOptions
    from darkscan.simulation.element.real_backgrounds import RealBackgrounds

_EPILOG = """\
examples:
  darkscan train --out trained
  darkscan train --data windows.h5 --epochs 20 --out trained
  darkscan train --preset paper --data windows.h5 --out papers
  darkscan train --network darkscan-dense --init models/default.pt --ramp 0 --batch 8 --out dense
  darkscan train --init models/windowed.pt --ramp 0 --backgrounds clean-frames --out adapted
  darkscan train --network darkscan --init papers/best.pt --width 1 --out ours
  torchrun --nproc-per-node 4 -m darkscan train --preset paper --batch 128 --out papers

presets:
  small   for two cores and an hour: network darkscan at width 0.25, AdamW, warm-up and
          cosine, weak scratches only after easy ones, averaged weights
  paper   the paper's: network afn at width 1, Adam at 1e-4, divided by ten whenever the
          validation loss stalls for three epochs, batches of 32, 40 epochs of 30920 windows

The folder gets checkpoint.pt (the latest), best.pt (lowest validation loss), log.csv, log.png
and pr.png. After an interrupt or a kill the same command goes on where it was; a checkpoint of
other options or other windows is refused. Same options, same machine: same windows, same losses.

Windows are turned, mirrored and shown as deeper cameras'; those of a data set, which come again
every epoch, also get another gain, a slow gradient and some noise. They are never stretched or
sheared. It computes in bfloat16 on a GPU, and on a CPU that has units for it (AMX); several
processes share every batch.

With --backgrounds a share of the simulated windows shows crops of your own scratch-free frames,
pictures (PNG, TIFF, JPEG, FITS) or recordings, with scratches simulated in them: the network
learns your instrument without a label (docs/how-to/train-a-model.md).
"""

_BACKGROUND_SHARE = 0.5

_OVERRIDES: tuple[tuple[str, type, str], ...] = (
    ("network", str, "which network; darkscan network lists them"),
    ("width", float, "multiplies its channel counts; 1: the paper's"),
    ("batch", int, "windows in a step, over all processes"),
    ("learning_rate", float, "the highest"),
    ("warm_up", int, "steps until it is reached"),
    ("ramp", float, "share of the steps until simulated scratches are as weak as they come"),
    ("average_decay", float, "of the running average of weights; 0: none"),
    ("validate_every", int, "steps between two validations"),
    ("validation_windows", int, "how many at most"),
    ("seed", int, "of weights and windows"),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan train`` and its options."""
    parser = commands.add_parser(
        "train",
        help="train a network on simulated windows or a data set",
        description="Trains a network and keeps its checkpoints, log and plots in a folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder to keep it in")
    parser.add_argument("--data", type=Path, help="a data set (default: the simulator)")
    parser.add_argument(
        "--preset", choices=("small", "paper"), default="small", help="see below (default: small)"
    )
    parser.add_argument("--init", type=Path, help="a checkpoint whose weights to start from")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="how many batches")
    length.add_argument("--epochs", type=int, help="how often all windows, validated after each")
    parser.add_argument("--epoch-windows", type=int, help="an epoch of simulated ones: 30920")
    add_backgrounds_option(parser, "to simulate scratches in")
    parser.add_argument(
        "--background-share",
        type=float,
        metavar="S",
        help=f"of simulated windows that lie on them (default: {_BACKGROUND_SHARE})",
    )
    changes = parser.add_argument_group("changes to the preset")
    for name, kind, text in _OVERRIDES:
        changes.add_argument(_flag(name), type=kind, help=text)
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--threads", type=int, help="of the network (default: all cores)")
    machine.add_argument("--workers", type=int, help="processes that draw windows ahead")
    machine.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="auto: a GPU where there is one (default: auto)",
    )
    machine.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        dest="compiled",
        help="through torch.compile (default: on a GPU)",
    )
    machine.add_argument(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        help="forward and back in bfloat16, not in float32 (default: where there are units for it)",
    )
    machine.add_argument("--save-seconds", type=float, default=180.0, help="between checkpoints")
    machine.add_argument("--no-plots", action="store_true", help="only the log")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Trains the network, or goes on with a training in the folder."""
    from darkscan.network.training import Reporting, fit

    source, windows = _source(arguments)
    options = _options(arguments, windows)
    out: Path = arguments.out
    with _progress(options.steps) as (report, on_step):
        if arguments.backgrounds is not None:
            report(f"{source.description} in {arguments.backgrounds}")
        trained = fit(
            options,
            out,
            source,
            machine=_machine(arguments),
            init=arguments.init,
            reporting=Reporting(report, on_step, plots=not arguments.no_plots),
        )
        figures = "  ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in trained.figures.items()
        )
        report(f"{out / 'checkpoint.pt'}: {trained.step} steps  {figures}")
        if not trained.learned:
            report(
                f"no validation was better than chance (AUC {trained.best_area:.3f} at most): "
                "best.pt tells no scratch from background; train longer, or look at the data"
            )
            return ExitCode.OK
        report("next: " + _export_command(arguments))
    return ExitCode.OK


def _source(arguments: argparse.Namespace) -> "tuple[Source, int | None]":
    """What is trained on, and how many windows an epoch has, if it is said. Raises InputError."""
    from darkscan.network.sources import DatasetWindows, simulated
    from darkscan.network.variants import DENSE

    dense = arguments.network == DENSE
    if dense and arguments.data is not None:
        problem = f"holds windows; {DENSE} is trained on larger images, which are simulated"
        raise InputError(problem, file=arguments.data, field="--data")
    if arguments.background_share is not None and arguments.backgrounds is None:
        raise InputError("is of --backgrounds, which are not given", field="--background-share")
    if arguments.data is not None:
        for name in ("epoch_windows", "backgrounds"):
            if getattr(arguments, name) is not None:
                raise InputError("is for simulated windows, not for --data", field=_flag(name))
        windows = DatasetWindows(arguments.data)
        return windows, len(windows)
    source = simulated(dense=dense, backgrounds=_backgrounds(arguments))
    return source, arguments.epoch_windows


def _backgrounds(arguments: argparse.Namespace) -> "RealBackgrounds | None":
    if arguments.backgrounds is None:
        return None
    given = arguments.background_share
    share = _BACKGROUND_SHARE if given is None else float(given)
    if not 0 < share <= 1:
        problem = f"must be above 0 and at most 1, is {share}"
        raise InputError(problem, field="--background-share")
    return read_backgrounds(arguments.backgrounds, share)


def _export_command(arguments: argparse.Namespace) -> str:
    best, model = arguments.out / "best.pt", arguments.out / "model.onnx"
    words = ["darkscan", "export", str(best), "--out", str(model)]
    if arguments.backgrounds is not None:
        words += ["--backgrounds", str(arguments.backgrounds)]
    return shlex.join(words)


def _options(arguments: argparse.Namespace, windows: int | None) -> "TrainingOptions":
    """The preset with what is changed. Raises InputError naming the option that is wrong."""
    changes = {
        name: getattr(arguments, name)
        for name, _, _ in _OVERRIDES
        if getattr(arguments, name) is not None
    }
    try:
        return _changed(arguments.preset, changes, arguments.steps, arguments.epochs, windows)
    except InputError as error:
        raise InputError(error.problem, field=_flag(error.field or "preset")) from error


def _changed(
    preset: str,
    changes: dict[str, Any],
    steps: int | None,
    epochs: int | None,
    windows: int | None,
) -> "TrainingOptions":
    from darkscan.network.training import paper, small
    from darkscan.network.training.options import PAPER_WINDOWS

    windows = PAPER_WINDOWS if windows is None else windows
    options = dataclasses.replace(small(), **changes)
    epoch = windows // options.batch
    if not epoch:
        problem = f"is {options.batch}, more than the {windows} windows of an epoch"
        raise InputError(problem, field="batch")
    if preset == "paper":
        options = dataclasses.replace(paper(windows, options.batch), **changes)
    if epochs is not None:
        if epochs < 1:
            raise InputError(f"must be 1 or more, is {epochs}", field="epochs")
        every = changes.get("validate_every", epoch)
        return dataclasses.replace(options, steps=epochs * epoch, validate_every=every)
    return options if steps is None else dataclasses.replace(options, steps=steps)


def _machine(arguments: argparse.Namespace) -> "Machine":
    from darkscan.network.training import Machine

    cores = os.cpu_count() or 1
    for name, least in (("threads", 1), ("workers", 0), ("save_seconds", 0)):
        value = getattr(arguments, name)
        if value is not None and not value >= least:
            raise InputError(f"must be {least} or more, is {value}", field=_flag(name))
    return Machine(
        threads=arguments.threads or cores,
        # Drawing a window takes a core longer than a GPU takes to learn from it.
        workers=max(1, cores // 2) if arguments.workers is None else arguments.workers,
        device=arguments.device,
        compiled=arguments.compiled,
        bfloat16=arguments.bfloat16,
        save_seconds=arguments.save_seconds,
    )


@contextmanager
def _progress(
    steps: int,
) -> Iterator[tuple[Callable[[str], None], Callable[[int, float], None]]]:
    """Yields how to tell a line and a step with its loss; of several processes the first tells."""
    if os.environ.get("RANK", "0") != "0":  # torchrun's number of this process
        yield lambda _: None, lambda _step, _loss: None
        return
    with progress_bar("training", "steps", steps) as bar:
        yield bar.say, lambda step, loss: bar.show(step, note=f"loss {loss:.3f}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
