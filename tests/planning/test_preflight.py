"""What a scan needs of instrument and machine: possible, possible with waiting, or refused."""

import os
from pathlib import Path
from typing import Any

import pytest

from darkscan.drivers.motion.inspecting import Inspected
from darkscan.drivers.planning import ScanPlan
from darkscan.drivers.planning import _instrument as instrument
from darkscan.drivers.planning import _machine as machine
from darkscan.drivers.planning._instrument import Finding
from darkscan.drivers.planning.preflight import FrameUse, Preflight, preflight, survey
from darkscan.drivers.rig import Rig, SimulationSettings
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.recipe import Processes, Recipe
from tests.planning.rigs import Mode, plan_of, rig_of

WINDOWS_A_FRAME = 49  # of 1024 x 1024 px
GIB = 2**30


@pytest.fixture(autouse=True)
def roomy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 64 * GIB)


def room(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A machine with so much memory, shared memory and disk."""
    monkeypatch.setattr(machine, "free_bytes", lambda _: size)
    monkeypatch.setattr(machine, "available_memory", lambda: size)


def looked_at(
    rig: Rig,
    *,
    frames_per_s: float | None = None,
    ring_slots: int = 8,
    record: Path | None = None,
    inspects: bool = True,
) -> tuple[Preflight, ScanPlan]:
    plan = plan_of(rig)
    recipe = Recipe(processes=Processes(ring_slots=ring_slots))
    rate = None if frames_per_s is None else frames_per_s * WINDOWS_A_FRAME
    found = survey(plan, rig, recipe, FrameUse(record, rate, inspects))
    return found, plan


def finding(found: Preflight, name: str) -> Finding:
    (only,) = [one for one in found.findings if one.name == name]
    return only


@pytest.mark.parametrize("mode", ["step", "fly", "line"])
def test_a_scan_that_everything_is_good_for(mode: Mode, tmp_path: Path) -> None:
    rig = rig_of(mode, camera={"link_mb_per_s": 1000.0})
    found, _ = looked_at(rig, frames_per_s=1000.0, record=tmp_path / "scan.h5")
    assert {one.verdict for one in found.findings} == {"ok"}
    names = ["travel", "blur", "camera rate", "camera link", "memory", "disk", "classification"]
    assert [one.name for one in found.findings] == names
    assert found.waits_s == 0
    found.require()


@pytest.mark.parametrize(
    ("found", "verdict", "figures"),
    [
        (Inspected(answers=True), "ok", "the records would carry out orders"),
        (Inspected(answers=True, problem="X.SET is Set"), "refused", "X.SET is Set"),
        (Inspected(answers=False, problem="no answer"), "ok", "not looked at: no answer"),
    ],
    ids=["in order", "a switch is wrong", "nobody answers"],
)
def test_records_of_a_rig_that_is_there_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, found: Inspected, verdict: str, figures: str
) -> None:
    monkeypatch.setattr(instrument, "inspect_records", lambda _: found)
    rig = rig_of()
    assert instrument.records(rig.model_copy(update={"simulation": SimulationSettings()})) is None
    real = rig.model_copy(update={"simulation": None})
    axes = instrument.records(real)
    assert axes is not None
    assert (axes.verdict, axes.figures) == (verdict, figures)


def test_step_and_stare_waits_for_slow_classification() -> None:
    found, plan = looked_at(rig_of(), frames_per_s=0.5)
    assert found.ring_slots == 8
    # All but what the ring holds must be classified before the last frame is taken.
    expected = (len(plan.frames) - 8) / 0.5 - plan.seconds
    assert found.waits_s == pytest.approx(expected, rel=0.05)
    assert found.behind_s == pytest.approx(8 / 0.5, rel=0.05)
    classification = finding(found, "classification")
    assert classification.verdict == "waits"
    assert f"will wait {found.waits_s:.0f} s" in classification.figures
    found.require()


@pytest.mark.parametrize(
    ("frames_per_s", "inspects", "slots"),
    [
        (None, True, 8),
        (1.0, True, 8),
        (1.0, False, 8),
        (1000.0, True, 2),
    ],
    ids=["speed unknown", "slow classification", "only recorded", "fast classification"],
)
@pytest.mark.parametrize("mode", ["fly", "line"])
def test_the_ring_holds_what_a_strip_in_motion_cannot_wait_for(
    mode: Mode, frames_per_s: float | None, inspects: bool, slots: int
) -> None:
    rig = rig_of(mode, camera={"rate_hz": 20_000.0})
    found, plan = looked_at(rig, frames_per_s=frames_per_s, ring_slots=2, inspects=inspects)
    strip = len(plan.frames) // plan.strips
    assert strip == (8 if mode == "fly" else 7)
    assert found.ring_slots == min(slots, strip)


def test_a_strip_waits_until_the_ring_has_room_for_it() -> None:
    rig = rig_of("fly", motion={"velocity_mm_s": 20.0})
    found, plan = looked_at(rig, frames_per_s=2.0, ring_slots=2)
    strip = len(plan.frames) // plan.strips
    assert found.ring_slots == strip - 3  # three of the strip's eight frames in its three seconds
    # Before each strip but the first the ring must be empty.
    work_s = (len(plan.frames) - strip) / 2.0
    assert found.waits_s == pytest.approx(work_s - plan.seconds * (1 - 1 / plan.strips), rel=1e-3)
    assert found.waits_s > 1
    assert finding(found, "classification").verdict == "waits"


def test_simulated_axes_in_a_hurry_leave_less_time_for_classification() -> None:
    at_ease = rig_of("fly", camera={"producer": "simulated"}, simulation={})
    hurried = rig_of("fly", camera={"producer": "simulated"}, simulation={"time_scale": 10.0})
    slots = [
        looked_at(rig, frames_per_s=5.0, ring_slots=2)[0].ring_slots for rig in (at_ease, hurried)
    ]
    assert slots[0] < slots[1]


REFUSED: dict[str, tuple[Mode, dict[str, dict[str, Any]], str, str]] = {
    "beyond the soft limits": (
        "fly",
        {"motion": {"x": {"record": "X", "limits_mm": [-30.0, 60.0]}}},
        "motion.x",
        r"from -\d+\.\d{3} to \d+\.\d{3} mm.*-30.000 to 60.000 mm",
    ),
    "more than the camera's link carries": (
        "line",
        {"camera": {"link_mb_per_s": 10.0}},
        "camera.link_mb_per_s",
        r"20.48 MB/s at 200 mm/s of 10 MB/s",
    ),
    "more than the link carries on the fly": (
        "fly",
        {"camera": {"link_mb_per_s": 10.0}},
        "camera.link_mb_per_s",
        r"20.97 MB/s .* of 10 MB/s",
    ),
}


@pytest.mark.parametrize(("mode", "tables", "field", "figures"), REFUSED.values(), ids=REFUSED)
def test_what_the_instrument_cannot_do(
    mode: Mode, tables: dict[str, dict[str, Any]], field: str, figures: str
) -> None:
    rig = rig_of(mode, **tables)
    with pytest.raises(InputError, match=figures) as error:
        preflight(plan_of(rig), rig, Recipe(), FrameUse(None, None))
    assert error.value.field == field


@pytest.mark.parametrize(
    ("pixel_format", "megabytes"),
    [("Mono8", 20.48), ("Mono12p", 30.72), ("Mono10p", 25.6), ("Mono12", 40.96)],
)
def test_packed_pixels_take_less_of_the_link(pixel_format: str, megabytes: float) -> None:
    rig = rig_of("line", camera={"link_mb_per_s": 1000.0, "pixel_format": pixel_format})
    found, _ = looked_at(rig)
    assert f"{megabytes:.4g} MB/s at" in finding(found, "camera link").figures


def test_a_slow_link_slows_a_step_scan_down() -> None:
    found, plan = looked_at(rig_of(camera={"link_mb_per_s": 1.0}))
    link = finding(found, "camera link")
    assert link.verdict == "waits"
    assert f"{len(plan.frames) * (1.048576 - 0.05):.0f} s longer" in link.figures


@pytest.mark.parametrize("mode", ["step", "line"])
def test_memory_too_small_for_the_ring(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 3 * 2**20)
    found, _ = looked_at(rig_of(mode))
    with pytest.raises(InputError, match="ring of 8 frames takes 8 MiB; /dev/shm has 3 MiB free"):
        found.require()


def test_disk_too_small_for_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 20 * 2**20)
    found, plan = looked_at(rig_of(), record=tmp_path / "scan.h5")
    size = f"{len(plan.frames) * 1024**2 / 1e9:.2f} GB"
    with pytest.raises(InputError, match=f"the recording takes {size}; its disk has 0.02 GB free"):
        found.require()


def test_a_recording_where_there_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(StorageError, match="No such file"):
        looked_at(rig_of(), record=tmp_path / "nowhere" / "scan.h5")


def test_the_machine_is_asked_truly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    memory = machine.available_memory()
    assert memory is not None
    assert 0 < memory <= total
    assert machine.free_bytes(tmp_path) > 0


def test_blur_is_told_in_pixels() -> None:
    found, _ = looked_at(rig_of("fly", camera={"rate_hz": 20_000.0}))
    assert "0.5 px in 25 us at 200 mm/s, of at most 0.5 px" in finding(found, "blur").figures
