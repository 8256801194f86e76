"""What it costs to get frames to workers: from the ring, and over tcp; and shared calls.

    python benchmarks/workers.py [--rounds 5] [--frames 100]

One worker whose model takes no time gets 2048x2048 frames, as preprocessing hands them out,
and its results are awaited as merging does; here from the ring, elsewhere through the gateway
over tcp on the loopback device, pixels and all, in plain and encrypted (CURVE). Beside each:
how long one frame takes there and back when it is the only one. Then, with the windowed model:
frames of few windows, in calls of their own and sharing calls.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from figures import in_turn, machine, ratio

from darkscan.inference import FrameWindows, OnnxRuntimeBackend, Pending, Seen, see
from darkscan.inference.frame_windows import frames_a_call, stacked
from darkscan.inference.worker_backend import WorkerBackend
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.core.cores import threads_each
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunFolder, RunSpec, RunTask
from darkscan.pipeline.transport.gateway_client import RunKeys
from darkscan.pipeline.transport.links import Desk, Inbox
from darkscan.pipeline.transport.messages import FrameScores, Prepared
from darkscan.pipeline.transport.ring import FrameRing
from darkscan.pipeline.transport.station import Station
from darkscan.runs.runner import specify
from darkscan.stages.classification.remote_worker import Means, RemoteWorker, Who
from darkscan.stages.classification.stage import Classification

SIDE = 2048
SLOTS = 8
HOPS = 60
SMALL = 512
ADDRESS = "tcp://127.0.0.1:5579"
MODEL = Path(str(files("darkscan") / "models" / "windowed.onnx"))
ORIGINS = window_origins((SIDE, SIDE), 256, 128)
_hops: dict[str, list[float]] = {}


class Instant:
    """A backend that takes no time and sees nothing."""

    name = "instant"
    ahead = 1

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,  # noqa: ARG002 - as in Backend
        *,
        between_batches: Callable[[], Any] = lambda: None,  # noqa: ARG002
    ) -> Pending:
        """Looks at the frame's first pixel, to have had it."""
        assert windows.frame[0, 0] == 0
        scores = np.zeros(len(windows.origins), np.float32)
        return lambda: Seen(scores, None)

    def close(self) -> None:
        """Nothing to let go of."""


