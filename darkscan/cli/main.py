"""The command line's entrance: finds the command, turns errors into one line and a code."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

import structlog

from darkscan.cli import (
    backends,
    calibrate,
    compare,
    dataset,
    demo,
    engine,
    evaluate,
    explain,
    export,
    import_images,
    info,
    network,
    plan,
    profile,
    quantise,
    record,
    replay,
    run,
    score,
    simulate,
    stage,
    train,
    worker,
)
from darkscan.pipeline.core.errors import DarkscanError, ExitCode

_RIG_MODULES = {"harvesters", "genicam", "aioca", "epicscorelibs", "caproto"}

_EPILOG = """\
exit codes: 0 done, everything inspected; 1 a fault of darkscan or of the machine;
            2 something given cannot be used; 3 the map is incomplete; 130 aborted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="darkscan",
        description="Finds weak scratches on large optics in dark-field scans.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"darkscan {version('darkscan')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (
        plan,
        run,
        record,
        replay,
        import_images,
        info,
        dataset,
        score,
        evaluate,
        compare,
        explain,
        network,
        train,
        export,
        quantise,
        backends,
        engine,
        profile,
        calibrate,
        simulate,
        demo,
        stage,
        worker,
    ):
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    _quiet_logs()
    arguments = build_parser().parse_args(argv)
    # As Ctrl-C: what was begun is cleaned up on the way out.
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup wants it
    }
    try:
        return int(arguments.run(arguments))
    except DarkscanError as error:
        print(f"darkscan: error: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        # Torch, harvesters and their like come with an extra; what needs them loads them late.
        module = (error.name or "darkscan").partition(".")[0]
        if module == "darkscan":
            raise
        extra = _extra_with(module, arguments.command)
        needed = f"needs {module}: pip install 'darkscan[{extra}]'"
        print(f"darkscan: error: {arguments.command} {needed}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    except OSError as error:
        # A fault of the machine that no closer place could name better: memory, disk, limits.
        print(f"darkscan: error: {error}", file=sys.stderr)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        print("darkscan: interrupted", file=sys.stderr)
        return ExitCode.ABORTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _extra_with(module: str, command: str) -> str:
    """The extra that brings a module for a command."""
    if module in _RIG_MODULES:
        return "rig"
    if module == "openvino":
        return module
    return "gpu" if command == "engine" else "learning"


def _quiet_logs() -> None:
    """Until a run has its log file, only warnings are told, on the terminal."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
