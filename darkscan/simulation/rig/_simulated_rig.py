"""The simulated rig put together: its camera, its axes, and the element before them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from darkscan.drivers.rig import SIMULATED_PRODUCER, Rig
from darkscan.pipeline.core.units import Millimetres
from darkscan.pipeline.transport.messages import Place
from darkscan.simulation.rig._canvas import CanvasLayout, Progress, render_canvas
from darkscan.simulation.rig._sensor import look_of
from darkscan.simulation.rig._shared import SHARED_RIG, SharedRig
from darkscan.simulation.rig._true_rig import simulation_of
from darkscan.simulation.rig._unit_process import MotionUnitProcess, MotionUnitSettings
from darkscan.simulation.rig.build import producer


def _in_silence(_done: int, _total: int) -> None:
    """Nobody wants to know."""


class SimulatedRig:
    """A rig that is there from ``with`` on, for this process and those it starts then.

    ``shared`` is the memory that camera and axes have in common, with the faults that a
    test may ask for; ``motion_unit`` the process that serves the axes' records.
    """

    shared: SharedRig
    motion_unit: MotionUnitProcess

    def __init__(self, rig: Rig, folder: Path, on_progress: Progress = _in_silence) -> None:
        """Prepares ``rig``; ``folder`` is in memory (/dev/shm) and holds what is shared.

        ``on_progress`` is told (done, total) while the element is rendered.
        """
        self._rig = rig
        self._folder = folder
        self._on_progress = on_progress
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Raises InputError, or DarkscanError if the motion unit does not come up."""
        with ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _start(self, starting: ExitStack) -> None:
        rig = self._rig
        built = producer()  # a missing compiler is reported before long work
        layout = CanvasLayout.of(rig)
        layout.require_room(self._folder)
        look = look_of(rig, layout)
        canvas = render_canvas(rig, layout, self._on_progress)
        path = self._folder / "simulated-rig"
        starting.callback(path.unlink, missing_ok=True)
        self.shared = SharedRig.create(path, look, canvas)
        starting.callback(self.shared.close)
        del canvas
        settings = MotionUnitSettings(
            motion=rig.motion,
            simulation=simulation_of(rig),
            illumination_switch="" if rig.illumination is None else rig.illumination.switch,
            shared_rig=path,
            start_mm=_start_of(rig),
            parent=os.getpid(),
        )
        self.motion_unit = starting.enter_context(MotionUnitProcess(settings, self._folder))
        variables = {
            SIMULATED_PRODUCER: str(built),
            SHARED_RIG: str(path),
            **self.motion_unit.environment,
        }
        starting.enter_context(_environment(variables))


def _start_of(rig: Rig) -> Place:
    """Where the axes stand at first: where the element's corner is seen, if they may."""
    x, y = rig.geometry.origin_mm
    z = 0.0 if rig.focus is None else float(rig.focus.points_mm[0][2])
    axes = (rig.motion.x, rig.motion.y, rig.motion.z)
    within = [
        min(max(place, axis.limits_mm[0]), axis.limits_mm[1])
        if axis is not None and axis.limits_mm is not None
        else place
        for place, axis in zip((x, y, z), axes, strict=True)
    ]
    return Millimetres(within[0]), Millimetres(within[1]), Millimetres(within[2])


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables for this process and those it starts, and puts the old ones back."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
