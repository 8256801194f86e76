"""Parts of the commands that scan with a rig: options, the simulated rig, the operator's keys."""

import argparse
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from darkscan.cli.progress import progress_bar
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.running.specification import RunFolder

KEYS = "p holds the scan and lets it go on, q ends it; twice: at once, without a map"

_MOST_RESCANS = 10
_SIGNALS = {b"p": signal.SIGUSR1, b" ": signal.SIGUSR1, b"q": signal.SIGINT}


def add_scan_options(parser: argparse.ArgumentParser, *, recipe: str) -> None:
    """Adds the options of every scan with a rig; ``recipe``: what its own is for."""
    parser.add_argument("--rig", type=Path, required=True, help="the rig file")
    parser.add_argument("--side", default="front", help="the scanned side (default: front)")
    parser.add_argument("--recipe", type=Path, help=recipe)
    parser.add_argument(
        "--rescan",
        type=int,
        default=1,
        metavar="N",
        help="take frames that were lost again at the end, up to N times (default: 1)",
    )
    parser.add_argument(
        "--force", action="store_true", help="use calibrations that expired or are another rig's"
    )


def checked_rescans(arguments: argparse.Namespace) -> int:
    """How often lost frames are taken again. Raises InputError beyond what makes sense."""
    rescans = int(arguments.rescan)
    if not 0 <= rescans <= _MOST_RESCANS:
        raise InputError(f"must be from 0 to {_MOST_RESCANS}", field="--rescan")
    return rescans


@contextmanager
def rig_at_work(rig: Rig) -> Iterator[None]:
    """Starts what stands in for a simulated rig; a real one is there by itself."""
    if not rig.simulated:
        yield
        return
    from darkscan.simulation.rig import SimulatedRig

    with RunFolder() as folder, ExitStack() as running:
        with progress_bar("simulating the element", "tiles") as show:
            running.enter_context(SimulatedRig(rig, folder.path, on_progress=show))
        yield


@contextmanager
def keys() -> Iterator[None]:
    """Lets the operator hold and end the scan by single keys, where there is a terminal."""
    # Before and after the stages run there is nothing to hold, and nobody who would handle it.
    hold_before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with _single_keys():
            yield
    finally:
        signal.signal(signal.SIGUSR1, hold_before)


@contextmanager
def _single_keys() -> Iterator[None]:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    stop, wake = os.pipe()
    reader = threading.Thread(target=_read_keys, args=(terminal, stop), daemon=True)
    try:
        tty.setcbreak(terminal)  # Ctrl-C stays what it is
        reader.start()
        yield
    finally:
        os.close(wake)
        reader.join()
        os.close(stop)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read_keys(terminal: int, stop: int) -> None:
    """Turns keys into the signals that say the same, until ``stop`` is closed."""
    while True:
        ready, _, _ = select.select([terminal, stop], [], [])
        if stop in ready:
            return
        number = _SIGNALS.get(os.read(terminal, 1).lower())
        if number is not None:
            os.kill(os.getpid(), number)
