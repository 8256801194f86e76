"""Counts, speeds and times of scans that were computed by hand."""

from typing import Any

import pytest

from darkscan.drivers.planning import passes
from darkscan.drivers.planning._timing import move_seconds
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.recipe import Inspection
from tests.planning.rigs import Mode, every_frame, plan_of, rig_of

OPTIC = {"size_mm": [810.0, 460.0]}
AREA = {"width": 2048, "height": 2048}


@pytest.mark.parametrize(
    ("pitch_um", "columns", "rows", "gigabytes"),
    [(5.0, 88, 50, 18.5), (10.0, 44, 25, 4.6), (15.0, 30, 17, 2.1)],
)
def test_an_area_scan_of_a_large_optic_with_a_tenth_of_overlap(
    pitch_um: float, columns: int, rows: int, gigabytes: float
) -> None:
    rig = rig_of(
        element=OPTIC,
        camera=AREA,
        geometry={"pitch_um": pitch_um},
        scan={"overlap_px": 205, "margin_mm": 0.0},
    )
    # 1843 px, a tenth less than a frame, is a multiple of this stride.
    plan = plan_of(rig, inspection=Inspection(stride=97))
    assert len(plan.frames) == columns * rows
    assert plan.strips == rows
    assert plan.strips * plan.strip_bytes / 1e9 == pytest.approx(gigabytes, rel=0.02)
    # At half a window the step is 1792 px, at most 3 % less.
    assert columns * rows <= len(plan_of(rig).frames) <= 1.1 * columns * rows


def test_a_line_scan_of_a_large_optic() -> None:
    rig = rig_of(
        "line",
        element=OPTIC,
        camera={"width": 8192, "height": 512, "exposure_us": 25.0, "rate_hz": 20_000.0},
        scan={"overlap_px": 410, "frame_height_px": 2048},
    )
    plan = plan_of(rig)
    assert plan.strips == 6
    assert plan.velocity_mm_s == pytest.approx(200.0)
    assert plan.run_up_mm == pytest.approx(25.0)
    assert plan.seconds == pytest.approx(29.0, rel=0.06)
    assert plan.info.frame_bytes * len(plan.frames) == pytest.approx(4.0e9, rel=0.1)
    lines_per_s = plan.velocity_mm_s / abs(plan.line_step_mm)
    assert lines_per_s * 8192 == pytest.approx(164e6, rel=0.01)


FASTER = {"velocity_mm_s": 1000.0}


@pytest.mark.parametrize(
    ("mode", "tables", "velocity_mm_s", "set_by"),
    [
        ("fly", {"camera": {"rate_hz": 1e4}}, 200.0, "motion.velocity_mm_s"),
        ("fly", {"motion": FASTER, "camera": {"rate_hz": 5.0}}, 38.4, "camera.rate_hz"),
        ("fly", {"motion": FASTER, "camera": {"exposure_us": 100.0}}, 50.0, "scan.blur_px"),
        ("line", {"motion": FASTER, "camera": {"rate_hz": 5000.0}}, 50.0, "camera.rate_hz"),
        ("line", {"motion": FASTER, "camera": {"exposure_us": 50.0}}, 100.0, "scan.blur_px"),
        (
            "line",
            {"motion": FASTER, "camera": {"exposure_us": 100.0}, "scan": {"blur_px": 9.0}},
            100.0,
            "camera.exposure_us",
        ),
        ("step", {"camera": {"exposure_us": 1e6}}, 200.0, "motion.velocity_mm_s"),
    ],
    ids=[
        "the axes are the slowest",
        "frames a second",
        "blur of a frame",
        "lines a second",
        "blur of a line",
        "lines cannot come faster than they are exposed",
        "standing still nothing blurs",
    ],
)
def test_what_sets_the_velocity(
    mode: Mode, tables: dict[str, dict[str, Any]], velocity_mm_s: float, set_by: str
) -> None:
    # Frames of 1024 px at 10 um that overlap by 256 px.
    plan = plan_of(rig_of(mode, **tables))
    assert plan.frame_step_mm == pytest.approx(8.96 if mode == "line" else 7.68)
    assert plan.velocity_mm_s == pytest.approx(velocity_mm_s)
    assert plan.velocity_set_by == set_by


