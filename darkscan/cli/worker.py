"""``darkscan worker``: classifies frames for a run on another computer."""

import argparse
import platform
from typing import TYPE_CHECKING, get_args

from darkscan.cli.progress import say
from darkscan.pipeline.core.addresses import check_address
from darkscan.pipeline.core.cores import threads_each
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.recipe import Processes

if TYPE_CHECKING:
    from darkscan.pipeline.transport.gateway_client import RunKeys

_MOST_THREADS = 1024

_EPILOG = """\
examples:
  on the computer with the recording:
    darkscan replay scan.h5 --out results/ --remote-workers tcp://10.0.0.1:5570
  on another one:
    darkscan worker tcp://10.0.0.1:5570
    darkscan worker tcp://10.0.0.1:5570 --device 1 --stay

The two computers know each other by keys, once for all runs (`darkscan keys`):
  on both:                        darkscan keys new
  on the one with the recording:  darkscan keys allow 'WORKER-KEY' worker-1
  on the other:                   darkscan keys allow 'RUN-KEY' rig-1
All between them is encrypted, and nobody else takes part. --insecure on both sides does
without keys, on a trusted bench; the map then says so.

The model comes with the run, and is run in a process of its own, which ends with the run. When
the network goes, the worker joins again as soon as it is back; what it had in hands is done by
others meanwhile. The map is the same whoever takes part, but for the list of who scored, as
long as all use one backend on processors of one kind; else scores differ in the last digits.
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
    parser.add_argument(
        "--run-key",
        metavar="KEY",
        help="the public key of the run's computer, or its name in `darkscan keys list` "
        "(default: the only computer that is allowed)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="no keys, nothing encrypted: for a run on a trusted bench that was started so",
    )
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
    from darkscan.stages.classification.remote_worker import Means, RemoteWorker, Who

    address = check_address(arguments.address, field="ADDRESS")
    name: str = arguments.name
    if not name.isprintable() or not 1 <= len(name) <= 80:  # noqa: PLR2004 - as Join's own limit
        raise InputError("must be 1 to 80 printable characters", field="--name")
    if not arguments.wait > 0:
        raise InputError("must be more than 0", field="--wait")
    threads: int = threads_each(1) if arguments.threads is None else arguments.threads
    if not 1 <= threads <= _MOST_THREADS:
        raise InputError(f"must be from 1 to {_MOST_THREADS}", field="--threads")

    keys = _keys(arguments, address)
    means = Means(arguments.backend, arguments.device, threads)
    who = Who(name, keys)
    RemoteWorker(address, who, means, say, stays=arguments.stay, wait_s=arguments.wait).run()
    return ExitCode.OK


def _keys(arguments: argparse.Namespace, address: str) -> "RunKeys | None":
    """The keys of this computer and of the run's; None with --insecure. Raises InputError."""
    from darkscan.pipeline.access.keys import KeyRing, one_of, warn_of_insecure_link
    from darkscan.pipeline.transport.gateway_client import RunKeys

    if arguments.insecure:
        if arguments.run_key:
            raise InputError("has no meaning with --insecure", field="--run-key")
        warn_of_insecure_link(address)
        return None
    ring = KeyRing()
    return RunKeys(ring.own(), one_of(ring, arguments.run_key, "computer", "--run-key"))
