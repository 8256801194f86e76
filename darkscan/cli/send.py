"""``darkscan send``: tells the host computer of a finished scan, or sends what waits for it."""

import argparse
import math
from pathlib import Path

from darkscan.cli.options import add_host_options, host_target
from darkscan.cli.progress import ProgressBar, progress_bar, say
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.host_link.outbox import Outbox, OutboxCounts
from darkscan.pipeline.host_link.target import HostTarget
from darkscan.runs.delivery import Patience, deliver, tell_of_the_dead
from darkscan.runs.sending import FinishedScan

_TIMEOUT_S = 3600.0
_UNANSWERED_S = 20.0
_MIB = 2**20

_EPILOG = """\
examples:
  darkscan send --host tcp://10.0.0.2:5580                # what runs have left waiting
  darkscan send results/ --host tcp://10.0.0.2:5580       # a finished scan, with its picture
  darkscan send results/ --scan /data/scan.h5 --host tcp://10.0.0.2:5580

A scan that is sent twice is kept once. What is not delivered waits, and is sent by the next run
or the next `darkscan send`.
exit codes: 0 the host has everything; 1 something still waits; 2 bad input.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan send`` and its options."""
    parser = commands.add_parser(
        "send",
        help="send a finished scan, or what waits, to the host computer",
        description="Sends the map of a finished scan, and the picture made from its recording, "
        "to the host computer; then whatever else waits for that host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "results", type=Path, nargs="?", help="a folder of results (default: only what waits)"
    )
    parser.add_argument(
        "--scan",
        type=Path,
        metavar="RECORDING",
        help="the recording of that scan (default: where its run.json says)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=_TIMEOUT_S,
        metavar="S",
        help=f"give up after so many seconds (default: {_TIMEOUT_S:.0f}); a host that does not "
        f"answer is given up after {_UNANSWERED_S:.0f} at most",
    )
    add_host_options(parser, required=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Puts the folder into the outbox, and delivers what is there."""
    timeout: float = arguments.timeout
    if not (math.isfinite(timeout) and timeout > 0):
        raise InputError(f"must be a number of seconds, is {timeout}", field="--timeout")
    if arguments.scan is not None and arguments.results is None:
        raise InputError("has no meaning without a folder of results", field="--scan")
    target = host_target(arguments)
    assert target is not None, "the option is required"
    with Outbox(target.outbox, target.address) as outbox:
        tell_of_the_dead(outbox)
        for other in outbox.other_destinations():
            say(f"something waits for another host, too: {other}")
        if arguments.results is not None:
            _put(arguments.results, arguments.scan, outbox)
        outbox.retry_refused()
        return _deliver(outbox, target, Patience(timeout, min(timeout, _UNANSWERED_S)))


def _put(results: Path, recording: Path | None, outbox: Outbox) -> None:
    finished = FinishedScan(results, recording)
    try:
        if finished.note:
            say(f"no picture: {finished.note}")
        with progress_bar("making the picture", "frames") as bar:
            finished.put(outbox, bar.show)
    finally:
        finished.close()


def _deliver(outbox: Outbox, target: HostTarget, patience: Patience) -> int:
    total = _waiting(outbox.counts())
    with ProgressBar("sending", "MiB", total=_mib(outbox.counts())) as bar:
        most = _mib(outbox.counts())

        def show(counts: OutboxCounts, words: str) -> None:
            bar.show(max(0, most - _mib(counts)), note=words)

        delivered = deliver(outbox, target, patience, show)
    if delivered.everything and not total:
        say("host: nothing waits")
    else:
        say(delivered.line)
    return ExitCode.OK if delivered.everything else ExitCode.FAILED


def _mib(counts: OutboxCounts) -> int:
    return math.ceil(counts.bytes / _MIB)


def _waiting(counts: OutboxCounts) -> int:
    return counts.parcels + counts.tiles
