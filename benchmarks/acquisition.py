"""Line-scan acquisition: blocks from a GenTL producer through the driver into the frame ring.

    python benchmarks/acquisition.py [--rounds 5] [--blocks 200] [--format Mono8]

The simulated camera runs freely: at set line rates, where no line may be lost, and as fast as
it can. "bare" is harvesters fetching and requeueing blocks untouched; "copied" copies each once
to ordinary memory; "ring" is all of the driver: chunks, numbering, lines to overlapping frames,
the one copy into shared memory. All in turn in the same run. Camera and driver are threads of
one process, as they would be with a real camera's producer; processor time is the fetching
thread's alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from figures import in_turn, machine, ratio

from darkscan.drivers.camera.buffers import Buffer
from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.lines import Assembled, LineAssembler
from darkscan.drivers.camera.nodes import Nodes, wanted_nodes
from darkscan.drivers.camera.producer import Connection
from darkscan.drivers.camera.unpacking import LAYOUTS
from darkscan.drivers.rig import CameraSettings
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunFolder
from darkscan.pipeline.transport.ring import FrameRing
from darkscan.simulation.rig import build

SHAPES = ((512, 8192), (512, 16384), (1024, 16384))
FRAME_ROWS, OVERLAP = 2048, 160
STRIP_LINES = 81_920
"""810 mm at 10 um."""

SLOTS, BUFFERS = 4, 32
UNBOUNDED_HZ = 1e7
WAIT_S = 5.0


@dataclass
class Run:
    """Blocks fetched in one go."""

    blocks: int
    seconds: float
    cpu_s: float
    lost_blocks: int

    def lines_per_s(self, rows: int) -> float:
        """Lines that arrived."""
        return self.blocks * rows / self.seconds


def main() -> None:
    """Prints rates, their ratio to the bare producer's, losses and processor time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--format", default="Mono8")
    parser.add_argument("--klines", type=float, nargs="*", default=[60.0, 120.0])
    arguments = parser.parse_args()
    print(machine())
    print(
        f"{'block':<12}{'klines/s set':>12}  {'way':<8}{'klines/s':>9}{'MB/s':>7}  "
        f"{'x bare (range)':<21}{'x copied (range)':<21}{'lost lines':>19}{'CPU ms a block':>16}"
    )
    for shape in SHAPES:
        for rate_hz in (*(rate * 1e3 for rate in arguments.klines), UNBOUNDED_HZ):
            settings = _settings(shape, arguments.format, rate_hz)
            _compare(settings, arguments.blocks, arguments.rounds)


def _compare(settings: CameraSettings, blocks: int, rounds: int) -> None:
    ways: dict[str, Callable[[CameraSettings, int], Run]] = {
        "bare": partial(_bare, copied=False),
        "copied": partial(_bare, copied=True),
        "ring": _through_ring,
    }
    runs: dict[str, list[Run]] = {name: [] for name in ways}

    def rate(name: str) -> float:
        runs[name].append(ways[name](settings, blocks))
        return runs[name][-1].lines_per_s(settings.height)

    figures = in_turn({name: partial(rate, name) for name in ways}, rounds)
    bounded = settings.rate_hz < UNBOUNDED_HZ
    setting = f"{settings.rate_hz / 1e3:.0f}" if bounded else "unbounded"
    for name, values in figures.items():
        lines_per_s = statistics.median(values)
        taken = sum(run.blocks + run.lost_blocks for run in runs[name]) * settings.height
        lost = sum(run.lost_blocks for run in runs[name]) * settings.height
        print(
            f"{f'{settings.width}x{settings.height}':<12}{setting:>12}  {name:<8}"
            f"{lines_per_s / 1e3:>9.0f}{lines_per_s * _line_bytes(settings) / 1e6:>7.0f}  "
            f"{ratio(figures, name, 'bare'):<21}{ratio(figures, name, 'copied'):<21}"
            f"{f'{lost} of {taken}':>19}{_cpu_ms(runs[name]):>16.2f}"
        )


