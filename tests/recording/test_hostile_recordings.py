"""Recordings made to mislead: values in other files, sizes that nothing stands behind.

Before, such a file could show any other file of the user as an image, or made the reader wait
or take all memory.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.errors import InputError
from tests.recording.samples import FRAME_SHAPE

DATASETS = [
    "frames/pixels",
    "frames/id",
    "frames/strip",
    "frames/position_mm",
    "frames/exposure_ns",
    "frames/flags",
    "frames/uncertainty_um",
    "frames/note",
    "frames/row_crc32",
    "plan/id",
    "plan/strip",
    "plan/position_mm",
]
WITHIN_S = 30


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Recording(path)
    assert caught.value.file == str(path)
    assert "\n" not in str(caught.value)
    return f"{caught.value.field}: {caught.value.problem}"


def soft_link(file: h5py.File, name: str, _elsewhere: Path) -> None:
    file.move(name, "kept")
    file[name] = h5py.SoftLink("/kept")


def external_link(file: h5py.File, name: str, elsewhere: Path) -> None:
    del file[name]
    file[name] = h5py.ExternalLink(str(elsewhere), name)


def external_link_to_a_pipe(file: h5py.File, name: str, elsewhere: Path) -> None:
    pipe = elsewhere.with_name("pipe")
    os.mkfifo(pipe)
    del file[name]
    file[name] = h5py.ExternalLink(str(pipe), name)


def virtual(file: h5py.File, name: str, elsewhere: Path) -> None:
    shape, dtype = file[name].shape, file[name].dtype
    del file[name]
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource(str(elsewhere), name, shape, dtype)
    file.create_virtual_dataset(name, layout)


def virtual_without_a_source(file: h5py.File, name: str, elsewhere: Path) -> None:
    virtual(file, name, elsewhere.with_name("gone.h5"))


def external(file: h5py.File, name: str, elsewhere: Path) -> None:
    shape, dtype = file[name].shape, file[name].dtype
    size = int(np.prod(shape)) * dtype.itemsize
    del file[name]
    file.create_dataset(name, shape, dtype, external=[(str(elsewhere), 0, size)])


WAYS: list[tuple[str, Callable[[h5py.File, str, Path], None], str]] = [
    ("a link within", soft_link, "is a link to /kept"),
    ("a link to another file", external_link, "is a link to "),
    ("a link to a pipe", external_link_to_a_pipe, "is a link to "),
    ("a virtual data set", virtual, "is a virtual data set"),
    ("a virtual one whose source is gone", virtual_without_a_source, "is a virtual data set"),
    ("values in another file", external, "keeps its values in another file"),
]


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize(
    ("put_elsewhere", "problem"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS]
)
def test_values_that_lie_elsewhere_are_refused_by_name(
    recording_path: Path,
    name: str,
    put_elsewhere: Callable[[h5py.File, str, Path], None],
    problem: str,
) -> None:
    elsewhere = Path(shutil.copy(recording_path, recording_path.with_name("elsewhere.h5")))
    with h5py.File(recording_path, "r+") as file:
        put_elsewhere(file, name, elsewhere)
    assert refusal(recording_path).startswith(f"/{name}: {problem}")


@pytest.mark.parametrize("name", ["scan", "plan", "frames"])
@pytest.mark.parametrize("way", [soft_link, external_link], ids=["within", "another file"])
def test_linked_groups_are_refused_by_name(
    recording_path: Path, name: str, way: Callable[[h5py.File, str, Path], None]
) -> None:
    elsewhere = Path(shutil.copy(recording_path, recording_path.with_name("elsewhere.h5")))
    with h5py.File(recording_path, "r+") as file:
        way(file, name, elsewhere)
    assert refusal(recording_path).startswith(f"/{name}: is a link to ")


def table_of(name: str, rows: int, **options: object) -> Callable[[h5py.File], None]:
    """Makes a column long; nothing of it is written, so that the file stays small."""

    def stretch(file: h5py.File) -> None:
        old = file[name]
        shape = (rows, *old.shape[1:])
        del file[name]
        file.create_dataset(name, shape, old.dtype, **options)

    return stretch


def planned(frames: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for name in ("plan/id", "plan/strip", "plan/position_mm"):
            table_of(name, frames, chunks=True)(file)
        file["scan"].attrs["frames_planned"] = frames

    return change


def wide_frames(file: h5py.File) -> None:
    del file["frames/pixels"]
    side = 2_000_000_000
    file.create_dataset("frames/pixels", (6, side, side), np.uint8, chunks=(1, 1000, 1000))
    file["scan"].attrs["frame_shape_px"] = (side, side)


def one_huge_chunk(file: h5py.File) -> None:
    del file["frames/pixels"]
    shape = (6, *FRAME_SHAPE)
    file.create_dataset(
        "frames/pixels", shape, np.uint8, maxshape=(None,) * 3, chunks=(1, 60_000, 60_000)
    )


def long_notes(file: h5py.File) -> None:
    del file["frames/note"]
    file.create_dataset("frames/note", (6,), "S100000000", chunks=(1,))


def an_attribute_of(value: object) -> Callable[[h5py.File], None]:
    return lambda file: file["scan"].attrs.create("source", value)


LIES: list[tuple[str, Callable[[h5py.File], None], str]] = [
    ("10^8 planned frames", planned(100_000_000), "frames_planned: is 100000000, more than"),
    ("as many as are read, unwritten", planned(900_000), "/plan/id: is stated to have 900000 rows"),
    ("a table of 10^8 rows", table_of("frames/id", 100_000_000, chunks=True), "/frames/id: has 100"),
    ("10^9 rows of pixels", table_of("frames/pixels", 10**9, chunks=True), "/frames/pixels: has 1"),
    ("frames of 2*10^9", wide_frames, "frame_shape_px: is 2000000000x2000000000, frames of more"),
    ("chunks of 3.6 GB", one_huge_chunk, "/frames/pixels: has chunks of 3600000000 bytes"),
    ("notes of 10^8 bytes", long_notes, "/frames/note: has "),
    ("a plan that was never written", table_of("plan/strip", 6), "/plan/strip: is stated to have"),
    ("a text of 60 kB", an_attribute_of(np.bytes_(b"x" * 60_000)), "attribute takes 60000 bytes"),
    ("numbers without end", an_attribute_of(np.zeros(6000)), "attribute takes 48000 bytes"),
]

LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    Recording(Path(sys.argv[1]))
except InputError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("lie", "problem"), [case[1:] for case in LIES], ids=[case[0] for case in LIES]
)
def test_sizes_that_nothing_stands_behind_are_refused_before_anything_is_read(
    older_path: Path, lie: Callable[[h5py.File], None], problem: str
) -> None:
    with h5py.File(older_path, "r+") as file:
        lie(file)
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(older_path)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S * 10,
        check=True,
    )
    said, kilobytes = done.stdout.splitlines()
    assert problem in said
    assert int(kilobytes) < 50_000


def test_memory_that_is_not_to_be_had_is_one_line(
    recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> object:
        raise MemoryError

    monkeypatch.setattr(h5py.Dataset, "__getitem__", no_memory)
    assert refusal(recording_path) == "None: is damaged: MemoryError"


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "scan.h5"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    assert "cannot be read: " in refusal(path)
