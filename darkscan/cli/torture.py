"""``darkscan torture``: disturbs replays at random and checks all that was promised."""

import argparse
import shutil
import tempfile
import time
from itertools import count
from pathlib import Path

from darkscan.cli.progress import say
from darkscan.faults.torture import Campaign, Verdict
from darkscan.pipeline.core.errors import ExitCode, InputError, StorageError

_MOST_RUNS = 1_000_000

_EPILOG = """\
examples:
  darkscan torture --seed 7 --minutes 30
  darkscan torture --seed 7 --first 12 --runs 1 --out /tmp/again    (repeats run 12)

Each run replays a small simulated recording while one to three faults happen to it, see
`darkscan replay --fault`. After it: the exit code is a documented one; the map is the undisturbed
one byte for byte, or lists what it lacks and is the same elsewhere; the ledger closes; no
process, no file and no folder in shared memory is left; memory and descriptors are those of an
undisturbed run. Of a run that fails the folder is kept, and the command that repeats it printed.
Ctrl-C ends the campaign and sums it up.
exit codes: 0 all runs were clean; 1 one was not.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan torture`` and its options."""
    parser = commands.add_parser(
        "torture",
        help="have faults happen to replays at random, and check what becomes of them",
        description="Replays a small simulated recording again and again, has faults happen to "
        "it, and checks exit code, map, ledger, leftovers, memory and descriptors of each run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="which faults (default: 1)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--runs", type=int, help="how many at most")
    parser.add_argument("--first", type=int, default=0, help="the first run's number (default: 0)")
    parser.add_argument("--out", type=Path, help="a folder for its files (default: one in /tmp)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the campaign; one line a run, and the counts."""
    for name, value, least, most in (
        ("--minutes", arguments.minutes, 0.0, 100_000.0),
        ("--runs", 1 if arguments.runs is None else arguments.runs, 1, _MOST_RUNS),
        ("--first", arguments.first, 0, _MOST_RUNS),
    ):
        if not least <= value <= most:
            raise InputError(f"must be from {least:g} to {most:g}, is {value:g}", field=name)
    folder = _new_folder(arguments.out)
    campaign = Campaign(folder, arguments.seed)
    try:
        _run_all(campaign, arguments)
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        clean = not campaign.counts.failed
        if clean:
            shutil.rmtree(folder, ignore_errors=True)
    say(f"seed {arguments.seed}: {campaign.counts}")
    for verdict in campaign.counts.failed:
        say(f"run {verdict.run.number} again: {verdict.run.again}")
    if not clean:
        say(f"kept: {folder}")
    return ExitCode.OK if clean else ExitCode.FAILED


def _run_all(campaign: Campaign, arguments: argparse.Namespace) -> None:
    until = time.monotonic() + 60 * arguments.minutes
    say("an undisturbed run first")
    campaign.prepare()
    for done, number in enumerate(count(arguments.first)):
        if done == arguments.runs or (done and time.monotonic() > until):
            break
        verdict = campaign.run(number)
        say(_line(verdict))


def _line(verdict: Verdict) -> str:
    faults = " + ".join(map(str, verdict.run.faults))
    how = "; ".join(verdict.problems) if verdict.problems else "as promised"
    return (
        f"run {verdict.run.number}: {faults}: exit {verdict.code}, {verdict.seconds:.1f} s: {how}"
    )


def _new_folder(given: Path | None) -> Path:
    try:
        if given is None:
            return Path(tempfile.mkdtemp(prefix="darkscan-torture-"))
        given.mkdir(parents=True, exist_ok=True)
        if any(given.iterdir()):
            raise InputError("is not empty", file=given, field="--out")
    except OSError as error:
        raise StorageError(given or tempfile.gettempdir(), error) from error
    return given.resolve()