def main() -> None:
    """Prints frames/s of each way and its ratio to the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        _work(arguments.work)
        return
    print(machine())
    with TemporaryDirectory() as folder:
        os.environ["DARKSCAN_CONFIG"] = folder
        ring = KeyRing()
        ring.allow(ring.new().public, "benchmark")
        _compare(arguments)


def _compare(arguments: argparse.Namespace) -> None:
    count = arguments.frames
    ways = {
        "from the ring": lambda: _frames_per_s(_here, count),
        "over tcp, --insecure": lambda: _frames_per_s(_elsewhere, count),
        "over tcp, CURVE": lambda: _frames_per_s(_secured, count),
    }
    _print(in_turn(ways, arguments.rounds))
    for name, hops in _hops.items():
        print(f"{name}: there and back p50 {statistics.median(hops) * 1e3:.3f} ms")
    threads = threads_each(1)
    backend = OnnxRuntimeBackend(MODEL, threads=threads, batch=32)
    frames = [_small(seed) for seed in range(12)]
    together = frames_a_call("windowed", len(frames[0].origins), 32)
    print(f"frames of {SMALL}x{SMALL} on {backend.name}, {together} frames a call or one")
    _print(
        in_turn(
            {
                "one frame a call": lambda: _small_per_s(backend, frames, 1),
                "sharing calls": lambda: _small_per_s(backend, frames, together),
            },
            arguments.rounds,
        )
    )


def _print(figures: dict[str, list[float]]) -> None:
    first = next(iter(figures))
    for name, values in figures.items():
        rate = statistics.median(values)
        print(f"{name:<22}{rate:>8.1f} frames/s   x first {ratio(figures, name, first)}")


def _frames_per_s(worker: Callable[[Path], ExitStack], count: int) -> float:
    with RunFolder() as folder:
        ring = FrameRing.create(folder.path / RING_NAME, SLOTS, (SIDE, SIDE), np.uint8)
        ring.begin_session()
        _spec(folder.path).write(folder.path)
        desk, merging = Desk(folder.path), Inbox(folder.path, "merging")
        acquisition = Inbox(folder.path, "acquisition")
        prepared = [_prepared(ring, slot) for slot in range(SLOTS)]
        with worker(folder.path):
            _pass(desk, merging, prepared[:1], SLOTS)
            hops = _hops.setdefault(worker.__name__.strip("_"), [])
            for _ in range(HOPS):
                start = time.perf_counter()
                _pass(desk, merging, prepared[:1], 1)
                hops.append(time.perf_counter() - start)
            start = time.perf_counter()
            _pass(desk, merging, prepared, count)
            rate = count / (time.perf_counter() - start)
        for link in (merging, acquisition):
            link.close()
        desk.socket.close()
        ring.close()
    return rate


def _pass(desk: Desk, merging: Inbox, prepared: list[Prepared], count: int) -> None:
    """Hands out ``count`` frames, as many at a time as there are, and awaits their results."""
    free, done = list(prepared), 0
    by_frame = {each.meta.frame: each for each in prepared}
    handed = 0
    while done < count:
        desk.listen()
        while free and handed < count and desk.hand_out(free[-1]):
            free.pop()
            handed += 1
        while (message := merging.next()) is not None:
            assert isinstance(message, FrameScores)
            free.append(by_frame[message.meta.frame])
            done += 1
        if done < count:
            # Either may be next; both wake within this.
            merging.socket.poll(1) if not free else desk.socket.poll(1)


@contextmanager
def _process(way: str, run_dir: Path) -> Iterator[None]:
    command = [sys.executable, __file__, "--work", f"{way}:{run_dir}"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


def _here(run_dir: Path) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(_process("here", run_dir))
    return stack


def _elsewhere(run_dir: Path) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(_process("elsewhere", run_dir))
    stack.enter_context(_process("gateway", run_dir))
    return stack


def _secured(run_dir: Path) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(_process("elsewhere secured", run_dir))
    stack.enter_context(_process("gateway secured", run_dir))
    return stack


def _work(what: str) -> None:
    """The other process: a worker here or elsewhere, or the gateway."""
    way, _, folder = what.partition(":")
    run_dir = Path(folder)
    match way:
        case "here":
            station = Station(run_dir, "classification", 0)
            Classification(run_dir, RunSpec.read(run_dir), WorkerBackend(Instant()), station).run()
        case "gateway" | "gateway secured":
            from darkscan.stages.classification.gateway import Gateway

            station = Station(run_dir, "gateway", 0)
            spec = updated(RunSpec.read(run_dir), remote_insecure="secured" not in way)
            Gateway(run_dir, spec, ADDRESS, station).run()
        case "elsewhere" | "elsewhere secured":
            own = KeyRing().own()
            keys = RunKeys(own, own.public) if "secured" in way else None
            means = Means(command=_computing)
            RemoteWorker(ADDRESS, Who("benchmark", keys), means, lambda _: None).run()
        case "compute":
            station = Station(run_dir, "classification", 0)
            station.beat(0, now=True, doing="instant")
            Classification(run_dir, RunSpec.read(run_dir), WorkerBackend(Instant()), station).run()


def _computing(run_dir: Path) -> list[str]:
    return [sys.executable, __file__, "--work", f"compute:{run_dir}"]


def _spec(run_dir: Path) -> RunSpec:
    scan = ScanInfo(
        element="benchmark",
        element_size_mm=(100.0, 100.0),
        region_mm=(0.0, 0.0, 100.0, 100.0),
        pitch_um=10.0,
        pixel_to_stage=PixelToStage.from_pitch(10.0),
        frame_shape=(SIDE, SIDE),
        pixel_type="uint8",
        bit_depth=8,
        frames_planned=SLOTS,
    )
    spec = specify(scan, Recipe(), MODEL, RunTask(out_dir=run_dir))
    return updated(spec, workers=0)  # nobody here checks what comes back


def _prepared(ring: FrameRing, slot: int) -> Prepared:
    _, ref = ring.lease(slot, FrameId(slot))
    count = len(ORIGINS)
    return Prepared(
        ref=ref,
        meta=FrameMeta(frame=slot, strip=0, position_mm=(0.0, 0.0, 0.0), exposure_ns=0),
        gains=np.ones(count, np.float32),
        offsets=np.zeros(count, np.float32),
        stamps=(),
    )


def _small(seed: int) -> FrameWindows:
    frame = np.random.default_rng(seed).integers(0, 60, (SMALL, SMALL), np.uint8)
    origins = window_origins((SMALL, SMALL), 256, 128)
    return FrameWindows.adjusted(frame, origins, 256)


def _small_per_s(backend: OnnxRuntimeBackend, frames: list[FrameWindows], together: int) -> float:
    start = time.perf_counter()
    for first in range(0, len(frames), together):
        see(backend, stacked(frames[first : first + together], together), 255)
    return len(frames) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