@pytest.mark.parametrize(
    ("height", "overlap"),
    [(1024, 128), (2048, 128), (1000, 232)],
    ids=["windows fit", "windows fit in a higher frame", "the last windows lie flush"],
)
def test_frames_of_lines_share_no_more_than_the_window_grid_asks_for(
    height: int, overlap: int
) -> None:
    plan = plan_of(rig_of("line", scan={"frame_height_px": height, "overlap_px": 200}))
    assert plan.overlap_px == (overlap, 256)
    rows = sorted(frame.strip_row for frame in plan.frames if frame.meta.strip == 0)
    assert rows == list(range(0, len(rows) * (height - overlap), height - overlap))


def test_moves_are_trapezoids_and_triangles() -> None:
    assert move_seconds(400.0, 200.0, 1000.0) == pytest.approx(2.2)
    assert move_seconds(-10.0, 200.0, 1000.0) == pytest.approx(0.2)
    assert move_seconds(40.0, 200.0, 1000.0) == pytest.approx(0.4)
    assert move_seconds(0.0, 200.0, 1000.0) == 0.0


def test_a_step_scan_takes_moves_settling_and_frames() -> None:
    rig = rig_of(element={"size_mm": [17.0, 9.0]}, camera={"exposure_us": 10_000.0})
    plan = plan_of(rig)
    assert len(plan.frames) == 2
    move = move_seconds(plan.frame_step_mm, 200.0, 1000.0)
    assert plan.seconds == pytest.approx(move + 2 * (0.025 + 0.01 + 0.05))


def test_a_scan_on_the_fly_takes_sweeps_and_turns() -> None:
    rig = rig_of("fly", camera={"rate_hz": 1e4})
    plan = plan_of(rig)
    parts = passes(plan, rig, every_frame(plan))
    sweep = move_seconds(parts[0].end_mm - parts[0].start_mm[0], 200.0, 1000.0)
    turn = move_seconds(parts[1].start_mm[1] - parts[0].start_mm[1], 200.0, 1000.0)
    assert plan.seconds == pytest.approx(len(parts) * sweep + (len(parts) - 1) * turn)


@pytest.mark.parametrize(
    ("rig", "field", "problem"),
    [
        (rig_of(scan={"overlap_px": 100}), "scan.overlap_px", "must be 128 px or more"),
        (rig_of(scan={"overlap_px": 900}), "scan.overlap_px", "do not get on"),
        (
            rig_of("line", motion={"encoder_step_um": 7.0}),
            "motion.encoder_step_um",
            "10 um is 1.43 counts of 7 um: 1 would make it 30.0 % lower",
        ),
        (
            rig_of("line", motion={"encoder_step_um": 30.0}),
            "motion.encoder_step_um",
            "1 would make it 200.0 % higher",
        ),
        (rig_of("line", scan={"axis": "y"}), "scan.axis", "across the y axis"),
        (
            rig_of(element={"region_mm": [100.0, 0.0, 5.0, 5.0]}),
            "element.region_mm",
            "beside the element",
        ),
    ],
    ids=[
        "windows on a border would be whole nowhere",
        "nothing is left of a frame",
        "lines that the encoder cannot make",
        "encoder coarser than the lines",
        "lines along the strip",
        "region beside the element",
    ],
)
def test_what_cannot_be_planned(rig: Rig, field: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as error:
        plan_of(rig)
    assert field in str(error.value)


@pytest.mark.parametrize(
    ("mode", "tables", "field"),
    [
        ("step", {"camera": {"width": 300, "height": 600}}, "camera.width"),
        ("fly", {"camera": {"width": 600, "height": 300}}, "camera.height"),
        ("line", {"scan": {"frame_height_px": 300}}, "scan.frame_height_px"),
    ],
)
def test_frames_smaller_than_a_window(
    mode: Mode, tables: dict[str, dict[str, Any]], field: str
) -> None:
    with pytest.raises(InputError, match="smaller than a window of 512 px") as error:
        plan_of(
            rig_of(mode, **{**tables, "scan": {"overlap_px": 260} | tables.get("scan", {})}),
            inspection=Inspection(window=512, stride=256),
        )
    assert error.value.field == field
