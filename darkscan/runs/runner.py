"""Runs the stages of a scan: what is made before, and what is left after."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog

from darkscan.inference import FrameFormat, ModelJob, choose, read_conventions
from darkscan.pipeline.core.cores import threads_each
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.logs import LOG_NAME, log_to_file
from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.core.recipe import Recipe, inspection_hash
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.thumbnail import thumbnail_scale
from darkscan.pipeline.running.results_folder import ResultsFolder
from darkscan.pipeline.running.specification import RING_NAME, RunFolder, RunSpec, RunTask
from darkscan.pipeline.running.supervisor import Progress, Supervisor, stage_list
from darkscan.pipeline.transport.ring import FrameRing, check_margin

_log = structlog.get_logger(__name__)
_REPORT_NAME = "run.json"


def _nothing_more(_run_dir: Path) -> None:
    """Leaves nothing: a replay's stages need only the run's own description."""


def specify(scan: ScanInfo, recipe: Recipe, model: Path, task: RunTask) -> RunSpec:
    """Describes the run of a scan. Raises InputError if the model does not fit the recipe."""
    inspection, processes = recipe.inspection, recipe.processes
    conventions = read_conventions(model)
    info = conventions.fit(inspection, file=model)
    if inspection.context_px:
        check_margin(scan.frame_shape, inspection.context_px)
        if conventions.form != "dense":
            problem = "must be 0: a windowed model does not look beyond its windows"
            raise InputError(problem, field="inspection.context_px")
    frames = FrameFormat.of_scan(scan, inspection.context_px)
    job = ModelJob(model, conventions, frames, info.stride, inspection.precision)
    choice = choose(processes.backend, job, processes.devices)
    return RunSpec(
        **dict(task),
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
        backend=choice.backend_name,
        backend_reason=str(choice),
        devices=choice.devices,
        workers=processes.workers,
        threads=processes.threads or threads_each(processes.workers),
    )


def run_to_map(
    spec: RunSpec,
    on_progress: Callable[[Progress], None],
    *,
    describe: Callable[[Path], None] = _nothing_more,
) -> DefectMap:
    """Runs the stages until the map is written; the results are then in ``spec.out_dir``.

    ``describe`` leaves in the run's folder what its stages need besides. Raises DarkscanError
    when the run fails; it leaves nothing in ``spec.out_dir`` but its log.
    """
    output = ResultsFolder(spec.out_dir)
    with RunFolder() as folder:  # first of all sweeps what killed runs left
        ring = _lay_out(folder.path, spec, describe)
        output.claim()
        try:
            log_to_file(spec.out_dir / LOG_NAME, spec.recipe.logging.level, stage="supervisor")
            report = _supervise(folder.path, spec, on_progress)
        except BaseException as error:
            _log.error("run failed", reason=str(error) or type(error).__name__)
            output.clear()
            raise
        finally:
            ring.close()
    output.tidy()
    write_atomically(spec.out_dir / _REPORT_NAME, json.dumps(report, indent=2).encode() + b"\n")
    return read_map(spec.out_dir)


def run_without_map(
    spec: RunSpec,
    on_progress: Callable[[Progress], None],
    *,
    describe: Callable[[Path], None],
) -> None:
    """Runs the stages of a scan that is only recorded; nothing is written to ``spec.out_dir``.

    Raises DarkscanError when the run fails.
    """
    with RunFolder() as folder:
        spec = updated(spec, out_dir=folder.path)
        ring = _lay_out(folder.path, spec, describe)
        try:
            log_to_file(folder.path / LOG_NAME, spec.recipe.logging.level, stage="supervisor")
            _supervise(folder.path, spec, on_progress)
        finally:
            ring.close()


def _lay_out(run_dir: Path, spec: RunSpec, describe: Callable[[Path], None]) -> FrameRing:
    slots, shape = spec.recipe.processes.ring_slots, spec.scan.frame_shape
    margin = spec.recipe.inspection.context_px if spec.inspects else 0
    ring = FrameRing.create(run_dir / RING_NAME, slots, shape, spec.scan.dtype, margin=margin)
    spec.write(run_dir)
    describe(run_dir)
    return ring


def _supervise(
    run_dir: Path, spec: RunSpec, on_progress: Callable[[Progress], None]
) -> dict[str, object]:
    """Starts, watches and stops the stages; gives what a reader of the run may ask for."""
    processes = spec.recipe.processes
    _log.info("backend", chosen=spec.backend_reason)
    started, clock = datetime.now(UTC), time.monotonic()
    supervisor = Supervisor(
        run_dir,
        stage_list(
            spec.workers,
            inspects=spec.inspects,
            rig=spec.recording is None,
            remote=spec.remote_workers is not None,
            records=spec.record is not None,
        ),
        restarts=processes.restarts,
        stage_timeout_s=processes.stage_timeout_s,
        on_progress=on_progress,
    )
    supervisor.run()
    return {
        "darkscan_version": version("darkscan"),
        "recording": None if spec.recording is None else str(spec.recording),
        "recorded_to": None if spec.record is None else str(spec.record),
        "recipe": spec.recipe.model_dump(mode="json"),
        "started": started.isoformat(),
        "seconds": round(time.monotonic() - clock, 3),
        "backend": spec.backend_reason,
        "workers": spec.workers,
        "threads": spec.threads,
        "restarts": dict(supervisor.progress.restarts),
        "interrupted": supervisor.progress.stopping,
        "ended_early": supervisor.progress.ended,
    }
