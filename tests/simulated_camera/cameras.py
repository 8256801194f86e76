"""How the tests drive a camera."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.simulation.rig._shared import SHARED_RIG, Canvas, Look, SharedRig

PATIENCE_S = 20.0
EVENT_MS = 20
AREA, LINE = "SIM-A", "SIM-L"
CHUNKS = ("FrameID", "Timestamp", "EncoderValue", "CounterValue", "LineStatusAll")
PX_PER_MM = 100.0
STEP_MM = 0.001
"""What an encoder count means: a tenth of a pixel."""

TELLING_NS = 5_000_000


@dataclass(frozen=True)
class Shot:
    """A buffer as it was fetched: its grey levels, and what it says of itself."""

    number: int
    time_ns: int
    pixels: npt.NDArray[np.uint16]
    chunks: dict[str, int]


class Camera:
    """An open camera: `nodes` by name, and buffers."""

    def __init__(self, acquirer: Any, incomplete: list[int]) -> None:
        self.acquirer = acquirer
        self.nodes: Any = acquirer.remote_device.node_map
        self.incomplete = incomplete

    @property
    def stream(self) -> Any:
        return self.acquirer.data_streams[0]

    def set(self, **values: bool | float | str) -> Self:
        for name, value in values.items():
            getattr(self.nodes, name).value = value
        return self

    def enable_chunks(self, *names: str) -> Self:
        self.set(ChunkModeActive=True)
        for name in names or CHUNKS:
            self.set(ChunkSelector=name, ChunkEnable=True)
        return self

    @contextmanager
    def acquiring(self, buffers: int = 8) -> Iterator[Self]:
        self.acquirer.num_buffers = buffers
        self.acquirer.start()
        try:
            yield self
        finally:
            self.acquirer.stop()

    def trigger(self) -> None:
        self.nodes.TriggerSoftware.execute()

    def fetch(self) -> Shot:
        with self.acquirer.fetch(timeout=PATIENCE_S) as buffer:
            return self._read(buffer)

    def fetch_all(self, count: int) -> list[Shot]:
        return [self.fetch() for _ in range(count)]

    def of_each_line(self, name: str, lines: Sequence[int]) -> list[int]:
        """A chunk of lines of the block fetched last."""
        values = []
        for line in lines:
            self.nodes.ChunkScanLineSelector.value = line
            values.append(int(getattr(self.nodes, name).value))
        return values

    def fetch_lines(self) -> tuple[Shot, list[int], list[int]]:
        """A block, with encoder counts and time stamps of its lines."""
        with self.acquirer.fetch(timeout=PATIENCE_S) as buffer:
            lines = range(buffer.payload.components[0].height)
            counts = self.of_each_line("ChunkEncoderValue", lines)
            return self._read(buffer), counts, self.of_each_line("ChunkTimestamp", lines)

    def _read(self, buffer: Any) -> Shot:
        part = buffer.payload.components[0]
        pixels = part.data.reshape(part.height, part.width).copy()  # unpacked by harvesters
        chunks: dict[str, int] = {}
        if self.nodes.ChunkModeActive.value:
            for name in CHUNKS:
                chunks[name] = int(getattr(self.nodes, f"Chunk{name}").value)
        return Shot(buffer.frame_id, buffer.timestamp_ns, pixels, chunks)


class Bench:
    """Where cameras are tried out."""

    def __init__(self, cti: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._cti = cti
        self._path = path
        self._monkeypatch = monkeypatch
        self._stack = ExitStack()
        self._harvester: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def rig(self, look: Look, canvas: Canvas) -> SharedRig:
        """A shared rig that cameras opened from now on look at."""
        rig = SharedRig.create(self._path, look, canvas)
        self._stack.callback(rig.close)
        self._monkeypatch.setenv(SHARED_RIG, str(self._path))
        return rig

    @property
    def harvester(self) -> Any:
        from harvesters.core import Harvester

        if self._harvester is None:
            self._harvester = Harvester()
            self._stack.callback(self._harvester.reset)
            self._harvester.add_file(str(self._cti))
            self._harvester.update()
        return self._harvester

    @property
    def serials(self) -> list[str]:
        return [info.serial_number for info in self.harvester.device_info_list]

    def open(self, serial: str) -> Camera:
        from harvesters.core import Callback, ParameterKey, ParameterSet

        incomplete: list[int] = []

        class Count(Callback):  # type: ignore[misc]
            def emit(self, context: object = None) -> None:  # noqa: ARG002 - harvesters' name
                incomplete.append(1)

        settings = ParameterSet({ParameterKey.TIMEOUT_PERIOD_ON_UPDATE_EVENT_DATA_CALL: EVENT_MS})
        acquirer = self.harvester.create({"serial_number": serial}, config=settings)
        acquirer.add_callback(acquirer.Events.INCOMPLETE_BUFFER, Count())
        return Camera(acquirer, incomplete)


def wait_until(condition: Callable[[], bool]) -> None:
    """Until what another thread or process does is done."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def area_look(side: int = 256, **more: Any) -> Look:
    """An area camera whose pixel corner (0, 0) lies at (x, y) * 100 px on the canvas."""
    to_canvas = np.array([[PX_PER_MM, 0.0, 0.0], [0.0, PX_PER_MM, 0.0]])
    return Look("area", (side, side), to_canvas, encoder_step_mm=STEP_MM, **more)


def line_look(width: int = 256, **more: Any) -> Look:
    """A line camera: lines lie along canvas rows, and the x axis moves them down the canvas."""
    to_canvas = np.array([[0.0, PX_PER_MM, 0.0], [PX_PER_MM, 0.0, 0.0]])
    return Look("line", (1, width), to_canvas, encoder_step_mm=STEP_MM, **more)


def numbered_canvas(height: int, width: int) -> Canvas:
    """Every place has another grey level than its neighbours."""
    rows, columns = np.mgrid[:height, :width]
    levels: Canvas = ((rows * 37 + columns * 11) % 251 * 256).astype(np.uint16)
    return levels


def drive(rig: SharedRig, start_mm: float, end_mm: float, *, start_ns: int, tellings: int) -> int:
    """Moves the x axis evenly, a telling every 5 ms; when it arrived, ns."""
    for n in range(tellings + 1):
        x = start_mm + (end_mm - start_mm) * n / tellings
        rig.move(start_ns + n * TELLING_NS, (x, 0.0, 0.0))
    return start_ns + tellings * TELLING_NS
