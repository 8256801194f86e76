"""Frames in motion: each lies where the axes were, and what has no place is never guessed."""

import numpy as np
import pytest

from darkscan.drivers.motion.history import History
from darkscan.drivers.planning import Pass, passes
from darkscan.pipeline.core.scan import LONGEST_NOTE, FrameFlag
from darkscan.pipeline.transport.messages import Arrived, Latched, Track
from darkscan.stages.acquisition._capture import FrameWriter, Loss
from darkscan.stages.acquisition._sweep import FlyCollector, LineCollector, Triggering
from tests.acquisition.fakes import FRAME, FakeBlock, FakeCustody, rig_of, scan_of

FLY = scan_of(rig_of("fly"))
LINE = scan_of(rig_of("line"))
SECOND = 1_000_000_000


def fly_pass(index: int) -> Pass:
    frames = {planned.meta.frame for planned in FLY.plan.frames}
    return passes(FLY.plan, FLY.rig, frames)[index]


def fly(
    the_pass: Pass,
    custody: FakeCustody,
    history: History | None = None,
    *,
    counts_triggers: bool = True,
    period_s: float = 0.0,
) -> FlyCollector:
    writer = FrameWriter(custody, FLY.plan, FLY.geometry, None)  # type: ignore[arg-type]
    triggering = Triggering(
        axis=0,
        exposure_us=20.0,
        uncertainty_um=2.0,
        tolerance_mm=0.2,
        counts_triggers=counts_triggers,
        period_s=period_s,
    )
    return FlyCollector(writer, the_pass, triggering, history)


def latched(the_pass: Pass, off_mm: float = 0.001, first: int = 0) -> Latched:
    compare = the_pass.compare
    assert compare is not None
    along = compare.first_mm + np.arange(compare.count) * compare.step_mm + off_mm
    places = np.column_stack([along, np.full((compare.count, 2), the_pass.start_mm[1:])])
    return Latched(order=1, first=first, positions_mm=places[first:])


@pytest.mark.parametrize("strip", [0, 1], ids=["up", "down"])
def test_frames_on_the_fly_lie_where_the_latches_say(strip: int) -> None:
    the_pass, custody = fly_pass(strip), FakeCustody(slots=20)
    collector = fly(the_pass, custody)
    for number in range(len(the_pass.frames)):
        collector.take(FakeBlock(number))
    assert not custody.captured
    collector.hear(latched(the_pass))
    assert collector.settled
    assert list(custody.captured) == list(the_pass.frames)
    for planned in FLY.plan.frames:
        if planned.meta.frame in custody.captured:
            meta = custody.captured[planned.meta.frame]
            assert meta.position_mm[0] == pytest.approx(planned.meta.position_mm[0] + 0.001)
            assert meta.uncertainty_um == 2.0


def test_latches_that_come_in_parts_place_what_they_can() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody)
    for number in range(len(the_pass.frames)):
        collector.take(FakeBlock(number))
    collector.hear(latched(the_pass, first=1))
    assert list(custody.captured) == list(the_pass.frames[1:])
    collector.finish()
    assert collector.losses[the_pass.frames[0]].flags == FrameFlag.UNPLACED
    assert custody.free == custody.slots


def test_a_skipped_number_is_a_frame_lost_and_shifts_none() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody)
    collector.take(FakeBlock(0))
    collector.take(FakeBlock(2, incomplete=1))
    collector.hear(latched(the_pass))
    collector.finish()
    assert list(custody.captured) == [the_pass.frames[0], the_pass.frames[2]]
    assert collector.losses[the_pass.frames[1]].flags == FrameFlag.INCOMPLETE
    assert collector.losses.keys() == set(the_pass.frames) - custody.captured.keys()


def test_a_trigger_that_took_no_frame_number_is_seen_by_the_counter() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody)
    collector.take(FakeBlock(0, counter=1))
    collector.take(FakeBlock(1, counter=3))  # the camera was busy for the second trigger
    collector.hear(latched(the_pass))
    assert list(custody.captured) == [the_pass.frames[0], the_pass.frames[2]]
    assert collector.losses.keys() == {the_pass.frames[1]}


def test_a_counter_that_does_not_count_triggers_is_not_believed() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody)
    collector.take(FakeBlock(0, counter=0))
    collector.take(FakeBlock(1, counter=0))
    collector.hear(latched(the_pass))
    assert list(custody.captured) == list(the_pass.frames[:2])


