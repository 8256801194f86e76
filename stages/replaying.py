"""Runs all stages over a recording: what must hold before, and what is left after."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog

from darkscan.drivers.recording import Recording
from darkscan.pipeline.defect_map import DefectMap
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.grid import window_origins
from darkscan.pipeline.logs import LOG_NAME, log_to_file
from darkscan.pipeline.recipe import Recipe, inspection_hash
from darkscan.pipeline.results_folder import MAP_NAME, ResultsFolder
from darkscan.pipeline.ring import FrameRing
from darkscan.pipeline.run import RING_NAME, RunFolder, RunSpec, Speed
from darkscan.pipeline.storage import write_atomically
from darkscan.pipeline.supervisor import Progress, Supervisor, stage_list
from darkscan.pipeline.thumbnail import thumbnail_scale
from darkscan.stages.inference import read_conventions

_log = structlog.get_logger(__name__)
_REPORT_NAME = "run.json"


def prepare(recording: Path, out_dir: Path, recipe: Recipe, speed: Speed, model: Path) -> RunSpec:
    """Checks everything that can be refused before anything is written.

    Raises InputError naming the file and the field.
    """
    source = Recording(recording)
    try:
        scan = source.info
    finally:
        source.close()
    inspection = recipe.inspection
    try:
        window_origins(scan.frame_shape, inspection.window, inspection.stride)
    except InputError as error:
        raise InputError(error.problem, file=recording, field="frame_shape") from error
    info = read_conventions(model).fit(inspection, file=model)
    RunSpec.require_text(recording, "recording")
    RunSpec.require_text(out_dir, "--out")
    ResultsFolder(out_dir).require_free()
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


def replay(spec: RunSpec, on_progress: Callable[[Progress], None]) -> DefectMap:
    """Runs the stages until the map is written; the results are then in ``spec.out_dir``.

    Raises DarkscanError when the run fails; it leaves nothing there but its log.
    """
    results = ResultsFolder(spec.out_dir)
    with RunFolder() as folder:  # first of all sweeps what killed runs left
        slots = spec.recipe.processes.ring_slots
        shape, dtype = spec.scan.frame_shape, spec.scan.dtype
        ring = FrameRing.create(folder.path / RING_NAME, slots, shape, dtype)
        spec.write(folder.path)
        results.claim()
        try:
            log_to_file(spec.out_dir / LOG_NAME, spec.recipe.logging.level, stage="supervisor")
            report = _supervise(folder.path, spec, on_progress)
        except BaseException as error:
            _log.error("run failed", reason=str(error) or type(error).__name__)
            results.clear()
            raise
        finally:
            ring.close()
    results.tidy()
    write_atomically(spec.out_dir / _REPORT_NAME, json.dumps(report, indent=2).encode() + b"\n")
    return DefectMap.model_validate_json((spec.out_dir / MAP_NAME).read_bytes())


def _supervise(
    run_dir: Path, spec: RunSpec, on_progress: Callable[[Progress], None]
) -> dict[str, object]:
    """Starts, watches and stops the stages; gives what a reader of the run may ask for."""
    processes = spec.recipe.processes
    started, clock = datetime.now(UTC), time.monotonic()
    supervisor = Supervisor(
        run_dir,
        stage_list(spec.workers),
        restarts=processes.restarts,
        stage_timeout_s=processes.stage_timeout_s,
        on_progress=on_progress,
    )
    supervisor.run()
    return {
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
