"""Runs one stage of a run in this process."""

import signal
import sys
from pathlib import Path

import structlog

from darkscan.pipeline.core.errors import DarkscanError, ExitCode, InputError, StorageError
from darkscan.pipeline.core.frame_results import LINK_STAGES, RIG_STAGES, STAGES
from darkscan.pipeline.core.logs import LOG_NAME, log_to_file
from darkscan.pipeline.running.failures import StageFailure
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.station import Station, die_with

_log = structlog.get_logger(__name__)


def run_stage(stage: str, run_dir: Path, index: int, parent: int | None) -> None:
    """Works as ``stage`` of the run described in ``run_dir`` until told to stop.

    parent: the supervisor's process id; this process then ends with it, come what may.
    Raises DarkscanError for what no restart can mend, after leaving it for the supervisor.
    """
    if parent is not None:
        # Whoever moves the axes stops them before it goes.
        die_with(parent, signal.SIGTERM if stage == "motion" else signal.SIGKILL)
    spec = RunSpec.read(run_dir)
    log_to_file(spec.out_dir / LOG_NAME, spec.recipe.logging.level, stage=stage, index=index)
    station = Station(run_dir, stage, index)
    try:
        _work(stage, run_dir, spec, station)
    except DarkscanError as error:
        _log.error("stage gives up the run", reason=str(error))
        StageFailure.of(error, ends_run=True).write(run_dir, stage, index)
        raise
    except Exception as error:
        _log.exception("stage failed")
        StageFailure.of(error, ends_run=False).write(run_dir, stage, index)
        raise
    finally:
        station.close()


def _work(stage: str, run_dir: Path, spec: RunSpec, station: Station) -> None:
    # Each stage's imports are its own: no model runtime where no model runs.
    match stage:
        case "acquisition":
            _take_frames(run_dir, spec, station)
        case "motion":
            from darkscan.drivers.planning import LiveScan
            from darkscan.stages.motion import Motion

            Motion(run_dir, LiveScan.read(run_dir).rig.motion, station).run()
        case "recording":
            _record(run_dir, spec, station)
        case "preprocessing":
            _leave_cores_to_the_model()
            from darkscan.stages.preprocessing import Preprocessing

            Preprocessing(run_dir, spec, station).run()
        case "classification":
            _leave_cores_to_the_model()
            from darkscan.stages.classification.stage import classify

            classify(run_dir, spec, station)
        case "gateway":
            _speak_with_workers(run_dir, spec, station)
        case "uplink":
            _tell_host(run_dir, spec, station)
        case "merging":
            from darkscan.stages.merging.stage import Merging

            if not Merging(run_dir, spec, station).run():
                sys.exit(ExitCode.FAILED)  # no map: the supervisor must not think so
        case _:
            raise InputError(
                f"no such stage; there are {', '.join(STAGES + RIG_STAGES + LINK_STAGES)}",
                field=stage,
            )


def _leave_cores_to_the_model() -> None:
    """OpenCV would put a thread on each core, where the model's are already."""
    import cv2

    cv2.setNumThreads(1)


def _take_frames(run_dir: Path, spec: RunSpec, station: Station) -> None:
    if spec.recording is not None:
        from darkscan.drivers.recording import Recording
        from darkscan.stages.acquisition.replay import ReplayAcquisition

        recording = Recording(spec.recording, spec.recording_identity)
        ReplayAcquisition(run_dir, spec, recording, station, recording.changes).run()
        return
    from darkscan.drivers.calibration import load_flat
    from darkscan.drivers.planning import LiveScan
    from darkscan.stages.acquisition.live import LiveAcquisition, find_camera, was_begun

    scan = LiveScan.read(run_dir)
    flat = load_flat(scan.rig, force=scan.forced) if scan.corrects else None
    camera = find_camera(scan, station, patient=was_begun(run_dir))
    LiveAcquisition(run_dir, spec, scan, camera, flat, station).run()


def _speak_with_workers(run_dir: Path, spec: RunSpec, station: Station) -> None:
    from darkscan.stages.classification.gateway import Gateway

    assert spec.remote_workers is not None, "this stage is started for an address"
    Gateway(run_dir, spec, spec.remote_workers, station).run()


def _tell_host(run_dir: Path, spec: RunSpec, station: Station) -> None:
    _leave_cores_to_the_model()
    from darkscan.stages.uplink.began import plan_of
    from darkscan.stages.uplink.stage import Uplink

    assert spec.host is not None, "this stage is started for a host"
    plan = plan_of(run_dir, spec)
    Uplink(run_dir, spec, spec.host, plan.frames, station).run()


def _record(run_dir: Path, spec: RunSpec, station: Station) -> None:
    from darkscan.drivers.planning import LiveScan
    from darkscan.drivers.recording import RecordingWriter
    from darkscan.stages.recording import RecordingStage

    assert spec.record is not None, "this stage is started for a recording"
    plan = [planned.meta for planned in LiveScan.read(run_dir).plan.frames]
    writer = RecordingWriter(spec.record, spec.scan, plan)
    try:
        ended = RecordingStage(run_dir, writer, station).run()
    except StorageError as error:
        # Not the end of the run: acquisition knows, and inspection goes on.
        _log.warning("recording ended early", reason=str(error))
        failure = StageFailure.of(error, ends_run=False)
        failure.write(run_dir, station.stage, station.index)
        sys.exit(ExitCode.FAILED)
    if not ended:
        sys.exit(ExitCode.FAILED)  # not finished: the supervisor must not think so
