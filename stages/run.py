"""Runs one stage of a run in this process."""

import sys
from pathlib import Path

import structlog

from darkscan.pipeline.errors import DarkscanError, ExitCode, InputError
from darkscan.pipeline.logs import LOG_NAME, log_to_file
from darkscan.pipeline.results import STAGES
from darkscan.pipeline.run import RunSpec
from darkscan.pipeline.station import Station, die_with

_log = structlog.get_logger(__name__)


def run_stage(stage: str, run_dir: Path, index: int, parent: int | None) -> None:
    """Works as ``stage`` of the run described in ``run_dir`` until told to stop.

    parent: the supervisor's process id; this process then ends with it, come what may.
    Raises DarkscanError for what no restart can mend, after telling the supervisor.
    """
    if parent is not None:
        die_with(parent)
    spec = RunSpec.read(run_dir)
    log_to_file(spec.out_dir / LOG_NAME, spec.recipe.logging.level, stage=stage, index=index)
    station = Station(run_dir, stage, index)
    try:
        _work(stage, run_dir, spec, station)
    except DarkscanError as error:
        _log.error("stage gives up the run", reason=str(error))
        station.beat(0, now=True, fatal=str(error), exit_code=error.exit_code)
        raise
    except Exception:
        _log.exception("stage failed")
        raise
    finally:
        station.close()


def _work(stage: str, run_dir: Path, spec: RunSpec, station: Station) -> None:
    # Each stage's imports are its own: no model runtime where no model runs.
    match stage:
        case "acquisition":
            from darkscan.drivers.recording import Recording
            from darkscan.stages.acquisition import Acquisition

            Acquisition(run_dir, spec, Recording(spec.recording), station).run()
        case "preprocessing":
            from darkscan.stages.preprocessing import Preprocessing

            Preprocessing(run_dir, spec, station).run()
        case "classification":
            from darkscan.stages.classification import Classification
            from darkscan.stages.inference import OnnxRuntimeBackend, file_hash

            if file_hash(spec.model_path) != spec.model.hash:
                raise InputError("has changed since the run began", file=spec.model_path)
            batch = spec.recipe.processes.batch
            backend = OnnxRuntimeBackend(spec.model_path, threads=spec.threads, batch=batch)
            Classification(run_dir, spec, backend, station).run()
        case "merging":
            from darkscan.stages.merging import Merging

            if not Merging(run_dir, spec, station).run():
                sys.exit(ExitCode.FAILED)  # no map: the supervisor must not think so
        case _:
            raise InputError(f"no such stage; there are {', '.join(STAGES)}", field=stage)
