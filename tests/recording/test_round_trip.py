"""What is recorded is read back the same, by darkscan and by any HDF5 tool."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import Recording, RecordingWriter, frame_overlap, save_recording
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag, PixelType
from tests.recording.samples import (
    FRAME_SHAPE,
    measured,
    picture,
    record_all,
    small_plan,
    small_scan,
)


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
def test_recording_gives_back_scan_frames_and_pixels(tmp_path: Path, pixel_type: PixelType) -> None:
    path = record_all(tmp_path / "scan.h5", pixel_type)
    out = np.empty(FRAME_SHAPE, pixel_type)
    with Recording(path) as recording:
        assert recording.info == small_scan(pixel_type)
        assert list(recording.frames) == [measured(meta) for meta in small_plan()]
        assert recording.complete
        assert (recording.missing, recording.shortfall) == (0, "")
        for index in (3, 0, 5, 5):
            recording.read_into(index, out)
            np.testing.assert_array_equal(out, picture(index, pixel_type))


def test_layout_is_readable_without_darkscan(recording_path: Path) -> None:
    with h5py.File(recording_path, "r") as file:
        assert file.attrs["format"] == "darkscan recording"
        assert file.attrs["format_version"] == 1
        pixels = file["frames/pixels"]
        assert (pixels.chunks, pixels.compression) == ((1, *FRAME_SHAPE), None)
        np.testing.assert_array_equal(pixels[4], picture(4))
        assert file["frames/position_mm"].attrs["units"] == "mm"
        assert file["scan"].attrs["pitch_um"] == 10.0
        assert file["scan"].attrs["element"] == "optic 7"
        assert file["scan"].attrs["pixel_to_stage_mm_per_px"].shape == (2, 2)
        np.testing.assert_array_equal(file["plan/id"][:], np.arange(6))


def test_same_scan_gives_same_bytes_at_another_time(tmp_path: Path) -> None:
    first = record_all(tmp_path / "first.h5")
    time.sleep(1.1)  # time stamps inside the file would count whole seconds
    assert first.read_bytes() == record_all(tmp_path / "second.h5").read_bytes()


def test_lost_frames_keep_their_row_but_have_no_pixels(tmp_path: Path) -> None:
    path, plan = tmp_path / "scan.h5", small_plan()
    with RecordingWriter(path, small_scan(), plan) as writer:
        for meta in plan:
            if meta.frame == 2:
                lost = measured(meta).model_copy(update={"flags": int(FrameFlag.LOST)})
                writer.write(lost, None)
            else:
                writer.write(measured(meta), picture(meta.frame))
    with Recording(path) as recording:
        assert recording.missing == 0
        assert recording.frames[2].flags == FrameFlag.LOST
        assert recording.frames[2].position_mm == measured(plan[2]).position_mm
        with pytest.raises(InputError, match="frame 2: has no pixels"):
            recording.read_into(2, np.empty(FRAME_SHAPE, np.uint8))


def test_a_frame_taken_again_replaces_the_first(tmp_path: Path) -> None:
    path, plan = tmp_path / "scan.h5", small_plan()
    with RecordingWriter(path, small_scan(), plan) as writer:
        writer.write(plan[3].model_copy(update={"flags": int(FrameFlag.LOST)}), None)
        for meta in plan:
            writer.write(plan[meta.frame], picture(5))
        for meta in plan:
            writer.write(measured(meta), picture(meta.frame))
    out = np.empty(FRAME_SHAPE, np.uint8)
    with Recording(path) as recording:
        for index, meta in enumerate(recording.frames):
            recording.read_into(index, out)
            np.testing.assert_array_equal(out, picture(index))
            assert meta == measured(plan[index])


def test_what_is_known_of_a_lost_frame_is_kept(tmp_path: Path) -> None:
    path, plan = tmp_path / "scan.h5", small_plan()
    lost = plan[1].model_copy(
        update={
            "flags": int(FrameFlag.LOST | FrameFlag.NOT_TAKEN),
            "note": "the operatör",
            "uncertainty_um": 0.5,
        }
    )
    with RecordingWriter(path, small_scan(), plan) as writer:
        writer.write(lost, None)
    with Recording(path) as recording:
        assert recording.frames[1] == lost


def test_recordings_without_uncertainty_and_notes_are_read_too(older_path: Path) -> None:
    with h5py.File(older_path, "r+") as file:
        del file["frames/uncertainty_um"], file["frames/note"]
    with Recording(older_path) as recording:
        assert recording.frames[0] == measured(small_plan()[0])


def test_frames_may_be_recorded_in_any_order(tmp_path: Path) -> None:
    path, plan = tmp_path / "scan.h5", small_plan()
    with RecordingWriter(path, small_scan(), plan) as writer:
        for meta in reversed(plan):
            writer.write(measured(meta), picture(meta.frame))
    out = np.empty(FRAME_SHAPE, np.uint8)
    with Recording(path) as recording:
        assert [meta.frame for meta in recording.frames] == list(range(6))
        recording.read_into(1, out)
    np.testing.assert_array_equal(out, picture(1))


def test_scan_that_ended_early_says_which_frames_are_missing(tmp_path: Path) -> None:
    path, plan = tmp_path / "scan.h5", small_plan()
    with RecordingWriter(path, small_scan(), plan) as writer:
        for meta in (plan[0], plan[2]):
            writer.write(meta, picture(meta.frame))
    with Recording(path) as recording:
        assert recording.complete
        assert recording.missing_frames == [1, 3, 4, 5]
        assert recording.shortfall == (
            "recording ended early: 2 of 6 frames are there, frames 1, 3-5 are missing"
        )
        assert recording.frames[4].position_mm == plan[4].position_mm
        assert recording.frames[4].flags == FrameFlag.LOST | FrameFlag.MISSING


def test_file_recompressed_with_other_tools_reads_the_same(
    recording_path: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "packed.h5"
    with h5py.File(recording_path, "r") as source, h5py.File(packed, "w") as target:
        target.attrs.update(source.attrs)
        for name in ("scan", "plan"):
            source.copy(name, target)
        for name, dataset in source["frames"].items():
            options = {"compression": "gzip"} if name == "pixels" else {}
            target.create_dataset(f"frames/{name}", data=dataset[()], **options)
    out = np.empty(FRAME_SHAPE, np.uint8)
    with Recording(packed) as recording:
        assert recording.missing == 0
        recording.read_into(3, out)
    np.testing.assert_array_equal(out, picture(3))


def test_any_source_of_frames_can_be_saved(recording_path: Path, tmp_path: Path) -> None:
    done: list[int] = []
    out = np.empty(FRAME_SHAPE, np.uint8)
    with Recording(recording_path) as recording:
        save_recording(tmp_path / "copy.h5", recording, on_frame=done.append)
        with Recording(tmp_path / "copy.h5") as copy:
            assert list(copy.frames) == list(recording.frames)
            copy.read_into(5, out)
    assert done == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(out, picture(5))


def test_overlap_is_the_least_between_neighbours() -> None:
    overlap = frame_overlap(small_scan(), small_plan())
    assert overlap.within_strips_px == pytest.approx(128, abs=0.01)
    assert overlap.between_strips_px == pytest.approx(128, abs=0.01)


def test_overlap_of_one_frame_is_unknown() -> None:
    overlap = frame_overlap(small_scan(), small_plan(1))
    assert (overlap.within_strips_px, overlap.between_strips_px) == (None, None)


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
@pytest.mark.parametrize(("top", "rows"), [(0, 300), (0, 1), (17, 64), (299, 1), (5, 0)])
def test_some_rows_of_a_frame_are_read_alone(
    tmp_path: Path, pixel_type: PixelType, top: int, rows: int
) -> None:
    path = record_all(tmp_path / "scan.h5", pixel_type)
    out = np.empty((rows, FRAME_SHAPE[1]), pixel_type)
    with Recording(path) as recording:
        recording.read_rows(4, top, out)
    np.testing.assert_array_equal(out, picture(4, pixel_type)[top : top + rows])


@pytest.mark.parametrize(
    ("top", "shape", "dtype"),
    [(-1, (2, 400), "uint8"), (299, (2, 400), "uint8"), (0, (2, 399), "uint8")],
    ids=["above the frame", "beyond its last row", "narrower than the frame"],
)
def test_rows_that_a_frame_has_not_are_refused(
    recording_path: Path, top: int, shape: tuple[int, int], dtype: str
) -> None:
    with Recording(recording_path) as recording, pytest.raises(ValueError, match="rows"):
        recording.read_rows(0, top, np.empty(shape, dtype))
