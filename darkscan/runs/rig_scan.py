"""Plans a rig's scan, checks it, and describes it for the processes that carry it out."""

import os
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from darkscan.drivers.calibration import load_flat, load_geometry
from darkscan.drivers.planning import LiveScan, plan_scan
from darkscan.drivers.planning.plan import naming
from darkscan.drivers.planning.preflight import FrameUse, Preflight, preflight
from darkscan.drivers.rig import Geometry, Rig
from darkscan.inference.rate import windows_per_s
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.settings import content_hash, updated
from darkscan.pipeline.running.results_folder import ResultsFolder
from darkscan.pipeline.running.specification import RunSpec, RunTask
from darkscan.runs.resuming import Unfinished
from darkscan.runs.runner import specify

_LIBRARIES = ("harvesters", "aioca")


@dataclass(frozen=True)
class ScanRequest:
    """The scan of a rig's element as somebody asks for it."""

    rig: Rig
    rig_file: Path
    """Named in errors."""

    side: str = "front"
    """The side of the element that faces the camera."""

    record: Path | None = None
    """The recording to make of the scan; None: none."""

    rescans: int = 1
    """How often frames that were lost are taken again at the end."""

    force: bool = False
    """Whether calibrations that expired, or are another rig's, are used all the same."""

    geometry: Geometry | None = None
    """From pixels and axes to the element; None: as the rig's own calibration has it."""

    corrects: bool = True
    """Whether frames are corrected by the rig's flat field."""

    unfinished: Unfinished | None = None
    """The run in the results' folder that this one goes on from."""


@dataclass(frozen=True)
class PreparedScan:
    """A scan that could begin now."""

    spec: RunSpec
    live: LiveScan
    preflight: Preflight


def prepare_scan(
    request: ScanRequest, recipe: Recipe, model: Path, out_dir: Path | None
) -> PreparedScan:
    """Checks everything that can be refused before anything moves or is written.

    ``out_dir`` None: the scan is only recorded, not inspected. Raises InputError naming the
    file and the field, StorageError where nothing could be written, ModuleNotFoundError where
    a library that drives instruments is not installed.
    """
    rig, record = request.rig, request.record
    for module in _LIBRARIES:  # the stages load them; a missing one is named here
        if find_spec(module) is None:
            raise ModuleNotFoundError(name=module)
    if out_dir is not None:
        RunSpec.require_text(out_dir, "--out")
        if request.unfinished is None:
            ResultsFolder(out_dir).require_free()
    if record is not None:
        _require_new(record)
    live = _planned(request, recipe)
    info, inspects = live.plan.info, out_dir is not None
    rate = windows_per_s(model, recipe, info) if inspects else None
    with naming(request.rig_file):
        ahead = preflight(live.plan, rig, recipe, FrameUse(record, rate, inspects))
    processes = updated(recipe.processes, ring_slots=ahead.ring_slots)
    task = RunTask(
        out_dir=(out_dir or Path.cwd()).resolve(),
        record=None if record is None else record.resolve(),
        plan_hash=_plan_hash(live),
        calibration_hash=_calibration_hash(live),
        warnings=_not_recorded(request.unfinished),
        frames=tuple(planned.meta.frame for planned in live.plan.frames),
        inspects=inspects,
        rescans=request.rescans,
    )
    spec = specify(info, updated(recipe, processes=processes), model, task)
    if request.unfinished is not None:
        spec = request.unfinished.go_on(spec)
    return PreparedScan(spec, live, ahead)


def _planned(request: ScanRequest, recipe: Recipe) -> LiveScan:
    """Plans the scan with the calibrations that it uses. Raises InputError."""
    rig, force = request.rig, request.force
    geometry = request.geometry or load_geometry(rig, force=force)
    flat = load_flat(rig, force=force) if request.corrects else None
    with naming(request.rig_file):
        plan = plan_scan(
            rig, geometry, recipe.inspection, side=request.side, recipe_name=recipe.name
        )
    if flat is not None:
        names = "; ".join(filter(None, (plan.info.calibration, flat.name)))
        plan = updated(plan, info=updated(plan.info, calibration=names))
    return LiveScan(
        rig=rig,
        rig_file=request.rig_file,
        geometry=geometry,
        corrects=flat is not None,
        forced=force,
        plan=plan,
    )


def _plan_hash(live: LiveScan) -> str:
    """Names what the scan takes, and how."""
    return content_hash([each.model_dump(mode="json") for each in (live.rig, live.plan)])


def _calibration_hash(live: LiveScan) -> str:
    """Names how pixels and axes lead to the element, and what frames are corrected by."""
    flat = live.rig.calibration.flat if live.corrects else None
    content = "" if flat is None else sha256(read_file(flat)).hexdigest()
    return content_hash([live.geometry.model_dump(mode="json"), content])


def _not_recorded(unfinished: Unfinished | None) -> tuple[str, ...]:
    """What the map of a scan that went on has to say of the recording that did not."""
    if unfinished is None:
        return ()
    earlier, record = unfinished.spec.warnings, unfinished.spec.record
    if record is None:
        return earlier
    return (f"the scan was broken off and resumed: {record} holds only what was taken before",)


def _require_new(record: Path) -> None:
    RunSpec.require_text(record, "--record")
    if os.path.lexists(record):
        raise InputError("exists already", file=record)
    if not record.absolute().parent.is_dir():
        raise StorageError(record, f"there is no folder {record.parent}")
