"""Line-scan acquisition: blocks from a GenTL producer through the driver into the frame ring.

    python benchmarks/acquisition.py [--rounds 5] [--blocks 300] [--format Mono8]

The simulated camera runs freely, first as fast as it can: all of the driver (harvesters, chunks,
numbering, lines to overlapping frames, the one copy into shared memory) against harvesters
fetching and requeueing the same blocks untouched, in turn in the same run. Then at a set line
rate, where no line may be lost. Camera and driver are threads of one process, as they would be
with a producer for real cameras; processor time is the driver's thread alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from figures import in_turn, machine, ratio

from darkscan.drivers.camera.buffers import Buffer
from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.lines import Assembled, LineAssembler
from darkscan.drivers.camera.nodes import Nodes
from darkscan.drivers.camera.producer import Connection
from darkscan.drivers.camera.unpacking import LAYOUTS
from darkscan.drivers.camera.wanted import wanted_nodes
from darkscan.drivers.rig import CameraSettings
from darkscan.drivers.simulated_rig import build
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.ring import FrameRing
from darkscan.pipeline.run import RING_NAME, RunFolder
from darkscan.pipeline.units import FrameId

SHAPES = ((512, 8192), (512, 16384), (1024, 16384))
FRAME_ROWS, OVERLAP = 2048, 160
STRIP_LINES = 81_920
"""810 mm at 10 um."""

SLOTS = 4
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
    parser.add_argument("--blocks", type=int, default=300)
    parser.add_argument("--format", default="Mono8")
    parser.add_argument("--line-rate", type=float, default=60_000.0)
    arguments = parser.parse_args()
    print(machine())
    for shape in SHAPES:
        settings = _settings(shape, arguments.format, UNBOUNDED_HZ)
        _compare(settings, arguments.blocks, arguments.rounds)
    for shape in SHAPES:
        settings = _settings(shape, arguments.format, arguments.line_rate)
        _at_set_rate(settings, arguments.blocks, arguments.rounds)


def _compare(settings: CameraSettings, blocks: int, rounds: int) -> None:
    runs: dict[str, list[Run]] = {"bare": [], "driver and ring": []}

    def once(name: str, run: Run) -> float:
        runs[name].append(run)
        return run.lines_per_s(settings.height)

    ways = {
        "bare": lambda: once("bare", _bare(settings, blocks)),
        "driver and ring": lambda: once("driver and ring", _through_ring(settings, blocks)),
    }
    figures = in_turn(ways, rounds)
    for name, values in figures.items():
        rate = statistics.median(values)
        print(
            f"{_shape(settings)}  {name:<16}{rate / 1e3:>7.1f} klines/s"
            f"{rate * _line_bytes(settings) / 1e6:>8.0f} MB/s   x bare {ratio(figures, name, 'bare')}"
            f"   {_cpu_ms(runs[name]):.2f} ms CPU a block"
        )


def _at_set_rate(settings: CameraSettings, blocks: int, rounds: int) -> None:
    runs = [_through_ring(settings, blocks) for _ in range(rounds)]
    rate = statistics.median(run.lines_per_s(settings.height) for run in runs)
    lost = [run.lost_blocks * settings.height for run in runs]
    share = statistics.median(run.cpu_s / run.seconds for run in runs)
    print(
        f"{_shape(settings)}  at {settings.rate_hz / 1e3:.0f} klines/s: {rate / 1e3:.1f} klines/s"
        f"{rate * _line_bytes(settings) / 1e6:>8.0f} MB/s   lines lost: {sum(lost)} of "
        f"{sum(run.blocks for run in runs) * settings.height + sum(lost)}"
        f"   {_cpu_ms(runs):.2f} ms CPU a block, {share:.0%} of a core"
    )


def _bare(settings: CameraSettings, blocks: int) -> Run:
    """Harvesters fetches and requeues; nobody looks at the pixels or the chunks."""
    connection = Connection(settings, None)
    acquirer = connection.acquirer
    nodes = Nodes(acquirer.remote_device.node_map, settings.names, None)
    for wanted in wanted_nodes(settings, "line", encoder_divider=1):
        nodes.apply(wanted)
    acquirer.timeout_period_on_update_event_data_call = 50
    acquirer.start()

    def fetch() -> int:
        buffer = acquirer.try_fetch(timeout=WAIT_S, is_raw=True)
        number: int = buffer.frame_id
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
            "rate_hz": line_rate,
            "nodes": {"TriggerMode": "Off", "AcquisitionLineRate": line_rate},
        }
    )


def _shape(settings: CameraSettings) -> str:
    return f"{settings.width}x{settings.height}"


def _line_bytes(settings: CameraSettings) -> int:
    return LAYOUTS[settings.pixel_format].row_bytes(settings.width)


def _cpu_ms(runs: list[Run]) -> float:
    return statistics.median(run.cpu_s / run.blocks for run in runs) * 1e3


if __name__ == "__main__":
    main()
