"""Frames out of the ring, and out of a recording."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.recording import RecordingWriter
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Captured
from darkscan.pipeline.transport.ring import FrameRing
from darkscan.stages.uplink.pixels import RecordedPixels, RingPixels, recorded_pixels
from tests.builders import frame_meta, scan_info

SHAPE = (8, 6)


@pytest.fixture
def ring(tmp_path: Path) -> FrameRing:
    ring = FrameRing.create(tmp_path / "ring", 3, SHAPE, np.uint8, margin=2)
    ring.begin_session()
    return ring


def captured(ring: FrameRing, slot: int, frame: int) -> Captured:
    """A frame whose pixels are all its own number."""
    pixels, ref = ring.lease(slot, FrameId(frame))
    pixels[...] = frame
    return Captured(ref=ref, meta=frame_meta(frame), stamps=())


def test_a_frame_is_copied_and_given_once_though_its_slot_is_anothers_by_then(
    ring: FrameRing,
) -> None:
    pixels_of = RingPixels(ring.path)
    pixels_of.take(captured(ring, 0, 5))
    ring.release(0)
    captured(ring, 0, 6)
    pixels = pixels_of(frame_meta(5))
    assert pixels is not None
    assert pixels.shape == SHAPE
    assert (pixels == 5).all()
    assert pixels_of(frame_meta(5)) is None


def test_a_frame_that_has_left_the_ring_is_missed(ring: FrameRing) -> None:
    pixels_of = RingPixels(ring.path)
    message = captured(ring, 1, 7)
    ring.release(1)
    pixels_of.take(message)
    assert pixels_of(frame_meta(7)) is None


def test_a_frame_that_was_sent_again_meanwhile_is_taken(ring: FrameRing) -> None:
    pixels_of = RingPixels(ring.path)
    message = captured(ring, 1, 7)
    ring.resend(1)
    pixels_of.take(message)
    assert pixels_of(frame_meta(7)) is not None


def test_frames_that_nobody_asks_for_make_room(ring: FrameRing) -> None:
    pixels_of = RingPixels(ring.path)
    for frame in range(20):
        pixels_of.take(captured(ring, 0, frame))
        ring.release(0)
    kept = [frame for frame in range(20) if pixels_of(frame_meta(frame)) is not None]
    assert kept == list(range(14, 20))


def test_a_recording_gives_what_it_has(tmp_path: Path) -> None:
    info = scan_info((512, 512), frames=2)
    plan = [frame_meta(0), frame_meta(1, 4.0)]
    with RecordingWriter(tmp_path / "scan.h5", info, plan) as writer:
        writer.write(plan[0], np.full((512, 512), 3, np.uint8))
    pixels_of = RecordedPixels(tmp_path / "scan.h5")
    first = pixels_of(plan[0])
    assert first is not None
    assert (first == 3).all()
    assert pixels_of(plan[1]) is None
    assert pixels_of(frame_meta(9)) is None
    pixels_of.close()


def test_without_a_recording_nothing_is_to_be_had(tmp_path: Path) -> None:
    assert recorded_pixels(None)(frame_meta(0)) is None
    (tmp_path / "none.h5").write_text("no recording")
    assert recorded_pixels(tmp_path / "none.h5")(frame_meta(0)) is None
    with pytest.raises(InputError):
        RecordedPixels(tmp_path / "none.h5")
