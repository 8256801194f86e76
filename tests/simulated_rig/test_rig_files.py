"""The rig files that come with darkscan."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from darkscan.drivers.planning import check_limits, passes, plan_scan
from darkscan.drivers.rig import Rig, load_rig
from darkscan.pipeline.core.recipe import Inspection
from darkscan.simulation.rig import true_geometry, truth_of
from tests.conftest import REPOSITORY

FILES = sorted((REPOSITORY / "configs").glob("rig-*.toml"))
SECONDS = 60.0
FRAMES = 12


def test_there_is_one_for_each_way_to_scan() -> None:
    assert {load_rig(file).scan.mode for file in FILES} == {"step", "fly", "line"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_scan_can_be_planned_and_is_soon_over(file: Path) -> None:
    rig = load_rig(file)
    plan = plan_scan(rig, true_geometry(rig), Inspection(), side="front", recipe_name="default")
    axes = (rig.motion.x, rig.motion.y, rig.motion.z)
    limits = [axis.limits_mm for axis in axes if axis is not None and axis.limits_mm is not None]
    low, high = ((a[side], b[side], c[side]) for a, b, c in [limits] for side in (0, 1))

    check_limits(passes(plan, rig, {frame.meta.frame for frame in plan.frames}), low, high)
    assert len(plan.frames) <= FRAMES
    assert plan.strips > 1
    assert plan.seconds < SECONDS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_element_has_scratches_to_find(file: Path) -> None:
    truth = truth_of(load_rig(file))

    assert truth is not None
    assert len(truth.scratches) >= 3


def test_what_it_lists_as_a_default_is_the_default() -> None:
    """A key behind a comment sign shows what holds without it."""
    file = REPOSITORY / "configs" / "rig-area-simulated.toml"
    rig = load_rig(file)
    shown = _commented(file.read_text(encoding="utf-8"))

    assert len(shown) > 15
    for (table, key), value in shown.items():
        assert str(_default(rig, table, key)).lower() == value, f"{table}.{key}"


def _commented(text: str) -> dict[tuple[str, str], str]:
    """Values of the keys behind a comment sign, by table and key."""
    table, shown = "", {}
    for line in text.splitlines():
        if match := re.match(r"(?:# )?\[([\w.]+)\]", line):
            table = match[1]
        elif match := re.match(r'# (\w+) = "?([\w.-]+)"?(?:\s|$)', line):
            shown[table, match[1]] = match[2].lower()
    examples = {("calibration", "geometry"), ("calibration", "flat"), ("camera", "trigger_source")}
    tables = {"camera.nodes", "camera.names"}
    return {
        place: value
        for place, value in shown.items()
        if place not in examples and place[0] not in tables
    }


def _default(rig: Rig, table: str, key: str) -> Any:
    part = getattr(rig, table)
    assert isinstance(part, BaseModel)
    assert key not in part.model_fields_set
    return type(part).model_fields[key].get_default()
