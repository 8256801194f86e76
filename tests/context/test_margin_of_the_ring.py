"""A ring with a margin: the frame lies within, and what is around it can be filled and seen."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.drivers.recording import Recording, RecordingWriter
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.ring import FrameRing, StaleReferenceError, ring_bytes
from tests.builders import frame_meta, scan_info

SHAPE = (96, 128)
MARGIN = 64


def ring_with(margin: int, folder: Path) -> FrameRing:
    ring = FrameRing.create(folder / "ring", 3, SHAPE, np.uint16, margin=margin)
    ring.begin_session()
    return ring


def counted() -> Pixels:
    return np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint16).reshape(SHAPE)


def test_a_frame_lies_within_its_margin(tmp_path: Path) -> None:
    ring = ring_with(MARGIN, tmp_path)
    pixels, ref = ring.lease(1, FrameId(7))
    ring.to_surround(ref)[...] = 9
    pixels[...] = counted()
    other = FrameRing.attach(ring.path)
    assert other.margin == MARGIN
    np.testing.assert_array_equal(other.view(ref), counted())
    np.testing.assert_array_equal(other.peek(ref), counted())
    around = other.surrounded(ref)
    assert around.flags.c_contiguous
    assert not around.flags.writeable
    np.testing.assert_array_equal(around, np.pad(counted(), MARGIN, constant_values=9))


def test_without_a_margin_a_frame_is_all_there_is(tmp_path: Path) -> None:
    ring = ring_with(0, tmp_path)
    pixels, ref = ring.lease(1, FrameId(7))
    pixels[...] = counted()
    assert ring.margin == 0
    assert ring.view(ref).flags.c_contiguous
    np.testing.assert_array_equal(ring.surrounded(ref), ring.view(ref))
    assert ring.path.stat().st_size == ring_bytes(3, SHAPE, 2)


def test_margins_of_neighbouring_slots_do_not_touch(tmp_path: Path) -> None:
    ring = ring_with(MARGIN, tmp_path)
    refs = [ring.lease(slot, FrameId(slot))[1] for slot in range(3)]
    for value, ref in enumerate(refs):
        ring.to_surround(ref)[...] = value
    assert [int(ring.surrounded(ref).max()) for ref in refs] == [0, 1, 2]
    assert [int(ring.surrounded(ref).min()) for ref in refs] == [0, 1, 2]
    assert ring.path.stat().st_size == ring_bytes(3, SHAPE, 2, MARGIN)


def test_what_surrounds_a_frame_is_stale_with_it(tmp_path: Path) -> None:
    ring = ring_with(MARGIN, tmp_path)
    _, ref = ring.lease(0, FrameId(1))
    ring.release(0)
    with pytest.raises(StaleReferenceError):
        ring.surrounded(ref)
    with pytest.raises(StaleReferenceError):
        ring.to_surround(ref)


def test_a_margin_too_wide_for_the_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"inspection\.context_px: .* 128x96 px, is 96"):
        ring_with(96, tmp_path)
    assert not (tmp_path / "ring").exists()


def test_opencv_writes_into_a_frame_within_its_margin(tmp_path: Path) -> None:
    pixels, _ = ring_with(MARGIN, tmp_path).lease(0, FrameId(1))
    pixels[...] = counted()
    cv2.add(pixels[10:20], np.ones((10, SHAPE[1])), dst=pixels[10:20], dtype=cv2.CV_16U)
    assert (pixels[10:20] == counted()[10:20] + 1).all()
    assert (pixels[20:] == counted()[20:]).all()


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
@pytest.mark.parametrize("band_bytes", [1000, 1 << 20], ids=["many bands", "one band"])
def test_a_recording_is_written_from_the_ring_and_read_into_it(
    pixel_type: str, band_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.drivers.recording._pixels._BAND_BYTES", band_bytes)
    info = scan_info(SHAPE, 2, "uint8" if pixel_type == "uint8" else "uint16")
    ring = FrameRing.create(tmp_path / "ring", 2, SHAPE, info.dtype, margin=MARGIN)
    ring.begin_session()
    source, ref = ring.lease(0, FrameId(0))
    source[...] = counted().astype(info.dtype)
    plan = [frame_meta(0), frame_meta(1)]
    with RecordingWriter(tmp_path / "scan.h5", info, plan) as writer:
        writer.write(plan[0], ring.peek(ref))
    target, other = ring.lease(1, FrameId(1))
    ring.to_surround(other)[...] = 3
    with Recording(tmp_path / "scan.h5") as recording:
        recording.read_into(0, target)
    np.testing.assert_array_equal(
        ring.surrounded(other), np.pad(ring.view(ref), MARGIN, constant_values=3)
    )