def _bare(settings: CameraSettings, blocks: int, *, copied: bool) -> Run:
    """Harvesters fetches and requeues; at most the bytes are copied, and nothing is looked at."""
    connection = Connection(settings, None)
    acquirer = connection.acquirer
    nodes = Nodes(acquirer.remote_device.node_map, settings.names, None)
    for wanted in wanted_nodes(settings, "line", encoder_divider=1):
        nodes.apply(wanted)
    acquirer.timeout_period_on_update_event_data_call = 50
    size = settings.height * _line_bytes(settings)
    # As much memory as the ring has: what fits into a cache would be copied faster.
    target = np.ones((SLOTS * FRAME_ROWS // settings.height, size), np.uint8)
    acquirer.start()

    def fetch() -> int:
        buffer = acquirer.try_fetch(timeout=WAIT_S, is_raw=True)
        number: int = buffer.frame_id
        if copied:
            target[number % len(target)] = np.frombuffer(buffer.raw_buffer, np.uint8, size)
        buffer.parent.queue_buffer(buffer, clear_buffer=False)
        return number

    run = _timed(fetch, blocks)
    connection.close()
    return run


def _through_ring(settings: CameraSettings, blocks: int) -> Run:
    """Everything that acquisition does with a block's pixels."""
    with RunFolder() as folder, Camera(settings, "line", encoder=True) as camera:
        shape = (FRAME_ROWS, settings.width)
        dtype = settings.pixel_type
        ring = FrameRing.create(folder.path / RING_NAME, SLOTS, shape, dtype)
        strips = _Strips(ring, settings.height)
        camera.arm()

        def fetch() -> int:
            with camera.fetch(WAIT_S) as buffer:
                assert buffer is not None
                assert buffer.encoder is not None
                strips.add(buffer)
                return buffer.number

        run = _timed(fetch, blocks)
        strips.close()
        ring.close()
    return run


class _Strips:
    """Strip after strip of frames in the ring, whose readers are done with them at once."""

    def __init__(self, ring: FrameRing, block_rows: int) -> None:
        self._ring = ring
        self._rows = np.arange(block_rows)
        self._blocks = STRIP_LINES // block_rows
        self._slots: dict[FrameId, int] = {}
        self._free = list(range(SLOTS))
        self._strip = 0
        self._assembler = self._begin()

    def add(self, buffer: Buffer) -> None:
        """A block: in a free run it lies where its number says."""
        strip, block = divmod(buffer.number, self._blocks)
        if strip != self._strip:
            self._release(self._assembler.finish())
            self._strip, self._assembler = strip, self._begin()
        self._release(self._assembler.add(buffer, self._rows + block * len(self._rows)))

    def close(self) -> None:
        """No more blocks."""
        self._release(self._assembler.finish())

    def _begin(self) -> LineAssembler:
        step = FRAME_ROWS - OVERLAP
        firsts = range(0, STRIP_LINES - FRAME_ROWS + 1, step)
        frames = [(FrameId(number), first) for number, first in enumerate(firsts)]
        return LineAssembler(frames, FRAME_ROWS, self._lease)

    def _lease(self, frame: FrameId) -> Pixels:
        self._slots[frame] = self._free.pop()
        return self._ring.lease(self._slots[frame], frame)[0]

    def _release(self, done: list[Assembled]) -> None:
        for slot in (self._slots.pop(one.frame) for one in done if one.frame in self._slots):
            self._ring.release(slot)
            self._free.append(slot)


def _timed(fetch: Callable[[], int], blocks: int) -> Run:
    """Fetches so many blocks; ``fetch`` gives the number of each."""
    for _ in range(BUFFERS):  # the first writing to fresh memory is slower than the next
        last = fetch()
    start, cpu, first = time.perf_counter(), time.thread_time(), last
    for _ in range(blocks):
        last = fetch()
    seconds, cpu_s = time.perf_counter() - start, time.thread_time() - cpu
    return Run(blocks, seconds, cpu_s, lost_blocks=last - first - blocks)


def _settings(shape: tuple[int, int], pixel_format: str, line_rate: float) -> CameraSettings:
    return CameraSettings.model_validate(
        {
            "producer": str(build.producer()),
            "serial": "SIM-L",
            "kind": "line",
            "pixel_format": pixel_format,
            "height": shape[0],
            "width": shape[1],
            "exposure_us": 5.0,
            "buffers": BUFFERS,
            "rate_hz": line_rate,
            "nodes": {"TriggerMode": "Off", "AcquisitionLineRate": line_rate},
        }
    )


def _line_bytes(settings: CameraSettings) -> int:
    return LAYOUTS[settings.pixel_format].row_bytes(settings.width)


def _cpu_ms(runs: list[Run]) -> float:
    return statistics.median(run.cpu_s / run.blocks for run in runs) * 1e3


if __name__ == "__main__":
    main()
