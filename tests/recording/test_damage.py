"""Recordings that changed after they were recorded: what is wrong is lost or refused, by name.

Before there were checksums, each of these gave other pixels or places without a word.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import DamagedFrameError, Recording, verify_frames
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo
from tests.recording.samples import (
    FRAME_SHAPE,
    measured,
    picture,
    record_all,
    small_plan,
    small_scan,
    without_checksums,
)

FLIPS = 200
ROW_WRONG = "its row does not match its checksum"
PIXELS_WRONG = "its pixels do not match their checksum"
PIXELS_GONE = "its pixels are not in the file"


@dataclass(frozen=True)
class Seen:
    """All that a map could be made of; None for frames that are lost."""

    info: ScanInfo
    frames: list[tuple[FrameMeta, bytes] | None]
    warnings: tuple[str, ...]


def see(path: Path) -> Seen:
    """Reads all of a recording as a replay does. Raises InputError."""
    out: Pixels = np.empty(FRAME_SHAPE, np.uint8)
    frames: list[tuple[FrameMeta, bytes] | None] = []
    with Recording(path) as recording:
        for index, meta in enumerate(recording.frames):
            frame = None
            if meta.usable:
                try:
                    recording.read_into(index, out)
                    frame = meta, out.tobytes()
                except InputError as error:
                    assert "\n" not in str(error)
            frames.append(frame)
        return Seen(recording.info, frames, recording.warnings)


def flip(path: Path, place: int, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def places_of(path: Path, random: np.random.Generator) -> list[int]:
    """Half of them anywhere, half in what is not pixels: the tables and HDF5's bookkeeping."""
    with h5py.File(path, "r") as file:
        first = int(file["frames/pixels"].id.get_chunk_info(0).byte_offset)
        last = int(file["frames/pixels"].id.get_chunk_info(5).byte_offset)
    size = path.stat().st_size
    beside = np.r_[0:first, last + np.prod(FRAME_SHAPE) : size]
    anywhere = random.integers(0, size, FLIPS // 2)
    return [*anywhere.tolist(), *random.choice(beside, FLIPS // 2).tolist()]


@pytest.mark.slow
def test_a_flipped_byte_is_refused_or_lost_or_changes_nothing(
    recording_path: Path, tmp_path: Path
) -> None:
    sound, bytes_before = see(recording_path), recording_path.read_bytes()
    random = np.random.default_rng(2026)
    lost = refused = 0
    for place in places_of(recording_path, random):
        recording_path.write_bytes(bytes_before)
        flip(recording_path, place, int(random.integers(8)))
        try:
            seen = see(recording_path)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        assert (seen.info, seen.warnings) == (sound.info, sound.warnings), f"byte {place}"
        for frame, before in zip(seen.frames, sound.frames, strict=True):
            assert frame in {None, before}, f"byte {place}"
        lost += None in seen.frames
    assert refused > FLIPS // 20
    assert lost > FLIPS // 4


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_flipped_byte_in_a_frames_pixels_loses_that_frame_alone(
    recording_path: Path, place: str
) -> None:
    with h5py.File(recording_path, "r") as file:
        chunk = file["frames/pixels"].id.get_chunk_info(3)
    flip(recording_path, chunk.byte_offset + {"first": 0, "middle": 777, "last": -1}[place])
    if place == "last":  # the byte before it is the frame's before
        flip(recording_path, chunk.byte_offset - 1)
        flip(recording_path, chunk.byte_offset + chunk.size - 1)
    with Recording(recording_path) as recording:
        assert verify_frames(recording) == {3: PIXELS_WRONG}
        with pytest.raises(DamagedFrameError, match="frame 3: is damaged") as caught:
            recording.read_into(3, np.empty(FRAME_SHAPE, np.uint8))
    assert caught.value.reason == f"the recording is damaged ({PIXELS_WRONG})"


def test_a_frame_of_zeros_is_lost(recording_path: Path) -> None:
    with h5py.File(recording_path, "r+") as file:
        file["frames/pixels"][2] = 0
    with Recording(recording_path) as recording:
        assert verify_frames(recording) == {2: PIXELS_WRONG}


def test_pixels_of_another_frame_are_not_taken_for_it(recording_path: Path) -> None:
    with h5py.File(recording_path, "r+") as file:
        file["frames/pixels"][4] = picture(1)
    with Recording(recording_path) as recording:
        assert verify_frames(recording) == {4: PIXELS_WRONG}


ROWS: list[tuple[str, str, object, object]] = [
    ("a place 2 mm off", "position_mm", (4, 0), 4.72),
    ("a place that is no number", "position_mm", (4, 1), np.nan),
    ("another strip", "strip", 4, 0),
    ("another time", "exposure_ns", 4, 7),
    ("a negative time", "exposure_ns", 4, -7),
    ("another uncertainty", "uncertainty_um", 4, 3.0),
    ("a note", "note", 4, b"good"),
    ("called lost", "flags", 4, 1),
    ("the number of another frame", "id", 4, 2),
    ("a number that was not planned", "id", 4, 77),
    ("another checksum of its pixels", "pixels_crc32", 4, 12),
    ("another checksum of its row", "row_crc32", 4, 12),
    ("pixels elsewhere", "pixels_offset", 4, 2048),
]


@pytest.mark.parametrize(
    ("column", "where", "value"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_frame_whose_row_was_changed_is_lost_at_its_planned_place(
    recording_path: Path, column: str, where: object, value: object
) -> None:
    with h5py.File(recording_path, "r+") as file:
        file[f"frames/{column}"][where] = value
    with Recording(recording_path) as recording:
        assert recording.damaged_frames == {4: ROW_WRONG}
        frame = recording.frames[4]
        assert frame.position_mm == small_plan()[4].position_mm
        assert frame.flags == FrameFlag.LOST | FrameFlag.DAMAGED
        assert frame.problem == f"the recording is damaged ({ROW_WRONG})"
        assert recording.shortfall == (
            "recording is damaged: 5 of 6 frames are there, frame 4 is damaged"
        )
        others = [meta for meta in recording.frames if meta.frame != 4]
        assert others == [measured(meta) for meta in small_plan() if meta.frame != 4]


CHANGES: list[tuple[str, Callable[[h5py.File], object], str]] = [
    ("another pitch", lambda f: f["scan"].attrs.__setitem__("pitch_um", 11.0), "/scan: is damaged"),
    ("another name", lambda f: f["scan"].attrs.__setitem__("element", "optic 8"), "/scan: is dama"),
    ("a new attribute", lambda f: f["scan"].attrs.__setitem__("more", 1), "/scan: is damaged"),
    ("no source", lambda f: f["scan"].attrs.__delitem__("source"), "/scan: is damaged"),
    ("a place planned elsewhere", lambda f: f["plan/position_mm"].__setitem__((2, 0), 1.0), "/plan"),
    ("a strip planned otherwise", lambda f: f["plan/strip"].__setitem__(2, 1), "/plan: is damaged"),
    ("no checksum of the scan", lambda f: f["scan"].attrs.__delitem__("crc32"), "/scan: is damaged"),
    ("no checksums of rows", lambda f: f.__delitem__("frames/row_crc32"), "/frames/row_crc32"),
    ("no checksums of pixels", lambda f: f.__delitem__("frames/pixels_crc32"), "/frames/pixels_crc"),
    ("no notes", lambda f: f.__delitem__("frames/note"), "/frames/note: dataset is missing, though"),
]


@pytest.mark.parametrize(
    ("change", "problem"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_what_was_changed_of_scan_or_plan_is_named(
    recording_path: Path, change: Callable[[h5py.File], object], problem: str
) -> None:
    with h5py.File(recording_path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=problem):
        Recording(recording_path)


def test_a_recording_without_checksums_is_read_and_says_so(older_path: Path) -> None:
    with Recording(older_path) as recording:
        (warning,) = recording.warnings
        assert verify_frames(recording) == {}
        assert list(recording.frames) == [measured(meta) for meta in small_plan()]
    assert "holds no checksums" in warning


def saved_again(path: Path, **options: object) -> Path:
    """A recording as other tools copy it, with the pixels stored in another way."""
    copy = path.with_name("copy.h5")
    with h5py.File(path, "r") as source:
        with h5py.File(copy, "w") as target:
            target.attrs.update(source.attrs)
            for name in ("scan", "plan"):
                source.copy(name, target)
            for name in set(source["frames"]) - {"pixels"}:
                target.create_dataset(f"frames/{name}", data=source["frames"][name][()])
        with h5py.File(copy, "r+") as target:  # so that the pixels come last
            target.create_dataset("frames/pixels", data=source["frames/pixels"][()], **options)
    return copy


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "gzip"}, {"chunks": (2, 100, 90)}, {"fletcher32": True, "chunks": True}],
    ids=["in one piece", "packed", "in other chunks", "with HDF5's own checksums"],
)
@pytest.mark.parametrize("checked", [True, False], ids=["with checksums", "without"])
def test_a_recording_saved_again_by_other_tools_reads_the_same(
    recording_path: Path, options: dict[str, object], checked: bool
) -> None:
    before = see(recording_path)
    if not checked:
        without_checksums(recording_path)
    after = see(saved_again(recording_path, **options))
    assert (after.info, after.frames) == (before.info, before.frames)
    assert bool(after.warnings) != checked


@pytest.mark.parametrize("checked", [True, False], ids=["with checksums", "without"])
def test_pixels_in_one_piece_that_are_cut_short_are_lost_not_black(
    recording_path: Path, checked: bool
) -> None:
    if not checked:
        without_checksums(recording_path)
    copy = saved_again(recording_path)
    with h5py.File(copy, "r") as file:
        start = file["frames/pixels"].id.get_offset()
    os.truncate(copy, start + int(3.5 * np.prod(FRAME_SHAPE)))
    with Recording(copy) as recording:
        assert recording.damaged_frames == dict.fromkeys([3, 4, 5], PIXELS_GONE)
        assert verify_frames(recording) == recording.damaged_frames
        assert not recording.complete
        assert recording.shortfall.startswith("recording is cut short (")


@pytest.mark.parametrize("there", [0, 1, 4, 5])
def test_whole_frames_of_a_file_cut_short_are_read(recording_path: Path, there: int) -> None:
    with h5py.File(recording_path, "r") as file:
        end = file["frames/pixels"].id.get_chunk_info(there).byte_offset + 1000
    before = recording_path.read_bytes()[:end]
    os.truncate(recording_path, end)
    gone = list(range(there, 6))
    with Recording(recording_path) as recording:
        assert recording.damaged_frames == dict.fromkeys(gone, PIXELS_GONE)
        assert recording.frames[5].position_mm == measured(small_plan()[5]).position_mm
    seen = see(recording_path)
    assert [frame is None for frame in seen.frames] == [number in gone for number in range(6)]
    assert recording_path.read_bytes() == before


def test_a_zeroed_end_is_not_clean_glass(recording_path: Path) -> None:
    """A file system after a power cut: as long as it should be, and zeros where nothing came."""
    size = recording_path.stat().st_size
    with h5py.File(recording_path, "r") as file:
        end = file["frames/pixels"].id.get_chunk_info(4).byte_offset
    os.truncate(recording_path, end)
    os.truncate(recording_path, size)
    with Recording(recording_path) as recording:
        assert verify_frames(recording) == dict.fromkeys([4, 5], PIXELS_WRONG)


def test_a_torn_index_of_pixels_is_made_up_for(recording_path: Path) -> None:
    """HDF5's list of where the frames lie; as a power cut leaves it, half of one moment."""
    before = see(recording_path)
    with h5py.File(recording_path, "r") as file:
        offset = int(file["frames/pixels"].id.get_chunk_info(0).byte_offset)
        column = file["frames/pixels_offset"].id.get_offset()
    content = recording_path.read_bytes()
    entry = offset.to_bytes(8, "little")
    place = content.find(entry)
    while place == column:
        place = content.find(entry, place + 1)
    flip(recording_path, place, 3)
    with h5py.File(recording_path, "r") as file, pytest.raises((OSError, RuntimeError)):
        file["frames/pixels"][0]
    assert see(recording_path) == before


def test_one_that_changes_while_it_is_read_is_known_at_the_end(recording_path: Path) -> None:
    with Recording(recording_path) as recording:
        assert recording.changes() == ()
        recording.read_into(0, np.empty(FRAME_SHAPE, np.uint8))
        flip(recording_path, recording_path.stat().st_size - 1)  # pixels: each is checked
        assert recording.changes() == ()
        with h5py.File(record_all(recording_path.with_name("other.h5")), "r+") as file:
            file["frames/exposure_ns"][0] = 5
        os.replace(recording_path.with_name("other.h5"), recording_path)
        (warning,) = recording.changes()
    assert "was changed or replaced" in warning


def test_one_without_checksums_that_changes_while_it_is_read_is_refused(older_path: Path) -> None:
    with Recording(older_path) as recording:
        assert recording.changes() == ()
        flip(older_path, older_path.stat().st_size - 1)
        with pytest.raises(InputError, match="has changed since the run began"):
            recording.changes()


def replaced_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy.h5")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def overwritten(path: Path) -> None:
    other = record_all(path.with_name("other.h5"))
    with h5py.File(other, "r+") as file:
        file["frames/pixels_crc32"][0] = 5
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    "change",
    [
        replaced_by_a_copy,
        overwritten,
        lambda path: os.truncate(path, path.stat().st_size - 5),
        lambda path: os.truncate(path, path.stat().st_size + 5),
    ],
    ids=["replaced", "overwritten in place", "shorter", "longer"],
)
def test_a_recording_is_known_again(recording_path: Path, change: Callable[[Path], None]) -> None:
    with Recording(recording_path) as recording:
        identity = recording.identity
    Recording(recording_path, identity).close()
    change(recording_path)
    with pytest.raises(InputError, match=r"scan\.h5: has changed since the run began"):
        Recording(recording_path, identity)


def test_the_scans_description_is_what_was_recorded(recording_path: Path) -> None:
    assert see(recording_path).info == small_scan()
