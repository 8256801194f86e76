"""A replay: what must hold before a recording is inspected."""

from pathlib import Path

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.running.results_folder import ResultsFolder
from darkscan.pipeline.running.specification import RunSpec, RunTask, Speed
from darkscan.runs.resuming import Unfinished
from darkscan.runs.runner import specify


def prepare(
    recording: Path,
    out_dir: Path,
    recipe: Recipe,
    speed: Speed,
    model: Path,
    unfinished: Unfinished | None = None,
) -> RunSpec:
    """Checks everything that can be refused before anything is written.

    ``unfinished``: the run in ``out_dir`` that this one goes on from. Raises InputError naming
    the file and the field.
    """
    source = Recording(recording)
    try:
        scan, identity, warnings = source.info, source.identity, source.warnings
        frames = tuple(meta.frame for meta in source.frames)
    finally:
        source.close()
    inspection = recipe.inspection
    try:
        window_origins(scan.frame_shape, inspection.window, inspection.stride)
    except InputError as error:
        raise InputError(error.problem, file=recording, field="frame_shape") from error
    RunSpec.require_text(recording, "recording")
    RunSpec.require_text(out_dir, "--out")
    if unfinished is None:
        ResultsFolder(out_dir).require_free()
    task = RunTask(
        out_dir=out_dir.resolve(),
        recording=recording.resolve(),
        recording_identity=identity,
        frames=frames,
        warnings=warnings,
        speed=speed,
    )
    spec = specify(scan, recipe, model, task)
    return spec if unfinished is None else unfinished.go_on(spec)
