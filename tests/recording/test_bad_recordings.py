"""Files that are no sound recordings: one line that names the file and what is wrong in it."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import Recording, RecordingWriter, atomically, save_recording
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag
from tests.recording.samples import (
    FRAME_SHAPE,
    measured,
    picture,
    record_all,
    small_plan,
    small_scan,
    without_checksums,
)

Damage = Callable[[h5py.File], object]


def replace(name: str, values: object) -> Damage:
    def damage(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return damage


def put(name: str, where: object, value: object) -> Damage:
    return lambda file: file[name].__setitem__(where, value)


def attribute(group: str, name: str, value: object) -> Damage:
    return lambda file: file[group].attrs.__setitem__(name, value)


def no_attribute(name: str) -> Damage:
    return lambda file: file["scan"].attrs.__delitem__(name)


def remove(name: str) -> Damage:
    return lambda file: file.__delitem__(name)


BAD: list[tuple[str, Damage, str]] = [
    ("another format", attribute("/", "format", "zarr"), "format: is not a darkscan recording"),
    ("a later version", attribute("/", "format_version", 2), "format_version: is 2"),
    ("no scan", remove("scan"), "/scan: group is missing"),
    ("no pitch", no_attribute("pitch_um"), "pitch_um: attribute is missing"),
    ("no frame size", no_attribute("frame_shape_px"), "frame_shape_px: attribute is missing"),
    ("negative pitch", attribute("scan", "pitch_um", -1.0), "pitch_um: input should be greater"),
    ("pitch is NaN", attribute("scan", "pitch_um", np.nan), "pitch_um: .*(is nan)"),
    ("pitch is a word", attribute("scan", "pitch_um", "ten"), "pitch_um: "),
    (
        "a matrix of three",
        attribute("scan", "pixel_to_stage_mm_per_px", [1.0, 2.0, 3.0]),
        "pixel_to_stage_mm_per_px: must be a 2x2 matrix",
    ),
    (
        "a matrix of words",
        attribute("scan", "pixel_to_stage_mm_per_px", "unknown"),
        "pixel_to_stage_mm_per_px: must be a 2x2 matrix",
    ),
    (
        "a matrix of zeros",
        attribute("scan", "pixel_to_stage_mm_per_px", np.zeros((2, 2))),
        "pixel_to_stage_mm_per_px: gives pixels no area",
    ),
    ("a pixel type of its own", attribute("scan", "pixel_type", "float32"), "pixel_type: "),
    ("bits that do not fit", attribute("scan", "bit_depth_bits", 12), "bit_depth 12 does not fit"),
    ("no plan", remove("plan"), "/plan/id: dataset is missing"),
    ("a plan too short", replace("plan/id", np.arange(5)), "frames_planned: is 6, but /plan"),
    ("a frame planned twice", put("plan/id", 3, 2), "/plan/id: frame 2 stands there more than"),
    ("planned at NaN", put("plan/position_mm", (1, 0), np.nan), "/plan/position_mm: frame 1"),
    ("no positions", remove("frames/position_mm"), "/frames/position_mm: dataset is missing"),
    (
        "NaN position",
        put("frames/position_mm", (4, 1), np.nan),
        r"/frames/position_mm: frame 4 \(row 4\)",
    ),
    (
        "positions of x and y only",
        replace("frames/position_mm", np.zeros((6, 2))),
        r"/frames/position_mm: has shape \(6, 2\)",
    ),
    ("fractional ids", replace("frames/id", np.arange(6.0)), "/frames/id: holds float64"),
    ("a frame twice", put("frames/id", 3, 2), "/frames/id: frame 2 stands there more than once"),
    ("a frame not planned", put("frames/id", 3, 77), "/frames/id: frame 77 is not in /plan"),
    ("negative time", put("frames/exposure_ns", 1, -5), "/frames/exposure_ns: frame 1"),
    ("no pixels", remove("frames/pixels"), "/frames/pixels: dataset is missing"),
    (
        "pixels of float",
        replace("frames/pixels", np.zeros((6, *FRAME_SHAPE), np.float32)),
        "/frames/pixels: holds pixels of float32, the scan is stated to be uint8",
    ),
    (
        "pixels of int32",
        replace("frames/pixels", np.zeros((6, *FRAME_SHAPE), np.int32)),
        "/frames/pixels: holds pixels of int32",
    ),
    (
        "frames of another size",
        replace("frames/pixels", np.zeros((6, 300, 300), np.uint8)),
        "/frames/pixels: has shape 6x300x300, not a row of frames 300 high and 400 wide",
    ),
    (
        "colour frames",
        replace("frames/pixels", np.zeros((6, 300, 400, 3), np.uint8)),
        "/frames/pixels: has shape",
    ),
    (
        "a single picture",
        replace("frames/pixels", np.zeros(FRAME_SHAPE, np.uint8)),
        "/frames/pixels: has shape",
    ),
    (
        "a folder for pixels",
        lambda file: (file.__delitem__("frames/pixels"), file.create_group("frames/pixels")),
        "/frames/pixels: dataset is missing",
    ),
]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [case[1:] for case in BAD],
    ids=[case[0] for case in BAD],
)
def test_unsound_recording_without_checksums_is_refused_in_one_line(
    older_path: Path, damage: Damage, problem: str
) -> None:
    with h5py.File(older_path, "r+") as file:
        damage(file)
    with pytest.raises(InputError, match=problem) as caught:
        Recording(older_path)
    assert caught.value.file == str(older_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["id", "position_mm", "flags", "pixels"])
def test_columns_that_disagree_count_whole_frames_only(recording_path: Path, name: str) -> None:
    with h5py.File(recording_path, "r+") as file:
        shorter = file[f"frames/{name}"][:4]
        del file[f"frames/{name}"]
        file[f"frames/{name}"] = shorter
    with Recording(recording_path) as recording:
        assert {*recording.missing_frames, *recording.damaged_frames} == {4, 5}


def test_frame_whose_pixels_were_never_written_is_missing(tmp_path: Path) -> None:
    path, plan = tmp_path / "scan.h5", small_plan()
    with RecordingWriter(path, small_scan(), plan) as writer:
        for meta in plan:
            lost = meta.model_copy(update={"flags": int(FrameFlag.LOST)})
            writer.write(lost if meta.frame == 3 else meta, None if meta.frame == 3 else picture(0))
    with h5py.File(without_checksums(path), "r+") as file:
        file["frames/flags"][3] = 0
    with Recording(path) as recording:
        assert recording.damaged_frames == {3: "its pixels are not in the file"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a recording: empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n", "is cut short"),
        (b"\x89HDF\r\n\x1a\n" + b"\xff" * 500, "is cut short|is damaged"),
    ],
    ids=["empty", "a picture", "eight bytes", "noise behind the signature"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "scan.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem):
        Recording(path)


def test_absent_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Recording(tmp_path / "scan.h5")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Recording(tmp_path)


def test_flipped_bytes_in_the_bookkeeping_never_give_a_traceback(recording_path: Path) -> None:
    sound = recording_path.read_bytes()
    random = np.random.default_rng(5)
    out = np.empty(FRAME_SHAPE, np.uint8)
    for _ in range(150):
        damaged = bytearray(sound)
        damaged[random.integers(12, 8000)] ^= 1 << random.integers(8)
        recording_path.write_bytes(damaged)
        with contextlib.suppress(InputError), Recording(recording_path) as recording:
            recording.read_into(0, out)


def test_writer_refuses_an_existing_file(recording_path: Path) -> None:
    before = recording_path.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        RecordingWriter(recording_path, small_scan(), small_plan())
    assert recording_path.read_bytes() == before


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((300, 300), np.uint8), np.zeros(FRAME_SHAPE, np.uint16)],
    ids=["another size", "another type"],
)
def test_writer_refuses_frames_unlike_the_others(
    tmp_path: Path, pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]]
) -> None:
    plan = small_plan()
    with RecordingWriter(tmp_path / "scan.h5", small_scan(), plan) as writer:
        writer.write(plan[0], picture(0))
        with pytest.raises(InputError, match=r"frame 1: is 300x300|frame 1: is 400x300 .*uint16"):
            writer.write(plan[1], pixels)


def test_writer_refuses_frames_outside_the_plan(tmp_path: Path) -> None:
    plan = small_plan()
    with RecordingWriter(tmp_path / "scan.h5", small_scan(), plan) as writer:
        writer.write(measured(plan[0]), picture(0))
        with pytest.raises(ValueError, match="not planned"):
            writer.write(small_plan(7)[6], picture(0))
        with pytest.raises(ValueError, match="lost frames have no pixels"):
            writer.write(plan[1], None)


def test_writer_wants_a_plan_of_distinct_frames(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="6 distinct frames"):
        RecordingWriter(tmp_path / "scan.h5", small_scan(), small_plan(5))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [KeyboardInterrupt, InputError("no")], ids=["Ctrl-C", "error"])
def test_interrupted_saving_leaves_nothing_new(
    tmp_path: Path, failure: type[BaseException] | BaseException
) -> None:
    source = record_all(tmp_path / "source.h5")
    kept = tmp_path / "scan.h5"
    kept.write_bytes(b"what was there before")

    def fail(done: int) -> None:
        if done == 3:
            raise failure

    with Recording(source) as recording, pytest.raises((KeyboardInterrupt, InputError)):
        save_recording(kept, recording, replace=True, on_frame=fail)
    assert kept.read_bytes() == b"what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.h5", "source.h5"]


def test_leftover_of_a_killed_saving_is_replaced(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    leftover = tmp_path / f".scan.h5.{killed.pid}.part"
    leftover.write_bytes(b"half a file")
    with Recording(record_all(tmp_path / "source.h5")) as recording:
        save_recording(tmp_path / "scan.h5", recording)
    Recording(tmp_path / "scan.h5").close()
    assert not leftover.exists()


def test_saving_does_not_overwrite_unasked(tmp_path: Path) -> None:
    (tmp_path / "scan.h5").touch()
    with (
        pytest.raises(InputError, match="exists already"),
        atomically(tmp_path / "scan.h5"),
    ):
        pass
    with pytest.raises(InputError, match="is a folder"), atomically(tmp_path, replace=True):
        pass
    with (
        pytest.raises(InputError, match="nowhere: is no folder to write into"),
        atomically(tmp_path / "nowhere" / "scan.h5"),
    ):
        pass
