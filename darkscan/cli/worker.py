"""``darkscan worker``: classifies frames for a run on another computer."""

import argparse
import platform
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from darkscan.cli.progress import say
from darkscan.pipeline.core.addresses import check_address
from darkscan.pipeline.core.cores import threads_each
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.recipe import Processes
from darkscan.pipeline.transport.messages import Joined

if TYPE_CHECKING:
    from darkscan.inference.worker_backend import WorkerBackend

_MOST_THREADS = 1024

_EPILOG = """\
examples:
  on the computer with the recording:
    darkscan replay scan.h5 --out results/ --remote-workers tcp://10.0.0.1:5570
  on another one:
    darkscan worker tcp://10.0.0.1:5570
    darkscan worker tcp://10.0.0.1:5570 --device 1 --stay

The model comes with the run. When the network goes, the worker joins again as soon as it is
back; what it had in hands is done by others meanwhile. The map is the same whoever takes part,
as long as all use one backend on processors of one kind; else scores differ in the last digits.
Nothing is encrypted and nobody is asked who they are: for a private network only.
exit codes: 0 the run ended; 2 bad input; 1 failed, refused, or no run answered; 130 interrupted.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``darkscan worker`` to the commands."""
    parser = commands.add_parser(
        "worker",
        help="classify frames for a run on another computer",
        description="Connects to a run that was started with --remote-workers on another "
        "computer, and classifies frames for it until it ends.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("address", help="where the run is: tcp://HOST:PORT")
    backends = get_args(Processes.model_fields["backend"].annotation)
    parser.add_argument(
        "--backend",
        choices=backends,
        help="what runs the model; auto is the fastest that works here (default: the run's own)",
    )
    parser.add_argument(
        "--device", type=int, metavar="N", help="the GPU to use, by number (default: the first)"
    )
    parser.add_argument("--threads", type=int, help="default: one for each core")
    parser.add_argument("--name", default=platform.node() or "worker", help="default: the host's")
    parser.add_argument("--stay", action="store_true", help="wait for the next run when one ends")
    parser.add_argument(
        "--wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="give up when no run answers for so long (default: 60; with --stay: never)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from darkscan.stages.classification.remote_worker import RemoteWorker

    address = check_address(arguments.address, field="ADDRESS")
    name: str = arguments.name
    if not name.isprintable() or not 1 <= len(name) <= 80:  # noqa: PLR2004 - as Join's own limit
        raise InputError("must be 1 to 80 printable characters", field="--name")
    if not arguments.wait > 0:
        raise InputError("must be more than 0", field="--wait")
    threads: int = threads_each(1) if arguments.threads is None else arguments.threads
    if not 1 <= threads <= _MOST_THREADS:
        raise InputError(f"must be from 1 to {_MOST_THREADS}", field="--threads")

    def open_backend(model_path: Path, joined: Joined) -> "WorkerBackend":
        return _open_backend(arguments.backend, arguments.device, threads, model_path, joined)

    RemoteWorker(
        address, name, open_backend, say, stays=arguments.stay, wait_s=arguments.wait
    ).run()
    return ExitCode.OK


def _open_backend(
    wanted: str | None, device: int | None, threads: int, model_path: Path, joined: Joined
) -> "WorkerBackend":
    from darkscan.inference import FrameFormat, ModelJob, Placement, choose
    from darkscan.inference.worker_backend import open_worker_backend, shares_calls

    job = ModelJob.read(
        model_path,
        FrameFormat.of_scan(joined.scan, joined.margin_px),
        stride=joined.model.stride,
        precision=joined.precision,
    )
    choice = choose(wanted or joined.backend, job, () if device is None else (device,))
    placement = Placement(choice.backend_name, choice.device_of(0), threads, joined.batch)
    sharing = shares_calls(placement.device, joined.batch_wait_ms)
    return open_worker_backend(job, placement, sharing=sharing)
