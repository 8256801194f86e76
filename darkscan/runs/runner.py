"""Runs the stages of a scan: what is made before, and what is left after."""

import json
import os
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
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
from darkscan.pipeline.running.results_folder import REPORT_NAME, ResultsFolder
from darkscan.pipeline.running.specification import RING_NAME, RunFolder, RunSpec, RunTask
from darkscan.pipeline.running.stage_processes import stage_list
from darkscan.pipeline.running.supervisor import Progress, Supervisor
from darkscan.pipeline.transport.journal import JOURNAL_NAME, take_up_journal
from darkscan.pipeline.transport.messages import Status
from darkscan.pipeline.transport.ring import FrameRing, check_margin
from darkscan.runs.host_report import HostLink
from darkscan.runs.resuming import Unfinished
from darkscan.stages.uplink.began import scan_facts

_log = structlog.get_logger(__name__)


def _nothing_more(_run_dir: Path) -> None:
    """Leaves nothing: a replay's stages need only the run's own description."""


def _not_told(_line: str) -> None:
    """Nobody asks what the host has."""


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
        scan_id=secrets.token_hex(16),
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
    tell: Callable[[str], None] = _not_told,
) -> DefectMap:
    """Runs the stages until the map is written; the results are then in ``spec.out_dir``.

    ``describe`` leaves in the run's folder what its stages need besides; ``tell`` is given a
    line on what the host has, if there is one. Raises DarkscanError when the run fails; it
    then leaves in ``spec.out_dir`` its log, and what ``--resume`` goes on from.
    """
    # RunFolder first sweeps what killed runs left.
    with RunFolder() as folder, ExitStack() as open_until_the_end:
        ring = _lay_out(folder.path, spec, describe)
        output = open_until_the_end.enter_context(ResultsFolder(spec.out_dir))
        if spec.resumptions:
            output.take_up()
        else:
            output.claim()
        host = None
        try:
            log_to_file(spec.out_dir / LOG_NAME, spec.recipe.logging.level, stage="supervisor")
            inspected_before = _begin(output, spec)
            host = open_until_the_end.enter_context(HostLink(folder.path, spec))
            supervisor = _supervisor(folder.path, host.spec, on_progress)
            supervisor.progress.ended.update(host.problem)
            report = _supervise(supervisor, spec)
        except BaseException as error:
            _log.error("run failed", reason=str(error) or type(error).__name__)
            if host is not None:
                host.fail(error)
            output.break_off()
            raise
        finally:
            ring.close()
        report |= scan_facts(folder.path, spec)
        report["inspected_before"] = inspected_before
        content = json.dumps(report, indent=2).encode() + b"\n"
        write_atomically(spec.out_dir / REPORT_NAME, content)
        defect_map = read_map(spec.out_dir)
        host.finish(defect_map, lambda words: on_progress(_sending(supervisor, words)), tell)
        output.finish()
    return defect_map


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
            _supervise(_supervisor(folder.path, spec, on_progress), spec)
        finally:
            ring.close()


def _begin(output: ResultsFolder, spec: RunSpec) -> int:
    """Prepares the journal; how many frames an earlier run had inspected."""
    output.describe(Unfinished.of(spec).content())
    if not spec.resumptions:
        return 0
    inspected = take_up_journal(output.path / JOURNAL_NAME)
    _log.info("run goes on", inspected_before=inspected)
    return inspected


def _lay_out(run_dir: Path, spec: RunSpec, describe: Callable[[Path], None]) -> FrameRing:
    slots, shape = spec.recipe.processes.ring_slots, spec.scan.frame_shape
    margin = spec.recipe.inspection.context_px if spec.inspects else 0
    ring = FrameRing.create(run_dir / RING_NAME, slots, shape, spec.scan.dtype, margin=margin)
    spec.write(run_dir)
    describe(run_dir)
    return ring


def _supervisor(
    run_dir: Path, spec: RunSpec, on_progress: Callable[[Progress], None]
) -> Supervisor:
    """The supervisor of all stages that a run takes."""
    processes = spec.recipe.processes
    return Supervisor(
        run_dir,
        stage_list(
            spec.workers,
            inspects=spec.inspects,
            rig=spec.recording is None,
            remote=spec.remote_workers is not None,
            records=spec.record is not None,
            told=spec.host is not None,
        ),
        restarts=processes.restarts,
        stage_timeout_s=processes.stage_timeout_s,
        on_progress=on_progress,
    )


def _supervise(supervisor: Supervisor, spec: RunSpec) -> dict[str, object]:
    """Starts, watches and stops the stages; gives what a reader of the run may ask for."""
    _log.info("backend", chosen=spec.backend_reason)
    started, clock = datetime.now(UTC), time.monotonic()
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


def _sending(supervisor: Supervisor, words: str) -> Progress:
    """The run's state while the host is told of its end, in ``words``."""
    status = Status(stage="uplink", index=0, pid=os.getpid(), frames=0, doing=words)
    supervisor.progress.statuses["uplink", 0] = status
    return supervisor.progress
