"""``darkscan profile``: where the time of a run went."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from darkscan.cli.progress import say
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.running.timings import TRACE_NAME, Spread, StageProfile, bottleneck, profile

_SPREAD = ("p50", "p99", "max ms")
_HEADINGS = ("stage", "workers", "frames", "waited", *_SPREAD, "worked", *_SPREAD, "utilization")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan profile`` and its options."""
    parser = commands.add_parser(
        "profile",
        help="show where the time of a run went, and its bottleneck",
        description="Prints, for each stage of a run, how long frames waited for it and were "
        "worked on by it, and how busy it was; names the bottleneck.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the run's output folder")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table. Raises InputError for a folder without a trace of ours."""
    path = arguments.out / TRACE_NAME
    if arguments.out.is_dir() and not path.exists():
        raise InputError(f"holds no {TRACE_NAME}: is it the output of a run?", file=arguments.out)
    say(report(profile(path)))
    return ExitCode.OK


def report(profiles: Sequence[StageProfile]) -> str:
    """The stages as an aligned table, and the bottleneck in a sentence."""
    rows = [_HEADINGS, *(_row(stage) for stage in profiles)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([*lines, "", _sentence(bottleneck(profiles))])


def _row(stage: StageProfile) -> tuple[str, ...]:
    name = (stage.stage, str(stage.workers), str(stage.frames))
    busy = f"{100 * stage.utilization:.1f} %"
    return (*name, "", *_times(stage.waiting), "", *_times(stage.working), busy)


def _times(spread: Spread) -> tuple[str, ...]:
    return tuple(f"{ms:.2f}" for ms in (spread.p50_ms, spread.p99_ms, spread.max_ms))


def _sentence(stage: StageProfile) -> str:
    workers = "its one worker was" if stage.workers == 1 else f"its {stage.workers} workers were"
    busy = 100 * stage.utilization
    return f"Bottleneck: {stage.stage}; {workers} busy {busy:.1f} % of the run."
