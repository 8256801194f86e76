"""Every stage around the model alone, beside a plain copy of the same frames.

    python benchmarks/stages.py [--rounds 5] [--preset optic] [--seeds 4] [--folder DIR]

Frames of 2048x2048 pixels of simulated elements, one each; windows, scores and line maps as the
shipped model gives them, found beforehand. All in turn in the same run, in this process and
with one thread, but for import, which decodes on all cores. Recording and import write to
``--folder`` (by default where temporary files go). GB/s are of frames' pixels.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from astropy.io import fits
from figures import in_turn, machine, ratio

from darkscan.centrelines import Windows, trace_frame
from darkscan.drivers.images import ImageScan, Mosaic
from darkscan.drivers.recording import RecordingWriter, save_recording
from darkscan.inference import (
    FrameWindows,
    OnnxRuntimeBackend,
    Seen,
    frame_scores,
    read_conventions,
    scores_with_neighbours,
    see,
)
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.frame_results import (
    FrameResult,
    Inspected,
    LedgerSums,
    ModelInfo,
    Traces,
)
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.thumbnail import make_thumbnail
from darkscan.pipeline.transport.journal import Journal
from darkscan.pipeline.transport.messages import decode, encode
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch
from darkscan.stages.merging import write_map

WINDOW, STRIDE, SIDE = 256, 128, 2048
ORIGINS = window_origins((SIDE, SIDE), WINDOW, STRIDE)
_FULL_SCALE = 255
THUMBNAIL = 20
"""Pixels that become one in the picture of a whole side."""

REPEATED = 5
"""Times that quick stages see every frame in a round."""

ENDINGS = ("png", "tif", "fits")


@dataclass(frozen=True)
class Example:
    """A frame, and what the stages make of it."""

    pixels: Pixels
    info: ScanInfo
    seen: Seen
    result: FrameResult


class Stages:
    """Each stage as a function that gives the frames a second it has done."""

    def __init__(self, examples: list[Example], model: ModelInfo, folder: Path) -> None:
        self._examples = examples
        self._model = model
        self._folder = folder
        self._target = np.empty_like(examples[0].pixels)

    def all(self) -> dict[str, Callable[[], float]]:
        """By their names, the copy first."""
        ways: dict[str, Callable[[], float]] = {
            "a copy of the frame": lambda: self._quick(self._copy),
            "brightness adjustment": lambda: self._quick(self._adjust),
            "thumbnail": lambda: self._quick(self._shrink),
            "neighbouring windows": lambda: self._quick(self._context),
            "centre lines": lambda: self._quick(self._trace),
            "centre lines, no line maps": lambda: self._quick(self._search, times=1),
            "merging": self._merge,
            "the map": self._map,
            "recording": self._record,
        }
        for ending in ENDINGS:
            ways[f"import of {ending.upper()}"] = self._importing(ending)
        return ways

    def _quick(self, work: Callable[[Example], object], times: int = REPEATED) -> float:
        start = time.perf_counter()
        for _ in range(times):
            for example in self._examples:
                work(example)
        return times * len(self._examples) / (time.perf_counter() - start)

    def _copy(self, example: Example) -> None:
        np.copyto(self._target, example.pixels)

    def _adjust(self, example: Example) -> None:
        gains_and_offsets(*window_extrema(example.pixels, ORIGINS, WINDOW))

    def _shrink(self, example: Example) -> None:
        make_thumbnail(example.pixels, THUMBNAIL)

    def _context(self, example: Example) -> None:
        scores_with_neighbours(example.seen, ORIGINS, WINDOW)

    def _trace(self, example: Example) -> Traces:
        return trace(example.pixels, example.result.scores, example.seen, self._model)

    def _search(self, example: Example) -> None:
        positive = example.result.scores >= self._model.grow_threshold
        trace_frame(example.pixels, _FULL_SCALE, Windows(ORIGINS, WINDOW, positive))

    def _results(self, count: int) -> list[FrameResult]:
        """Results of frames with numbers of their own, side by side."""
        step_mm = SIDE / 100
        results = []
        for number in range(count):
            result = self._examples[number % len(self._examples)].result
            place_mm = (number * step_mm, 0.0, 0.0)
            meta = updated(result.meta, frame=number, position_mm=place_mm)
            results.append(updated(result, meta=meta))
        return results

    def _merge(self) -> float:
        """From messages to the journal."""
        messages = [encode(result) for result in self._results(50)]
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            journal = Journal(Path(folder) / "journal")
            start = time.perf_counter()
            for message in messages:
                result = decode(message)
                assert isinstance(result, FrameResult)
                journal.append(result)
            seconds = time.perf_counter() - start
            journal.close()
        return len(messages) / seconds

    def _map(self) -> float:
        """Of a strip, to all its files."""
        results = self._results(40)
        width_mm = len(results) * SIDE / 100
        scan = updated(
            self._examples[0].info,
            element_size_mm=(width_mm, SIDE / 100),
            region_mm=(0.0, 0.0, width_mm, SIDE / 100),
            frames_planned=len(results),
        )
        inspected = Inspected(
            scan=scan,
            recipe_name="default",
            recipe_hash="-",
            model=self._model,
            results=tuple(results),
            not_inspected=(),
            sums=LedgerSums(
                captured=len(results), mapped=len(results), quarantined=0, lost=0, in_flight=0
            ),
        )
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            start = time.perf_counter()
            write_map(inspected, Path(folder), 4096)
            return len(results) / (time.perf_counter() - start)

    def _record(self) -> float:
        """From memory to a file that is whole after every frame; into the page cache."""
        metas: list[FrameMeta] = [result.meta for result in self._results(50)]
        info = updated(self._examples[0].info, frames_planned=len(metas))
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            path = Path(folder) / "scan.h5"
            start = time.perf_counter()
            with RecordingWriter(path, info, metas) as writer:
                for number, meta in enumerate(metas):
                    writer.write(meta, self._examples[number % len(self._examples)].pixels)
            return len(metas) / (time.perf_counter() - start)

    def _importing(self, ending: str) -> Callable[[], float]:
        """Two rows of tiles as files, to a recording; the rate counts tiles."""
        tiles = []
        for number in range(8):
            tiles.append(self._folder / f"{number}.{ending}")
            write_image(tiles[-1], self._examples[number % len(self._examples)].pixels)

        def work() -> float:
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                start = time.perf_counter()
                scan = ImageScan(Mosaic(tiles, columns=4), 10.0)
                save_recording(Path(folder) / "scan.h5", scan)
                return len(tiles) / (time.perf_counter() - start)

        return work


def trace(pixels: Pixels, scores: np.ndarray, seen: Seen, model: ModelInfo) -> Traces:
    """What is traced in a frame, as the worker finds it."""
    positive = scores >= model.grow_threshold
    windows = Windows(ORIGINS, WINDOW, positive, seen.lines, seen.kinds)
    return trace_frame(pixels, _FULL_SCALE, windows)


def write_image(path: Path, pixels: Pixels) -> None:
    """A file of the kind that its name says."""
    if path.suffix == ".fits":
        fits.writeto(path, pixels)
    elif not cv2.imwrite(str(path), pixels):
        raise OSError(f"{path} cannot be written")


def examples(preset: str, seeds: int) -> Iterator[tuple[Example, ModelInfo]]:
    """Frames of as many elements, as the shipped model sees them."""
    path = Path(str(files("darkscan") / "models" / "default.onnx"))
    model = read_conventions(path).fit(Inspection(), file=path)
    backend = OnnxRuntimeBackend(path, threads=1, batch=32)
    for seed in range(101, 101 + seeds):
        scan = SimulatedScan(simulate_element(size_of_patch((1, 1)), seed, preset))
        pixels: Pixels = np.empty(scan.info.frame_shape, scan.info.dtype)
        scan.read_into(0, pixels)
        seen = see(backend, FrameWindows.adjusted(pixels, ORIGINS, WINDOW), _FULL_SCALE)
        scores = frame_scores(seen, ORIGINS, model)
        result = FrameResult(
            meta=scan.frames[0],
            origins=ORIGINS,
            scores=scores,
            thumbnail=make_thumbnail(pixels, THUMBNAIL),
            traces=trace(pixels, scores, seen, model),
        )
        yield Example(pixels, scan.info, seen, result), model


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV as in the stages, where the model's threads need the cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def main() -> None:
    """Prints frames/s, GB/s and milliseconds a frame of each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="optic", help="of the simulated elements")
    parser.add_argument("--seeds", type=int, default=4, help="elements, one frame each")
    parser.add_argument("--folder", type=Path, help="where recordings are written")
    arguments = parser.parse_args()
    found = list(examples(arguments.preset, arguments.seeds))
    frames, model = [example for example, _ in found], found[0][1]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, one_thread():
        ways = Stages(frames, model, Path(folder)).all()
        figures = in_turn(ways, arguments.rounds)
    print(machine(), f"- {arguments.preset}, {len(frames)} frames")
    print("stage                        frames/s     GB/s  ms a frame   x copy")
    floor = next(iter(ways))
    for name, values in figures.items():
        rate = statistics.median(values)
        gigabytes = rate * frames[0].pixels.nbytes / 1e9
        print(
            f"{name:<28}{rate:>9.1f}{gigabytes:>9.2f}{1000 / rate:>12.2f}"
            f"   {ratio(figures, name, floor)}"
        )


if __name__ == "__main__":
    main()
