"""``darkscan replay``: inspects a recorded scan and writes its defect map."""

import argparse
import json
import os
import time
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import get_args

import structlog

from darkscan.cli.output import say
from darkscan.cli.progress import ProgressView
from darkscan.drivers.recording import Recording
from darkscan.pipeline.defect_map import DefectMap
from darkscan.pipeline.errors import ExitCode, InputError, StorageError
from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.journal import JOURNAL_NAME
from darkscan.pipeline.logs import LOG_NAME, log_to_file
from darkscan.pipeline.recipe import Recipe, inspection_hash, load_recipe
from darkscan.pipeline.ring import FrameRing
from darkscan.pipeline.run import RING_NAME, RunFolder, RunSpec, Speed
from darkscan.pipeline.scan import ScanInfo
from darkscan.pipeline.supervisor import Supervisor, stage_list
from darkscan.pipeline.thumbnail import thumbnail_scale
from darkscan.stages.inference import read_conventions

_log = structlog.get_logger(__name__)
MAP_NAME = "defect-map.json"
_REPORT_NAME = "run.json"

_EPILOG = """\
examples:
  darkscan replay scan.h5 --out results/
  darkscan replay scan.h5 --out results/ --workers 3 --recipe configs/default.toml

OUT then holds defect-map.json (the master), .csv, .svg, .png, trace.json (opens in
ui.perfetto.dev; `darkscan profile OUT` sums it up), run.json and log.jsonl.
Ctrl-C finishes what is under way and lists the rest as not inspected; Ctrl-C again aborts.
exit codes: 0 every frame was inspected; 3 the map is incomplete; 2 bad input; 1 failed.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "replay",
        help="inspect a recorded scan and write its defect map",
        description="Replays a recording through acquisition, preprocessing, classification "
        "and merging, as processes of their own, to a defect map.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", type=Path, help="an HDF5 recording (see `darkscan import`)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--workers", type=int, help="classification processes (default: recipe)")
    parser.add_argument(
        "--speed",
        choices=get_args(Speed),
        default="max",
        help="as fast as can be, or with the recorded times between frames (default: max)",
    )
    parser.add_argument("--recipe", type=Path, help="a recipe file (default: the embedded one)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    recipe = Recipe() if arguments.recipe is None else load_recipe(arguments.recipe)
    if arguments.workers is not None:
        if not 1 <= arguments.workers <= 256:  # noqa: PLR2004 - as the recipe's own limit
            raise InputError("must be from 1 to 256", field="--workers")
        processes = recipe.processes.model_copy(update={"workers": arguments.workers})
        recipe = recipe.model_copy(update={"processes": processes})
    defect_map = replay(arguments.recording, arguments.out, recipe, arguments.speed)
    say(summary(defect_map, arguments.out))
    return exit_code(defect_map)


def exit_code(defect_map: DefectMap) -> ExitCode:
    """Whether every frame and all of the region was inspected, for the shell."""
    ledger = defect_map.ledger
    whole = defect_map.coverage.complete and ledger.mapped == ledger.captured
    return ExitCode.OK if whole else ExitCode.INCOMPLETE


def replay(recording: Path, out_dir: Path, recipe: Recipe, speed: Speed) -> DefectMap:
    """Inspects a recording; everything that can be refused is, before anything is written.

    Raises InputError for what cannot be used, DarkscanError when the run fails. The
    results are then in ``out_dir``; a failed run leaves nothing there but its log.
    """
    if recipe.inspection.model == "default":
        with as_file(files("darkscan") / "models" / "default.onnx") as model:
            return _replay(recording, out_dir, recipe, speed, model)
    return _replay(recording, out_dir, recipe, speed, Path(recipe.inspection.model))


def _replay(recording: Path, out_dir: Path, recipe: Recipe, speed: Speed, model: Path) -> DefectMap:
    spec = _prepare(recording, out_dir, recipe, speed, model)
    with RunFolder() as folder:  # first of all sweeps what killed runs left
        ring = FrameRing.create(
            folder.path / RING_NAME,
            recipe.processes.ring_slots,
            spec.scan.frame_shape,
            spec.scan.dtype,
        )
        spec.write(folder.path)
        _claim(out_dir)
        try:
            log_to_file(out_dir / LOG_NAME, recipe.logging.level, stage="supervisor")
            _supervise(folder.path, spec)
            return DefectMap.model_validate_json((out_dir / MAP_NAME).read_bytes())
        except BaseException as error:
            _log.error("run failed", reason=str(error) or type(error).__name__)
            _clear(out_dir)
            raise
        finally:
            (out_dir / JOURNAL_NAME).unlink(missing_ok=True)
            ring.close()


def _claim(out_dir: Path) -> None:
    """Makes the folder of the results ours. Raises InputError if another run has it."""
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        (out_dir / JOURNAL_NAME).touch(exist_ok=False)
    except FileExistsError as error:
        raise InputError("another run writes here", file=out_dir, field="--out") from error
    except OSError as error:
        raise StorageError(out_dir, error) from error


def _clear(out_dir: Path) -> None:
    """Removes all but the log: a run that failed leaves nothing that looks like results."""
    for entry in out_dir.iterdir():
        if entry.name != LOG_NAME:
            entry.unlink(missing_ok=True)


def _prepare(recording: Path, out_dir: Path, recipe: Recipe, speed: Speed, model: Path) -> RunSpec:
    source = Recording(recording)
    try:
        scan: ScanInfo = source.info
    finally:
        source.close()
    inspection = recipe.inspection
    try:
        window_origins(scan.frame_shape, inspection.window, inspection.stride)
    except InputError as error:
        raise InputError(error.problem, file=recording, field="frame_shape") from error
    info = read_conventions(model).fit(inspection, file=model)
    for name, path in (("--out", out_dir), ("recording", recording)):
        _require_text(path, name)
    _require_free(out_dir)
    processes = recipe.processes
    cores = len(os.sched_getaffinity(0))
    return RunSpec(
        out_dir=out_dir.resolve(),
        recording=recording.resolve(),
        speed=speed,
        recipe=recipe,
        recipe_hash=inspection_hash(
            inspection,
            model_hash=info.hash,
            threshold=info.threshold,
            grow_threshold=info.grow_threshold,
        ),
        model_path=model.resolve(),
        model=info,
        scan=scan,
        thumbnail_scale=thumbnail_scale(scan, recipe.output.picture_px),
        workers=processes.workers,
        threads=processes.threads or max(1, cores // processes.workers),
    )


def _require_free(out_dir: Path) -> None:
    """Raises InputError if a folder holds anything but the log of a run that failed."""
    try:
        others = sorted(entry.name for entry in out_dir.iterdir() if entry.name != LOG_NAME)
    except FileNotFoundError:
        return
    except OSError as error:
        problem = f"cannot be used: {error.strerror}"
        raise InputError(problem, file=out_dir, field="--out") from error
    if MAP_NAME in others:
        problem = "holds another run's results; choose a new folder"
        raise InputError(problem, file=out_dir, field="--out")
    if JOURNAL_NAME in others:
        problem = "holds an unfinished run, or another run is writing there; choose a new folder"
        raise InputError(problem, file=out_dir, field="--out")
    if others:
        problem = f"is not empty (holds {others[0]!r}); choose a new folder"
        raise InputError(problem, file=out_dir, field="--out")


def _require_text(path: Path, field: str) -> None:
    """Raises InputError for a name that is no text: it cannot be written into JSON."""
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"the name {str(path)!a} is no text", field=field) from error


def _supervise(run_dir: Path, spec: RunSpec) -> None:
    processes = spec.recipe.processes
    started = datetime.now(UTC)
    clock = time.monotonic()
    with ProgressView(spec.scan.frames_planned) as view:
        supervisor = Supervisor(
            run_dir,
            stage_list(spec.workers),
            restarts=processes.restarts,
            stage_timeout_s=processes.stage_timeout_s,
            on_progress=view.show,
        )
        supervisor.run()
    for part in spec.out_dir.glob(".*.part"):  # of a merging process that was killed
        part.unlink(missing_ok=True)
    report = {
        "darkscan_version": version("darkscan"),
        "recording": str(spec.recording),
        "recipe": spec.recipe.model_dump(mode="json"),
        "started": started.isoformat(),
        "seconds": round(time.monotonic() - clock, 3),
        "workers": spec.workers,
        "threads": spec.threads,
        "restarts": dict(supervisor.progress.restarts),
        "interrupted": supervisor.progress.stopping,
    }
    path = spec.out_dir / _REPORT_NAME
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(path, error) from error


def summary(defect_map: DefectMap, out_dir: Path) -> str:
    """What was found and what was not inspected, in a few lines."""
    coverage, ledger = defect_map.coverage, defect_map.ledger
    count = len(defect_map.defects)
    found = f"{count} defect{'s' if count != 1 else ''}"
    inspected = f"{coverage.inspected_fraction:.2%} of the region inspected"
    frames = f"{ledger.mapped} of {ledger.captured} frames mapped"
    losses = f"{ledger.quarantined} quarantined, {ledger.lost} lost"
    lines = [f"{found}; {inspected}; {frames}, {losses}"]
    lines += [
        f"  not inspected: {region.area_mm2:.2f} mm2: {region.reason}"
        for region in coverage.not_inspected
    ]
    lines.append(f"map: {out_dir / MAP_NAME}   picture: {out_dir / 'defect-map.png'}")
    return "\n".join(lines)
