"""Runs the command line: ``darkscan``, or ``python -m darkscan``."""

import os
import signal
import sys


def _leave(_signal: int, _frame: object) -> None:
    os.write(2, b"darkscan: interrupted\n")
    os._exit(130)


def start() -> int:
    """Runs one command; returns its exit code."""
    # While libraries load nothing is begun, and an interrupt within them is a traceback.
    signal.signal(signal.SIGINT, _leave)
    from darkscan.cli.main import execute, parse

    arguments = parse()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return execute(arguments)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said


if __name__ == "__main__":
    sys.exit(start())
