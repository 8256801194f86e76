"""What gets lost, and where it shows."""

import numpy as np
import pytest

from darkscan.simulation.rig._shared import SharedRig
from tests.simulated_camera.cameras import (
    AREA,
    LINE,
    TELLING_NS,
    Bench,
    Camera,
    area_look,
    drive,
    line_look,
    wait_until,
)

GREY = np.full((800, 300), 9 * 256, np.uint16)


@pytest.fixture
def rig(bench: Bench) -> SharedRig:
    return bench.rig(area_look(128), GREY)


@pytest.fixture
def camera(bench: Bench, rig: SharedRig) -> Camera:
    return bench.open(AREA).set(TriggerMode="On", TriggerSource="Line0")


def fire(rig: SharedRig, count: int) -> None:
    for n in range(count):
        rig.trigger(n, (0.0, 0.0, 0.0))


def test_dropped_frames_take_a_number_and_never_come(camera: Camera, rig: SharedRig) -> None:
    with camera.acquiring():
        fire(rig, 1)
        assert camera.fetch().number == 0
        rig.faults.drop(2)
        fire(rig, 4)
        assert [shot.number for shot in camera.fetch_all(2)] == [3, 4]
        assert camera.stream.num_underrun == 0
    assert rig.counters.frames == 5


def test_incomplete_buffers_are_discarded_by_harvesters_which_says_so(
    camera: Camera, rig: SharedRig
) -> None:
    with camera.acquiring():
        rig.faults.incomplete(2)
        fire(rig, 3)
        assert camera.fetch().number == 2
    assert len(camera.incomplete) == 2


def test_frames_that_find_no_buffer_are_underruns(camera: Camera, rig: SharedRig) -> None:
    with camera.acquiring(buffers=4):
        fire(rig, 10)
        wait_until(lambda: rig.counters.frames == 10)
        assert [shot.number for shot in camera.fetch_all(4)] == [0, 1, 2, 3]
        lost = camera.stream.num_underrun
        assert lost == rig.counters.underruns == camera.stream.node_map.StreamLostFrameCount.value
        fire(rig, 1)
        assert camera.fetch().number == 10
    assert lost == 6


def test_a_block_that_finds_no_buffer_is_lost_whole(bench: Bench) -> None:
    rig = bench.rig(line_look(256), GREY)
    camera = bench.open(LINE).set(Height=50, TriggerMode="On", TriggerSource="Encoder0")
    camera.set(EncoderDivider=10).enable_chunks()
    rig.move(0, (0.0, 0.0, 0.0))
    camera.nodes.EncoderReset.execute()
    with camera.acquiring(buffers=2):
        end = drive(rig, 0.0, 2.005, start_ns=TELLING_NS, tellings=20)  # blocks 0 to 3
        wait_until(lambda: rig.counters.lines == 200)
        assert [shot.number for shot in camera.fetch_all(2)] == [0, 1]
        drive(rig, 2.005, 2.505, start_ns=end + TELLING_NS, tellings=5)
        shot, counts, _ = camera.fetch_lines()
        assert (shot.number, counts[0]) == (4, 2010)
        assert camera.stream.num_underrun == 2


@pytest.mark.parametrize("acquiring", [False, True], ids=["idle", "acquiring"])
def test_an_unplugged_camera_fails_and_can_be_opened_anew_when_it_is_back(
    bench: Bench, camera: Camera, rig: SharedRig, acquiring: bool
) -> None:
    if acquiring:
        camera.acquirer.num_buffers = 4
        camera.acquirer.start()
        fire(rig, 1)
        camera.fetch()
    rig.faults.unplug()
    with pytest.raises(Exception, match="gone"):
        camera.nodes.Width.value  # noqa: B018 - the read is the test
    if acquiring:
        with pytest.raises(Exception, match="gone"):
            camera.fetch()
        with pytest.raises(Exception, match="gone"):
            camera.acquirer.stop()  # what harvesters makes of it; destroy cleans up
    camera.acquirer.destroy()
    bench.harvester.update()
    assert bench.serials == []

    rig.faults.plug()
    bench.harvester.update()
    assert bench.serials == [AREA]
    again = bench.open(AREA).set(TriggerMode="On", TriggerSource="Line0")
    with again.acquiring():
        fire(rig, 1)
        assert again.fetch().number == 0


def test_a_camera_that_was_plugged_in_again_has_to_be_opened_again(
    camera: Camera, rig: SharedRig
) -> None:
    rig.faults.unplug()
    rig.faults.plug()
    with pytest.raises(Exception, match="gone"):
        camera.nodes.Width.value  # noqa: B018 - the read is the test


def test_a_camera_is_open_once(bench: Bench, camera: Camera) -> None:
    with pytest.raises(Exception, match=r"(?i)already|in use|no device"):
        bench.open(AREA)