def test_without_a_counter_a_missed_trigger_is_seen_by_the_time_it_takes() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody, counts_triggers=False, period_s=0.1)
    collector.take(FakeBlock(0, timestamp_ns=SECOND))
    collector.take(FakeBlock(1, timestamp_ns=SECOND * 11 // 10))
    collector.take(FakeBlock(2, timestamp_ns=SECOND * 13 // 10))  # of the trigger after next
    collector.hear(latched(the_pass))
    assert list(custody.captured) == list(the_pass.frames[:2])
    assert collector.losses.keys() == set(the_pass.frames[2:])
    assert {loss.flags for loss in collector.losses.values()} == {FrameFlag.UNPLACED}
    assert collector.settled


def test_without_a_counter_skipped_numbers_are_not_missed_triggers() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody, counts_triggers=False, period_s=0.1)
    collector.take(FakeBlock(0, timestamp_ns=SECOND))
    collector.take(FakeBlock(2, timestamp_ns=SECOND * 12 // 10))
    collector.hear(latched(the_pass))
    assert list(custody.captured) == [the_pass.frames[0], the_pass.frames[2]]


def test_a_frame_without_room_is_lost_and_counted() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=1)
    collector = fly(the_pass, custody)
    collector.take(FakeBlock(0))
    collector.take(FakeBlock(1))
    assert collector.losses == {the_pass.frames[1]: collector.losses[the_pass.frames[1]]}
    assert collector.losses[the_pass.frames[1]].flags == FrameFlag.NO_ROOM


def test_a_place_far_from_its_trigger_is_not_believed() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    collector = fly(the_pass, custody)
    collector.take(FakeBlock(0))
    collector.hear(latched(the_pass, off_mm=0.5))
    assert not custody.captured
    loss = collector.losses[the_pass.frames[0]]
    assert loss.flags == FrameFlag.UNPLACED
    assert "+0.500 mm" in loss.note


def test_a_reason_that_is_too_long_ends_in_dots() -> None:
    custody = FakeCustody()
    writer = FrameWriter(custody, FLY.plan, FLY.geometry, None)  # type: ignore[arg-type]
    first, second = fly_pass(0).frames[:2]
    writer.lose(first, Loss(FrameFlag.NOT_TAKEN, "x" * (LONGEST_NOTE + 1)))
    writer.lose(second, Loss(FrameFlag.NOT_TAKEN, "x" * LONGEST_NOTE))
    notes = [meta.note for meta, _ in custody.lost.values()]
    assert notes == ["x" * (LONGEST_NOTE - 3) + "...", "x" * LONGEST_NOTE]


def test_time_stamps_are_placed_once_samples_enclose_them() -> None:
    the_pass, custody = fly_pass(0), FakeCustody(slots=20)
    compare = the_pass.compare
    assert compare is not None
    collector = fly(the_pass, custody, History(1.0))
    speed = 50.0  # mm/s
    start = compare.first_mm - 5.0
    collector.take(FakeBlock(0, timestamp_ns=round(SECOND * 5.0 / speed)))
    for k in range(12):
        assert not custody.captured
        t = 0.01 * k
        collector.hear(
            Track(
                times_ns=np.array([round(t * SECOND)]),
                positions_mm=np.array([[start + speed * t, *the_pass.start_mm[1:]]]),
            )
        )
        if t > 5.0 / speed:
            break
    meta = custody.captured[the_pass.frames[0]]
    # Half an exposure of 20 us on, at 50 mm/s.
    assert meta.position_mm[0] == pytest.approx(
        FLY.geometry.stage_to_element.element_at((compare.first_mm + 0.0005, 0.0))[0], abs=1e-4
    )
    assert meta.uncertainty_um >= 1.0


@pytest.mark.parametrize("index", [0, 1], ids=["rows ascending", "rows descending"])
def test_lines_make_frames_on_one_grid_whichever_way_the_axis_runs(index: int) -> None:
    custody, the_pass = FakeCustody(slots=20), _line_pass(index)
    collector = _line_collector(custody, the_pass)
    for block in _blocks(the_pass):
        collector.take(block)
    assert collector.settled
    assert custody.captured.keys() == set(the_pass.frames)
    for frame in the_pass.frames:
        planned = next(p for p in LINE.plan.frames if p.meta.frame == frame)
        column = custody.pixels[frame][:, 0].astype(int)
        expected = (planned.strip_row + np.arange(FRAME)) % 251
        np.testing.assert_array_equal(column, expected)
        got, wanted = custody.captured[frame].position_mm, planned.meta.position_mm
        assert got[:2] == pytest.approx(wanted[:2], abs=1e-6)


def test_lines_that_are_missing_cost_the_frames_they_belong_to_and_shift_none() -> None:
    custody, the_pass = FakeCustody(slots=20), _line_pass(0)
    collector = _line_collector(custody, the_pass)
    blocks = _blocks(the_pass)
    middle = len(blocks) // 2
    for block in blocks[:middle] + blocks[middle + 1 :]:
        collector.take(block)
    collector.finish()
    lost = set(collector.losses)
    assert lost
    assert custody.captured.keys() == set(the_pass.frames) - lost
    assert all(loss.flags == FrameFlag.INCOMPLETE for loss in collector.losses.values())
    assert all("64 lines missing" in loss.note for loss in collector.losses.values())
    for frame in custody.captured:
        planned = next(p for p in LINE.plan.frames if p.meta.frame == frame)
        assert custody.pixels[frame][0, 0] == planned.strip_row % 251
    assert custody.free == custody.slots


def test_lines_without_counts_have_no_place() -> None:
    custody, the_pass = FakeCustody(slots=20), _line_pass(0)
    collector = _line_collector(custody, the_pass)
    block = _blocks(the_pass)[0]
    block.encoder = None
    collector.take(block)
    collector.finish()
    assert not custody.captured
    assert collector.losses.keys() == set(the_pass.frames)
    assert all("without encoder counts" in loss.note for loss in collector.losses.values())


def test_a_block_without_counts_costs_its_own_frames_only() -> None:
    custody, the_pass = FakeCustody(slots=20), _line_pass(0)
    collector = _line_collector(custody, the_pass)
    blocks = _blocks(the_pass)
    blocks[len(blocks) // 2].encoder = None
    for block in blocks:
        collector.take(block)
    collector.finish()
    assert collector.losses
    assert custody.captured
    assert custody.captured.keys() | collector.losses.keys() == set(the_pass.frames)
    assert not custody.captured.keys() & collector.losses.keys()
    assert custody.free == custody.slots


@pytest.mark.parametrize("off", [-0.5, -0.49, 0.3, 0.49, 0.5], ids=lambda off: f"{off} lines")
def test_an_axis_that_rests_between_two_lines_loses_none(off: float) -> None:
    custody, the_pass = FakeCustody(slots=20), _line_pass(0)
    off_mm = off * LINE.plan.line_step_mm
    collector = _line_collector(custody, the_pass, off_mm=off_mm)
    jitter = np.random.default_rng(1)
    for block in _blocks(the_pass):
        assert block.encoder is not None
        block.encoder = block.encoder + jitter.integers(-1, 2, len(block.encoder))
        collector.take(block)
    assert custody.captured.keys() == set(the_pass.frames)
    step_um = 1000 * abs(LINE.plan.line_step_mm) / LINE.plan.encoder_divider
    for frame in the_pass.frames:
        planned = next(p for p in LINE.plan.frames if p.meta.frame == frame)
        got = custody.captured[frame].position_mm[0] - planned.meta.position_mm[0]
        row = (int(custody.pixels[frame][0, 0]) - planned.strip_row + 125) % 251 - 125
        along = got - row * abs(LINE.plan.line_step_mm)  # where that line really was
        assert 1000 * abs(along - off_mm) <= step_um + 1e-6


def _line_pass(index: int) -> Pass:
    frames = {planned.meta.frame for planned in LINE.plan.frames}
    return passes(LINE.plan, LINE.rig, frames)[index]


def _line_collector(custody: FakeCustody, the_pass: Pass, off_mm: float = 0.0) -> LineCollector:
    writer = FrameWriter(custody, LINE.plan, LINE.geometry, None)  # type: ignore[arg-type]
    step_um = LINE.rig.motion.encoder_step_um
    assert step_um is not None
    x, y, z = the_pass.start_mm
    zero = Arrived(order=1, position_mm=(x + off_mm, y, z), uncertainty_um=1.0)
    return LineCollector(writer, LINE.plan, the_pass, zero, encoder_step_mm=step_um / 1000)


def _blocks(the_pass: Pass) -> list[FakeBlock]:
    """What the camera delivers along a pass: each line's grey level tells its strip row."""
    plan, axis = LINE.plan, 0 if LINE.plan.axis == "x" else 1
    step_um = LINE.rig.motion.encoder_step_um
    assert step_um is not None
    first = next(p for p in plan.frames if p.meta.frame == the_pass.frames[0])
    origin = first.stage_mm[axis] - first.strip_row * plan.line_step_mm
    lines = int(abs(the_pass.end_mm - the_pass.start_mm[axis]) / abs(plan.line_step_mm))
    counts = the_pass.direction * plan.encoder_divider * np.arange(1, lines + 1)
    along = the_pass.start_mm[axis] + counts * step_um / 1000
    rows = np.rint((along - origin) / plan.line_step_mm).astype(int)
    levels = (rows % 251).astype(np.uint8)
    height = LINE.rig.camera.height
    return [
        FakeBlock(k, encoder=counts[k * height :][:height], lines=levels[k * height :][:height])
        for k in range(lines // height)
    ]
