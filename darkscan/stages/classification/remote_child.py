"""The computing process of a worker elsewhere: ``python -m ...remote_child RUN_DIR PARENT``."""

import sys
from pathlib import Path

from darkscan.inference import FrameFormat, ModelJob, Placement, choose
from darkscan.inference.worker_backend import WorkerBackend, open_worker_backend, shares_calls
from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.core.logs import LOG_NAME, log_to_file
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.station import Station, die_with
from darkscan.stages.classification.stage import Classification


def compute(run_dir: Path, parent: int) -> None:
    """Works as the only stage of the run in ``run_dir`` until told to stop, or ``parent`` is gone.

    Raises InputError if the backend that is asked for does not work here.
    """
    die_with(parent)
    spec = RunSpec.read(run_dir)
    log_to_file(run_dir / LOG_NAME, "WARNING", stage="classification")
    station = Station(run_dir, "classification", 0)
    try:
        with station.loading("the model"):
            worker = _load(spec)
        station.beat(0, now=True, doing=worker.backend.name)
        Classification(run_dir, spec, worker, station).run()
    finally:
        station.close()


def _load(spec: RunSpec) -> WorkerBackend:
    inspection, processes = spec.recipe.inspection, spec.recipe.processes
    job = ModelJob.read(
        spec.model_path,
        FrameFormat.of_scan(spec.scan, inspection.context_px),
        stride=spec.model.stride,
        precision=inspection.precision,
    )
    choice = choose(spec.backend, job, spec.devices)
    placement = Placement(choice.backend_name, choice.device_of(0), spec.threads, processes.batch)
    sharing = shares_calls(placement.device, processes.batch_wait_ms)
    return open_worker_backend(job, placement, sharing=sharing)


def main() -> int:
    """Runs it; returns the exit code."""
    import cv2

    cv2.setNumThreads(1)  # the cores are the model's
    run_dir, parent = sys.argv[1:]
    try:
        compute(Path(run_dir), int(parent))
    except DarkscanError as error:
        print(f"darkscan: error: {error}", file=sys.stderr)  # noqa: T201 - for who started us
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
