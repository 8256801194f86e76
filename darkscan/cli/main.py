"""The command line's entrance: finds the command, turns errors into one line and a code."""

import argparse
import errno
import logging
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

import structlog

from darkscan.cli.terminal import complain, quiet, unprinted
from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.core.stopping import ending_signals

_BAD_NAMES = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR}
"""Errors that mean that a name which was given is wrong, whoever meets them first."""

_RIG_MODULES = {"harvesters", "genicam", "aioca", "epicscorelibs", "caproto"}

_HOST_MODULES = {"fastapi", "starlette", "uvicorn", "anyio", "prometheus_client"}

_COMMANDS = {
    "plan": (
        "plan",
        "show what a scan would be: strips, frames, velocity, time, and what it needs",
    ),
    "run": ("run", "scan an element with the rig and inspect it meanwhile"),
    "record": ("record", "take a scan with the rig and record it, without inspecting"),
    "replay": ("replay", "inspect a recorded scan and write its defect map"),
    "send": ("send", "send a finished scan, or what waits, to the host computer"),
    "import": ("import_images", "make a recording of ordinary images"),
    "info": ("info", "describe a recording, or sum up a defect map"),
    "crops": ("crops", "write pictures of the largest defects of a map"),
    "dataset": ("dataset", "build a data set of labelled windows, describe or show one"),
    "score": ("score", "score every window of ordinary images"),
    "evaluate": ("evaluate", "measure how well a model or checkpoints find scratches"),
    "compare": ("compare", "compare classical methods and networks on frames"),
    "explain": ("explain", "show what in a window made a network say scratch"),
    "network": ("network", "show the networks: parameters, multiply-adds, size"),
    "train": ("train", "train a network on simulated windows or a data set"),
    "export": ("export", "make a model file from a training's checkpoint"),
    "quantise": ("quantise", "write a model file in eight bits"),
    "backends": ("backends", "show what can run a model on this machine, and how fast"),
    "engine": ("engine", "build, list or check TensorRT engines"),
    "doctor": ("doctor", "look at this computer for all that darkscan needs, and say what to do"),
    "profile": ("profile", "show where the time of a run went, and its bottleneck"),
    "calibrate": ("calibrate", "measure a rig's flat field or its geometry"),
    "simulate": ("simulate", "record the scan of a simulated element, with its ground truth"),
    "demo": ("demo", "simulate a scan, inspect it, and compare the map with the truth"),
    "host": (
        "host",
        "receive from rigs, keep their maps and pictures, and show them on a web page",
    ),
    "stage": ("stage", "run one stage of a run by hand (replay starts all of them)"),
    "torture": (
        "torture",
        "have faults happen to replays at random, and check what becomes of them",
    ),
    "fuzz": ("fuzz", "send hostile messages and files through all that reads them"),
    "worker": ("worker", "classify frames for a run on another computer"),
    "keys": ("keys", "make this computer's key, and say whose keys are let in"),
}
"""Each command with its module in this package, and its summary: a test compares it with the
command's own. Modules of commands load when they are chosen, since all of them take seconds."""

_EPILOG = """\
exit codes: 0 done, everything inspected; 1 a fault of darkscan or of the machine;
            2 something given cannot be used; 3 the map is incomplete; 130 aborted
"""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; ``command``: only that one gets its options."""
    parser = argparse.ArgumentParser(
        prog="darkscan",
        description="Finds weak scratches on large optics in dark-field scans.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"darkscan {version('darkscan')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, summary) in _COMMANDS.items():
        if command in {None, name}:
            import_module(f"darkscan.cli.{module}").add_parser(commands)
        else:
            commands.add_parser(name, help=summary)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    return execute(parse(argv))


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Loads the command that is named and reads its options; exits where they are wrong."""
    _quiet_logs()
    words = sys.argv[1:] if argv is None else argv
    command = next((word for word in words if word in _COMMANDS), "")
    try:
        parser = build_parser(command)
    except ImportError as error:
        # The base is damaged: a package is missing, or a library of its own.
        print(f"darkscan: error: {command} cannot be loaded: {_told(error)}", file=sys.stderr)
        sys.exit(ExitCode.FAILED)
    return parser.parse_args(argv)


def _told(error: ImportError) -> str:
    """What could not be loaded, by which package, and what to do."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    said = (str(error).splitlines() or [""])[0]
    place = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    package = error.name if isinstance(error, ModuleNotFoundError) else place
    culprit = (package or "").partition(".")[0]
    return f"{said}; install {culprit or 'it'} anew: pip install --force-reinstall {culprit}"


def execute(arguments: argparse.Namespace) -> int:
    """Runs the command that was read; errors become one line, and the exit code."""
    # As Ctrl-C: what was begun is cleaned up on the way out.
    before = {
        number: signal.signal(number, signal.default_int_handler) for number in ending_signals()
    }
    # It holds a scan; where there is none to hold it would end the process.
    before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        complain("interrupted")
        code = ExitCode.ABORTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if unprinted():  # the work is done, but whoever asked for its results does not have them
        complain(f"error: {unprinted()}")
        return code or ExitCode.FAILED
    return code


def _run(arguments: argparse.Namespace) -> int:
    try:
        return int(arguments.run(arguments))
    except DarkscanError as error:
        complain(f"error: {error}")
        return error.exit_code
    except ModuleNotFoundError as error:
        # Torch, harvesters and their like come with an extra; what needs them loads them late.
        module = (error.name or "darkscan").partition(".")[0]
        if module == "darkscan":
            raise
        extra = _extra_with(module, arguments.command)
        needed = f"needs {module}: pip install 'darkscan[{extra}]'"
        complain(f"error: {arguments.command} {needed}")
        return ExitCode.BAD_INPUT
    except OSError as error:
        if error.errno in _BAD_NAMES:
            complain(f"error: {error.filename}: {error.strerror}")
            return ExitCode.BAD_INPUT
        # A fault of the machine that no closer place could name better: memory, disk, limits.
        complain(f"error: {error}")
        return ExitCode.FAILED


def _extra_with(module: str, command: str) -> str:
    """The extra that brings a module for a command."""
    if module in _RIG_MODULES:
        return "rig"
    if module == "openvino":
        return module
    if module in _HOST_MODULES:
        return "host"
    return "gpu" if command == "engine" else "learning"


def _quiet_logs() -> None:
    """Until a run has its log file, only warnings are told, on the terminal."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(quiet(sys.stderr)),
    )
