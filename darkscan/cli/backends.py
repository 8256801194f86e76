"""``darkscan backends``: which backends run a model on this machine, why not others, how fast."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from darkscan.cli.options import checked_threads, model_file
from darkscan.cli.progress import say
from darkscan.pipeline.core.cores import threads_each
from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError

if TYPE_CHECKING:
    from darkscan.inference import FrameWindows, ModelJob, Placement, Precision
    from darkscan.inference.selection import BackendName

_EPILOG = """\
examples:
  darkscan backends
  darkscan backends --model mine.onnx --measure

A recipe says which one it wants (processes.backend); "auto" takes the first of the table that
works and is worth it, and never torch on the CPU, which is there to compare with.
--measure runs each on a simulated frame, one after the other with nothing else running:
windows a second, their ratio to ONNX Runtime's, and the largest difference of a window's score
(0 to 1) to ONNX Runtime's. "half" is inspection.precision = "half": 16-bit arithmetic where the
device is faster with it.
exit codes: 0 shown, whatever works; 2 the model or an option cannot be used.
"""
_HEADINGS = ("backend", "works here", "version", "on")
_MEASURED = ("windows/s", "ratio", "difference")
_DISTRIBUTIONS = {"tensorrt": ("tensorrt", "tensorrt-rtx"), "torch": ("torch",)}
_REFERENCE: "BackendName" = "onnxruntime"
_BATCH = 32
_FULL_SCALE = 255
_SMALLEST_PX, _LARGEST_PX = 256, 8192


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``darkscan backends`` to the commands."""
    parser = commands.add_parser(
        "backends",
        help="show what can run a model on this machine, and how fast",
        description="Shows the backends that can run a model on this machine, why others "
        'cannot, and which one a recipe with backend = "auto" takes.',
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, help="a model file (default: the shipped one)")
    parser.add_argument("--measure", action="store_true", help="run each, for some seconds")
    parser.add_argument(
        "--frame", type=int, default=2048, help="side of the frame, pixels (default: 2048)"
    )
    parser.add_argument("--threads", type=int, help="on the CPU (default: one for each core)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from darkscan.inference import BACKENDS, FrameFormat, ModelJob
    from darkscan.inference.selection import choose_fastest, gpus_for, gpus_of, why_not

    side = arguments.frame
    if not _SMALLEST_PX <= side <= _LARGEST_PX:
        raise InputError(
            f"must be from {_SMALLEST_PX} to {_LARGEST_PX}, is {side}", field="--frame"
        )
    threads = threads_each(1) if arguments.threads is None else checked_threads(arguments.threads)
    with model_file(arguments.model) as model:
        job = ModelJob.read(model, FrameFormat((side, side), "uint8", _FULL_SCALE))
        conventions = job.conventions
        say(f"{model}: {conventions.name}, {conventions.form}, {conventions.precision}")
        problems = {name: why_not(name, job) for name in BACKENDS}
        on_gpus = {name: gpus_for(name, job) for name in BACKENDS if problems[name] is None}
        rows = [_row(name, problems[name], on_gpus.get(name, gpus_of(()))) for name in BACKENDS]
        say(_table([_HEADINGS, *rows]))
        choice = choose_fastest(job)
        say(f"auto takes {choice.backend_name}, {choice.reason}")
        for name, why in choice.refused:
            if problems[name] is None:
                say(f"  not {name}: {why}")
        if arguments.measure:
            devices = {name: next(iter(gpus), None) for name, gpus in on_gpus.items()}
            say("")
            for line in _measurements(job, devices, threads):
                say(line)
    return ExitCode.OK


def _row(name: "BackendName", problem: str | None, gpus: tuple[int, ...]) -> tuple[str, ...]:
    found = next(filter(None, map(_version, _DISTRIBUTIONS.get(name, (name,)))), "-")
    return (name, "yes" if problem is None else f"no: {problem}", found, _place(name, gpus))


def _place(name: "BackendName", numbers: tuple[int, ...]) -> str:
    if name not in {"tensorrt", "torch"} or (name == "torch" and not numbers):
        return "CPU"
    from darkscan.inference.gpus import find_gpus

    gpus = find_gpus()
    found = (gpu for gpu in gpus.found if gpu.number in numbers)
    shown = ", ".join(f"GPU {gpu.number} ({gpu.name})" for gpu in found)
    return f"{shown}, CUDA {gpus.driver}" if shown else "-"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _measurements(
    job: "ModelJob", devices: "Mapping[BackendName, int | None]", threads: int
) -> Iterator[str]:
    """A line for each backend as soon as it was run, ONNX Runtime first.

    ``devices``: the GPU of each backend to run, None for the CPU.
    """
    from darkscan.inference import Placement

    windows = _simulated(job)
    places = {name: Placement(name, device, threads, _BATCH) for name, device in devices.items()}
    reference, base = _measure(job, Placement(_REFERENCE, None, threads, _BATCH), windows)
    yield _aligned(("backend", *_MEASURED))
    yield _aligned((_REFERENCE, f"{base:.0f}", "1.00", "-"))
    runs: list[tuple[BackendName, Precision]] = []
    for name, device in devices.items():
        if name != _REFERENCE:
            runs.append((name, "exact"))
        if name == "openvino" or (name == "torch" and device is not None):
            runs.append((name, "half"))
    for name, precision in runs:
        label = name if precision == "exact" else f"{name}, half"
        try:
            scores, rate = _measure(replace(job, precision=precision), places[name], windows)
        except DarkscanError as error:  # the backend was found to work, but does not after all
            yield f"{label}: {error}"
            continue
        difference = float(np.abs(scores - reference).max())
        yield _aligned((label, f"{rate:.0f}", f"{rate / base:.2f}", f"{difference:.1e}"))


def _measure(
    job: "ModelJob", placement: "Placement", windows: "FrameWindows"
) -> tuple["np.typing.NDArray[np.float32]", float]:
    """Scores of the frame's windows, and windows a second."""
    from darkscan.inference import open_backend, see
    from darkscan.inference.rate import measured

    backend = open_backend(job, placement)
    try:
        scores = see(backend, windows, _FULL_SCALE).scores
        return scores, measured(backend, windows, _FULL_SCALE)
    finally:
        backend.close()


def _simulated(job: "ModelJob") -> "FrameWindows":
    """All windows of a frame of a simulated element."""
    from darkscan.inference import FrameWindows
    from darkscan.simulation.element import SimulatedScan, simulate_element

    side, _ = job.frames.shape
    frame = np.empty((side, side), np.uint8)
    SimulatedScan(simulate_element((side, side), seed=1), frame_px=side).read_into(0, frame)
    return FrameWindows.adjusted(frame, job.origins(), job.conventions.window)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _aligned(cells: tuple[str, ...]) -> str:
    return "  ".join([cells[0].ljust(15), *(cell.rjust(10) for cell in cells[1:])])
