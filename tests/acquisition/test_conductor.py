"""The conductor: every planned frame is taken once or accounted for, and nothing keeps moving."""

import pytest

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Halt, MotionStopped, Move, Pause
from darkscan.stages.acquisition._conductor import Interrupted, ScanEnded
from tests.acquisition.fakes import FakeAxes, FakeCamera, Stand, rig_of, scan_of

SCAN = scan_of(rig_of("area"))
FRAMES = {planned.meta.frame for planned in SCAN.plan.frames}


def test_every_planned_frame_is_taken_where_the_axes_were_read_back() -> None:
    stand = Stand(SCAN)
    assert stand.run() == ""
    assert stand.custody.captured.keys() == FRAMES
    assert not stand.custody.lost
    assert stand.custody.free == stand.custody.slots
    for planned in SCAN.plan.frames:
        meta = stand.custody.captured[planned.meta.frame]
        off = meta.position_mm[0] - planned.meta.position_mm[0]
        assert off == pytest.approx(stand.axes.off_by_mm)
        assert meta.uncertainty_um == 1.5


def test_after_the_scan_the_axes_are_halted_and_the_camera_is_at_rest() -> None:
    stand = Stand(SCAN)
    stand.run()
    assert isinstance(stand.axes.orders[-1], Halt)
    assert not stand.camera.armed


def test_a_frame_lost_once_is_taken_again_at_the_end() -> None:
    stand = Stand(SCAN, rescans=1, camera=FakeCamera(lose={2}))
    assert stand.run() == ""
    assert stand.custody.captured.keys() == FRAMES
    assert list(stand.custody.captured)[-1] == 2
    assert set(stand.conductor.losses) == {2}
    assert not stand.conductor.given_up


def test_a_frame_lost_for_good_is_located_and_says_why() -> None:
    stand = Stand(SCAN, rescans=1, camera=FakeCamera(lose={2, len(FRAMES)}))
    assert stand.run() == ""
    meta, reason = stand.custody.lost[FrameId(2)]
    assert meta.position_mm == SCAN.plan.frames[2].meta.position_mm
    assert FrameFlag(meta.flags) == FrameFlag.LOST
    assert "never came" in reason
    assert stand.custody.captured.keys() == FRAMES - {2}


def test_a_frame_that_comes_too_late_is_not_taken_for_the_next_place() -> None:
    stand = Stand(SCAN, camera=FakeCamera(lose={1}))
    late = stand.camera.trigger

    def trigger() -> None:
        late()
        if stand.camera.triggers == 3:  # the lost one comes just before the third
            stand.camera.blocks.insert(0, type(stand.camera.blocks[0])(number=-1, value=99))

    stand.camera.trigger = trigger  # type: ignore[method-assign]
    stand.run()
    assert set(stand.custody.lost) == {1}
    assert all(pixels[0, 0] != 99 for pixels in stand.custody.pixels.values())


def test_limits_are_checked_before_anything_moves() -> None:
    stand = Stand(SCAN, axes=FakeAxes(limits=(0.0, 101.0)))
    with pytest.raises(InputError, match=r"rig\.toml: motion\.x: .*soft limits are 0\.000 to 101"):
        stand.run()
    assert not any(isinstance(order, Move) for order in stand.axes.orders)


def test_a_camera_that_comes_back_goes_on_where_it_was() -> None:
    stand = Stand(SCAN, camera=FakeCamera(gone_at=3, away_for=1))
    assert stand.run() == ""
    assert stand.custody.captured.keys() == FRAMES
    assert stand.conductor.interruptions == ["camera gone"]


def test_a_camera_that_stays_away_ends_the_scan_and_the_rest_is_listed() -> None:
    rig = rig_of("area", camera={"reconnect_s": 0.0})
    stand = Stand(scan_of(rig), camera=FakeCamera(gone_at=3, away_for=1000))
    assert stand.run() == "camera gone"
    assert stand.custody.captured.keys() == {0, 1, 2}
    assert stand.custody.lost.keys() == FRAMES - {0, 1, 2}
    assert all("not taken" in reason for _, reason in stand.custody.lost.values())
    assert isinstance(stand.axes.orders[-1], Halt)


def test_a_motion_unit_that_comes_back_goes_on_where_it_was() -> None:
    stand = Stand(SCAN)
    wait = next(stand.script)
    while len(stand.custody.captured) < 3:
        wait = stand.step(wait)
    wait = stand.script.throw(Interrupted("no answer", camera=False))
    assert stand.conductor.doing == "waiting: no answer"
    while True:
        try:
            wait = stand.step(wait)
        except StopIteration:
            break
    assert stand.custody.captured.keys() == FRAMES


def test_an_axis_fault_ends_the_scan() -> None:
    stand = Stand(SCAN)
    next(stand.script)
    with pytest.raises(ScanEnded, match="limit switch"):
        stand.conductor.hear(MotionStopped(reason="x: limit switch", gone=False))


def test_a_held_scan_takes_nothing_until_it_may_go_on() -> None:
    stand = Stand(SCAN)
    stand.conductor.hear(Pause(hold=True))
    with pytest.raises(TimeoutError, match="held: strip 1"):
        stand.run(seconds=0.2)
    assert not stand.custody.captured
    stand.conductor.hear(Pause(hold=False))
