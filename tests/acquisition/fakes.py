"""A camera, axes and an custody that do as they are told, or fail as they are told."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkscan.drivers.camera.errors import CameraGone
from darkscan.drivers.planning import LiveScan, plan_scan
from darkscan.drivers.rig import Rig, drawn_geometry, load_rig
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.settings import check
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Arrived, FrameRef, Halt, MotionReady, Move, Sweep
from darkscan.stages.acquisition._capture import FrameWriter
from darkscan.stages.acquisition._conductor import Condition, Conductor, Interrupted, ScanEnded
from tests.conftest import REPOSITORY

FRAME = 512


def rig_of(kind: str, **changes: dict[str, object]) -> Rig:
    """One of the simulated rigs with frames of 512 px, on an element of a few frames.

    ``changes``: tables of the rig file, and what to change in them.
    """
    rig = load_rig(REPOSITORY / "configs" / f"rig-{kind}-simulated.toml")
    content = rig.model_dump(mode="python", exclude_unset=True)
    content["element"] |= {"size_mm": (12.0, 6.0)}
    content["camera"] |= {"width": FRAME, "frame_timeout_s": 0.2}
    content["camera"]["height"] = 64 if kind == "line" else FRAME
    content["motion"] |= {"settle_s": 0.0}
    content.pop("focus", None)
    if kind == "line":
        content["scan"] |= {"frame_height_px": FRAME}
    for table, values in changes.items():
        content[table] = {**content.get(table, {}), **values}
    return check(content, Rig, file=None)


def scan_of(rig: Rig) -> LiveScan:
    geometry = drawn_geometry(rig)
    plan = plan_scan(rig, geometry, Inspection(), side="front", recipe_name="default")
    return LiveScan(rig=rig, rig_file=Path("rig.toml"), geometry=geometry, plan=plan)


class FakeCustody:
    """Settles every frame at once; keeps what it was told."""

    def __init__(self, slots: int = 4) -> None:
        self.slots = slots
        self.free = slots
        self.captured: dict[FrameId, FrameMeta] = {}
        self.pixels: dict[FrameId, Pixels] = {}
        self.lost: dict[FrameId, tuple[FrameMeta, str]] = {}
        self._leased: dict[int, Pixels] = {}
        self._generation = 0

    def knows(self, frame: FrameId) -> bool:
        return frame in self.captured or frame in self.lost

    def lease(self, frame: FrameId) -> tuple[Pixels, FrameRef] | None:
        if not self.free:
            return None
        self.free -= 1
        self._generation += 1
        pixels: Pixels = np.zeros((FRAME, FRAME), np.uint8)
        self._leased[self._generation] = pixels
        ref = FrameRef(session=1, frame=frame, slot=0, generation=self._generation, attempt=0)
        return pixels, ref

    def give_back(self, ref: FrameRef) -> None:
        del self._leased[ref.generation]
        self.free += 1

    def capture(self, meta: FrameMeta, ref: FrameRef, started_ns: int) -> None:
        assert started_ns > 0
        assert not self.knows(meta.frame)
        self.captured[meta.frame] = meta
        self.pixels[meta.frame] = self._leased.pop(ref.generation)
        self.free += 1

    def lose(self, meta: FrameMeta, reason: str) -> None:
        assert not self.knows(meta.frame)
        self.lost[meta.frame] = (meta, reason)


@dataclass
class FakeBlock:
    """What the camera would deliver."""

    number: int
    timestamp_ns: int = 0
    incomplete: int = 0
    encoder: npt.NDArray[np.int64] | None = None
    counter: int | None = None
    value: int = 1
    lines: npt.NDArray[np.uint8] | None = None
    """Grey level of each line, for line scan."""

    def copy_into(self, out: Pixels, rows: slice = slice(None), *, reverse: bool = False) -> None:
        if self.lines is None:
            out[...] = self.value
        else:
            some = self.lines[rows]
            out[...] = (some[::-1] if reverse else some)[:, None]


@dataclass
class FakeCamera:
    """Takes a frame for each software trigger, but for those it is told to lose."""

    lose: set[int] = field(default_factory=set)
    """Which triggers, counted over the whole scan, give nothing."""

    gone_at: int = -1
    """Which trigger finds it gone."""

    triggers: int = 0
    arms: int = 0
    armed: bool = False
    gone: bool = False
    away_for: int = 0
    """How often it must be looked for."""

    number: int = 0
    blocks: list[FakeBlock] = field(default_factory=list)

    def arm(self, direction: int = 1) -> None:
        assert direction in {1, -1}
        if self.gone:
            raise CameraGone("camera gone")
        self.armed, self.number = True, 0
        self.arms += 1

    def disarm(self) -> None:
        self.armed = False

    def trigger(self) -> None:
        index = self.triggers
        self.triggers += 1
        if index == self.gone_at:
            self.gone = True
        if self.gone:
            raise CameraGone("camera gone")
        if index not in self.lose:
            self.blocks.append(FakeBlock(self.number, timestamp_ns=index + 1, value=index + 1))
        self.number += 1

    def reopen(self) -> None:
        if self.away_for:
            self.away_for -= 1
            raise CameraGone("still gone")
        self.gone = False


class FakeAxes:
    """Carry out an order at once; keep all orders."""

    def __init__(self, limits: tuple[float, float] = (0.0, 400.0)) -> None:
        self.orders: list[Move | Sweep | Halt] = []
        self.answers: list[Arrived | MotionReady] = []
        self.place = (0.0, 0.0, 0.0)
        self.limits = limits
        self.off_by_mm = 0.0005

    def send(self, order: Move | Sweep | Halt) -> None:
        self.orders.append(order)
        if isinstance(order, Halt):
            low, high = self.limits
            self.answers.append(
                MotionReady(
                    position_mm=self.place, low_mm=(low, low, low), high_mm=(high, high, high)
                )
            )
            return
        if isinstance(order, Move):
            x, y, z = order.target_mm
            self.place = (x + self.off_by_mm, y, z)
        elif order.axis == "x":
            self.place = (order.end_mm, *self.place[1:])
        else:
            self.place = (self.place[0], order.end_mm, self.place[2])
        self.answers.append(Arrived(order=order.order, position_mm=self.place, uncertainty_um=1.5))


@dataclass
class Stand:
    """A conductor on the bench."""

    scan: LiveScan
    rescans: int = 0
    camera: FakeCamera = field(default_factory=FakeCamera)
    axes: FakeAxes = field(default_factory=FakeAxes)
    custody: FakeCustody = field(default_factory=FakeCustody)

    def __post_init__(self) -> None:
        writer = FrameWriter(self.custody, self.scan.plan, self.scan.geometry, None)  # type: ignore[arg-type]
        self.conductor = Conductor(
            self.scan,
            self.camera,
            self.custody,  # type: ignore[arg-type]
            writer,
            self.axes.send,
            rescans=self.rescans,
        )
        self.script = self.conductor.script()

    def run(self, seconds: float = 10.0) -> str:
        """Plays the scan to its end; what ended it early, or nothing."""
        end = time.monotonic() + seconds
        wait = next(self.script)
        while time.monotonic() < end:
            try:
                wait = self.step(wait)
            except StopIteration:
                self.conductor.give_up_rest("")
                return ""
            except (ScanEnded, Interrupted) as news:
                self.conductor.give_up_rest(str(news))
                return str(news)
        raise TimeoutError(f"the scan does not end: {self.conductor.doing}")

    def step(self, wait: Condition) -> Condition:
        """One answer, one block, or nothing comes in; what the script waits for then."""
        if self.axes.answers:
            self.conductor.hear(self.axes.answers.pop(0))
        elif self.camera.blocks and self.conductor.collector is not None:
            self.conductor.collector.take(self.camera.blocks.pop(0))
        return next(self.script) if wait() else wait
