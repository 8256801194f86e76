"""What all benchmarks share: rounds taken in turn, medians, and the machine's name."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from darkscan.pipeline.core.errors import DarkscanError, ExitCode


def in_turn(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Runs every way once a round, so that a drift of the machine meets all alike."""
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            figures[name].append(way())
    return figures


def ratio(figures: Mapping[str, list[float]], name: str, floor: str) -> str:
    """The median, and the range, of the ratios round by round."""
    ratios = [a / b for a, b in zip(figures[name], figures[floor], strict=True)]
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"


def seconds_of_frames(out: Path) -> float:
    """From a run's first frame being classified to its last one being journaled.

    Before that processes start and compile the model; that is not a matter of frames.
    """
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    work = [event for event in events if event["ph"] == "X"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    first = min(e["ts"] for e in work if names[e["pid"]].startswith("classification"))
    last = max(event["ts"] + event["dur"] for event in work)
    return float(last - first) / 1e6


def machine() -> str:
    """Processor and cores, to stand beside every figure."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="ascii") as file:  # noqa: PTH123
            name = next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def exit_code_of(work: Callable[[], object]) -> int:
    """Does a benchmark's work; what is wrong with its input or output is told in one line."""
    try:
        work()
    except DarkscanError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return ExitCode.OK
