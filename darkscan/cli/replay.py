"""``darkscan replay``: inspects a recorded scan and writes its defect map."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from darkscan.cli.map_summary import coverage_lines, describe_map, found_lines
from darkscan.cli.options import (
    add_host_options,
    add_remote_option,
    model_of,
    remote_fields,
)
from darkscan.cli.progress import ProgressView, say
from darkscan.cli.resuming import (
    add_resume_option,
    host_fields,
    resumed,
    resumed_fields,
    resumed_recipe,
    telling_how_to_go_on,
)
from darkscan.faults import KINDS, Fault, injected, parse_fault
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.running.results_folder import MAP_NAME
from darkscan.pipeline.running.specification import Speed
from darkscan.runs.replay import prepare
from darkscan.runs.resuming import Unfinished
from darkscan.runs.runner import run_to_map

_EPILOG = """\
examples:
  darkscan replay scan.h5 --out results/
  darkscan replay scan.h5 --out results/ --workers 3 --recipe configs/default.toml
  darkscan replay scan.h5 --out results/ --remote-workers tcp://10.0.0.1:5570
  darkscan replay scan.h5 --out results/ --host tcp://10.0.0.2:5580
  darkscan replay --resume results/

OUT then holds defect-map.json (the master: every scratch, fibre, dig and large grain of
dust, and what was not inspected), .csv, .svg and .png of the same (`darkscan info OUT`
sums them up), trace.json (opens in ui.perfetto.dev; `darkscan profile OUT` sums it up),
run.json and log.jsonl.
Ctrl-C finishes what is under way and lists the rest as not inspected; Ctrl-C again aborts.
A run that was aborted, failed or was killed goes on with --resume: what it inspected is kept.
exit codes: 0 every frame was inspected; 3 the map is incomplete; 2 bad input; 1 failed.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan replay`` and its options."""
    parser = commands.add_parser(
        "replay",
        help="inspect a recorded scan and write its defect map",
        description="Replays a recording through acquisition, preprocessing, classification "
        "and merging, as processes of their own, to a defect map.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recording", type=Path, nargs="?", help="an HDF5 recording (see `darkscan import`)"
    )
    parser.add_argument("--out", type=Path, help="folder for the results")
    add_resume_option(parser)
    parser.add_argument(
        "--workers", type=int, help="classification processes here (default: recipe)"
    )
    add_remote_option(parser)
    add_host_options(parser)
    parser.add_argument(
        "--speed",
        choices=get_args(Speed),
        help="as fast as can be, or with the recorded times between frames (default: max)",
    )
    parser.add_argument("--recipe", type=Path, help="a recipe file (default: the embedded one)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:STAGE][@frame=N]",
        help="have a fault happen when N frames are done, to see what becomes of it; repeatable. "
        f"Kinds: {', '.join(KINDS)}; kill, stop and forge name a stage, stop and delay take "
        "seconds: stop:merging@frame=5,seconds=2. The recording itself is never changed",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Inspects the recording and prints the summary."""
    unfinished, out = resumed(arguments)
    if out is None:
        raise InputError("is missing", field="--out")
    recording, recipe = _recording(arguments, unfinished), resumed_recipe(arguments, unfinished)
    fields = resumed_fields(unfinished)
    fields |= {**remote_fields(arguments), **host_fields(arguments)}
    workers = arguments.workers
    if workers is not None:
        fewest = 0 if fields.get("remote_workers") else 1
        if not fewest <= workers <= 256:  # noqa: PLR2004 - as the recipe's own limit
            raise InputError(f"must be from {fewest} to 256", field="--workers")
        processes = updated(recipe.processes, workers=max(1, workers))
        recipe = updated(recipe, processes=processes)
        fields["workers"] = workers
    told: list[str] = []
    before: Speed = "max" if unfinished is None else unfinished.spec.speed
    faults = tuple(map(parse_fault, arguments.fault))
    options = ReplayOptions(arguments.speed or before, fields, told.append, unfinished, faults)
    defect_map = replay(recording, out, recipe, options)
    say("\n".join([summary(defect_map, out), *told]))
    return exit_code(defect_map)


def _recording(arguments: argparse.Namespace, unfinished: Unfinished | None) -> Path:
    """The recording to replay; that of the unfinished run unless another place is given."""
    given: Path | None = arguments.recording
    if given is None and unfinished is not None:
        given = unfinished.spec.recording
        if given is None:
            problem = "holds a rig's scan: darkscan run --resume goes on with it"
            raise InputError(problem, file=arguments.resume, field="--resume")
    if given is None:
        raise InputError("is missing", field="recording")
    return given


def exit_code(defect_map: DefectMap) -> ExitCode:
    """Whether every frame and all of the region was inspected, for the shell."""
    ledger = defect_map.ledger
    whole = defect_map.coverage.complete and ledger.mapped == ledger.captured
    return ExitCode.OK if whole else ExitCode.INCOMPLETE


@dataclass(frozen=True)
class ReplayOptions:
    """How a recording is replayed."""

    speed: Speed = "max"
    fields: Mapping[str, object] = field(default_factory=dict)
    """Fields of the run's description that the recipe does not set."""

    tell: Callable[[str], None] = say
    """Is given a line on what the host has, if there is one."""

    unfinished: Unfinished | None = None
    """The run in the results' folder that this one goes on from."""

    faults: tuple[Fault, ...] = ()
    """What happens to the run on purpose."""


def replay(
    recording: Path, out_dir: Path, recipe: Recipe, options: ReplayOptions = ReplayOptions()
) -> DefectMap:
    """Inspects a recording, showing how far it is. Raises DarkscanError."""
    if options.faults:
        return _replay_with_faults(recording, out_dir, recipe, options)
    return _replay(recording, out_dir, recipe, options)


def _replay_with_faults(
    recording: Path, out_dir: Path, recipe: Recipe, options: ReplayOptions
) -> DefectMap:
    with injected(options.faults, recording, out_dir) as injector:
        try:
            return _replay(injector.recording, out_dir, recipe, options, injector.watch)
        finally:
            injector.close()
            say("\n".join(f"fault {line}" for line in injector.told))


def _replay(
    recording: Path,
    out_dir: Path,
    recipe: Recipe,
    options: ReplayOptions,
    describe: Callable[[Path], None] = lambda _: None,
) -> DefectMap:
    with model_of(recipe) as model_path:
        spec = prepare(recording, out_dir, recipe, options.speed, model_path, options.unfinished)
        spec = updated(spec, **options.fields)
        with (
            telling_how_to_go_on("replay", out_dir),
            ProgressView(spec.scan.frames_planned) as view,
        ):
            return run_to_map(spec, view.show, describe=describe, tell=options.tell)


def summary(defect_map: DefectMap, out_dir: Path) -> str:
    """A few lines that say what was found and what was not inspected, and where the map is."""
    description = describe_map(defect_map)
    lines = [
        *found_lines(description),
        *coverage_lines(description),
        f"map: {out_dir / MAP_NAME}   picture: {out_dir / 'defect-map.png'}",
        f"more of it: darkscan info {out_dir}",
    ]
    return "\n".join(lines)
