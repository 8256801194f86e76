"""A rig's scan: planned, checked, described for the processes that carry it out."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from darkscan.drivers.calibration import load_flat, load_geometry
from darkscan.drivers.planning import LiveScan, plan_scan
from darkscan.drivers.planning.plan import naming
from darkscan.drivers.planning.preflight import Preflight, preflight
from darkscan.drivers.rig import Geometry, Rig
from darkscan.inference.rate import windows_per_s
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.running.results_folder import ResultsFolder
from darkscan.pipeline.running.specification import RunSpec
from darkscan.runs.runner import specify

_NEEDED = ("harvesters", "aioca")


@dataclass(frozen=True)
class PreparedScan:
    """A scan that could begin now."""

    spec: RunSpec
    live: LiveScan
    preflight: Preflight


def prepare_scan(
    rig: Rig,
    rig_file: Path,
    recipe: Recipe,
    model: Path,
    *,
    side: str,
    out_dir: Path | None,
    record: Path | None,
    rescans: int = 0,
    force: bool = False,
    geometry: Geometry | None = None,
    corrects: bool = True,
) -> PreparedScan:
    """Checks everything that can be refused before anything moves or is written.

    ``out_dir`` None: the scan is only recorded. ``geometry``: by default the rig's own;
    ``corrects``: whether the rig's flat field is used. Raises InputError naming the file and
    the field, StorageError where nothing could be written.
    """
    for module in _NEEDED:  # the stages load them; what is missing is said here
        if find_spec(module) is None:
            raise ModuleNotFoundError(name=module)
    if out_dir is not None:
        RunSpec.require_text(out_dir, "--out")
        ResultsFolder(out_dir).require_free()
    if record is not None:
        _require_new(record)
    if geometry is None:
        geometry = load_geometry(rig, force=force)
    flat = load_flat(rig, force=force) if corrects else None
    with naming(rig_file):
        plan = plan_scan(rig, geometry, recipe.inspection, side=side, recipe_name=recipe.name)
    if flat is not None:
        names = "; ".join(filter(None, (plan.info.calibration, flat.name)))
        plan = plan.model_copy(update={"info": plan.info.model_copy(update={"calibration": names})})
    inspects = out_dir is not None
    rate = windows_per_s(model, recipe, plan.info) if inspects else None
    with naming(rig_file):
        ahead = preflight(plan, rig, recipe, record=record, windows_per_s=rate, inspects=inspects)
    processes = recipe.processes.model_copy(update={"ring_slots": ahead.ring_slots})
    spec = specify(
        plan.info,
        out_dir or Path.cwd(),
        recipe.model_copy(update={"processes": processes}),
        model,
        record=None if record is None else record.resolve(),
        inspects=inspects,
        rescans=rescans,
    )
    live = LiveScan(
        rig=rig,
        rig_file=rig_file,
        geometry=geometry,
        corrects=flat is not None,
        forced=force,
        plan=plan,
    )
    return PreparedScan(spec, live, ahead)


def _require_new(record: Path) -> None:
    RunSpec.require_text(record, "--record")
    if os.path.lexists(record):
        raise InputError("exists already", file=record)
    if not record.absolute().parent.is_dir():
        raise StorageError(record, f"there is no folder {record.parent}")
