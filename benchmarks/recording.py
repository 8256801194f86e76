"""The price of checksums and of bringing a recording to the disk.

    python benchmarks/recording.py [--rounds 7] [--frames 192] [--replay-frames 3x3]
                                   [--folder DIR]

Frames of 4 MiB are recorded, and read, in turn: as raw bytes (the floor), as a recording,
and as a recording without checksums, without syncs and without either. Rates are of frames
on their way to the disk when the last one was handed over; the time to close is printed
beside them. A replay is timed by its own trace, of the same scan with and without checksums.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
from figures import in_turn, machine, ratio, seconds_of_frames

from darkscan.drivers.recording import Recording, RecordingWriter
from darkscan.pipeline.core import disk_sync
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

SIDE = 2048
KINDS = 8
RAW, WHOLE = "raw bytes", "recording"
NO_CHECKSUMS, NO_SYNCS, NEITHER = "without checksums", "without syncs", "without either"
READ, READ_UNCHECKED = "reading", "reading without checksums"
REPLAY, REPLAY_UNCHECKED = "replay", "replay without checksums"


class Bench:
    """Records and reads the same frames in different ways."""

    def __init__(self, folder: Path, frames: int) -> None:
        self._folder = folder
        self._frames = frames
        self.closing: dict[str, list[float]] = {}
        self._info = ScanInfo(
            element="bench",
            element_size_mm=(100.0, 100.0),
            region_mm=(0.0, 0.0, 100.0, 100.0),
            pitch_um=10.0,
            pixel_to_stage=PixelToStage.from_pitch(10.0),
            frame_shape=(SIDE, SIDE),
            pixel_type="uint8",
            bit_depth=8,
            frames_planned=frames,
        )
        self._plan = [
            FrameMeta(frame=number, strip=0, position_mm=(0.0, 0.0, 0.0), exposure_ns=number)
            for number in range(frames)
        ]
        random = np.random.default_rng(0)
        self._pixels: list[Pixels] = [
            random.integers(0, 255, (SIDE, SIDE), np.uint8) for _ in range(KINDS)
        ]

    def raw(self) -> float:
        """MB/s of the frames' bytes alone."""
        path = self._folder / "raw"
        with path.open("wb", buffering=0) as file:
            start = time.perf_counter()
            for number in range(self._frames):
                file.write(self._pixels[number % KINDS].data)
            seconds = time.perf_counter() - start
        path.unlink()
        return self._megabytes / seconds

    def recording(self, name: str, *, checksums: bool, syncs: bool) -> Callable[[], float]:
        """MB/s of a recording, with or without what makes it safe."""

        def work() -> float:
            path = self._folder / "scan.h5"
            with self._without(checksums=checksums, syncs=syncs):
                writer = RecordingWriter(path, self._info, self._plan)
                start = time.perf_counter()
                for meta in self._plan:
                    writer.write(meta, self._pixels[meta.frame % KINDS])
                written = time.perf_counter()
                writer.close()
            self.closing.setdefault(name, []).append(time.perf_counter() - written)
            path.unlink()
            return self._megabytes / (written - start)

        return work

    def kept(self) -> Path:
        """A recording to read; it is in the page cache."""
        path = self._folder / "kept.h5"
        with RecordingWriter(path, self._info, self._plan) as writer:
            for meta in self._plan:
                writer.write(meta, self._pixels[meta.frame % KINDS])
        return path

    def reading(self, path: Path) -> Callable[[], float]:
        """MB/s of reading all frames into one array."""

        def work() -> float:
            out: Pixels = np.empty((SIDE, SIDE), np.uint8)
            with Recording(path) as recording:
                start = time.perf_counter()
                for index in range(self._frames):
                    recording.read_into(index, out)
                return self._megabytes / (time.perf_counter() - start)

        return work

    @property
    def _megabytes(self) -> float:
        return self._frames * SIDE * SIDE / 1e6

    @staticmethod
    @contextmanager
    def _without(*, checksums: bool, syncs: bool) -> Iterator[None]:
        def nothing(*_: object) -> int:
            return 0

        with ExitStack() as patched:
            if not checksums:
                for name in ("pixels_checksum", "row_checksum"):
                    patched.enter_context(
                        patch(f"darkscan.drivers.recording._writer.{name}", nothing)
                    )
            if not syncs:
                patched.enter_context(patch.object(disk_sync, "SYNC_EVERY_S", float("inf")))
                for name in ("fsync", "fdatasync"):
                    patched.enter_context(patch.object(os, name, nothing))
            yield


def unchecked(path: Path) -> Path:
    """A recording without its checksums, as darkscan wrote them before."""
    copy = path.with_name("unchecked.h5")
    copy.write_bytes(path.read_bytes())
    with h5py.File(copy, "r+") as file:
        for column in ("pixels_crc32", "row_crc32", "pixels_offset"):
            del file[f"frames/{column}"]
        for attribute in ("crc32", "plan_crc32"):
            del file["scan"].attrs[attribute]
    return copy


def replaying(path: Path) -> Callable[[], float]:
    """Frames/s of a replay, as its own trace says."""

    def work() -> float:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            out = Path(folder) / "out"
            command = [sys.executable, "-m", "darkscan", "replay", str(path), "--out", str(out)]
            subprocess.run(command, check=True, capture_output=True)
            with Recording(path) as recording:
                return len(recording.frames) / seconds_of_frames(out)

    return work


def simulated(folder: Path, frames: str) -> Path:
    """A recording to replay."""
    path = folder / "simulated.h5"
    command = [sys.executable, "-m", "darkscan", "simulate", "--frames", frames, "--out", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def main() -> None:
    """Prints MB/s and frames/s of all ways, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=192)
    parser.add_argument("--replay-frames", default="3x3", help="columns x rows; 0: no replay")
    parser.add_argument("--folder", type=Path, help="where recordings are written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        bench = Bench(folder, arguments.frames)
        ways = {
            RAW: bench.raw,
            WHOLE: bench.recording(WHOLE, checksums=True, syncs=True),
            NO_CHECKSUMS: bench.recording(NO_CHECKSUMS, checksums=False, syncs=True),
            NO_SYNCS: bench.recording(NO_SYNCS, checksums=True, syncs=False),
            NEITHER: bench.recording(NEITHER, checksums=False, syncs=False),
        }
        show(in_turn(ways, arguments.rounds), "MB/s", NEITHER)
        for way, seconds in bench.closing.items():
            print(f"closing, {way:<30}{statistics.median(seconds):>8.2f} s")
        kept = bench.kept()
        reads = {READ: bench.reading(kept), READ_UNCHECKED: bench.reading(unchecked(kept))}
        show(in_turn(reads, arguments.rounds), "MB/s", READ_UNCHECKED)
        if arguments.replay_frames != "0":
            path = simulated(folder, arguments.replay_frames)
            replays = {REPLAY: replaying(path), REPLAY_UNCHECKED: replaying(unchecked(path))}
            show(in_turn(replays, arguments.rounds), "frames/s", REPLAY_UNCHECKED)
    print(machine())


def show(figures: dict[str, list[float]], unit: str, floor: str) -> None:
    """The median of each way, and of its ratios to another."""
    for name, values in figures.items():
        print(
            f"{name:<30}{statistics.median(values):>10.1f} {unit:<9}"
            f" x {floor} {ratio(figures, name, floor)}"
        )


if __name__ == "__main__":
    main()
