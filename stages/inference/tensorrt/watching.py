"""Looks on while an engine is built, and stops it when asked."""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

Result = TypeVar("Result")

_LOOK_EVERY_S = 0.2


class Step(NamedTuple):
    """How far a phase of the building is."""

    phase: str
    done: int
    total: int


class Watch:
    """What the library says of a building: its outermost phase, and whether to go on."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._phases: dict[str, Step] = {}  # outermost first

    @property
    def step(self) -> Step | None:
        """The outermost phase under way, if any."""
        return next(iter(tuple(self._phases.values())), None)

    def stop(self) -> None:
        """Ends the building at its next step."""
        self._stopped.set()

    def begin(self, phase: str, steps: int) -> None:
        """A phase of so many steps begins."""
        self._phases[phase] = Step(phase, 0, steps)

    def advance(self, phase: str, step: int) -> bool:
        """A step (from 0) of a phase is done; whether to go on."""
        if phase in self._phases:
            self._phases[phase] = self._phases[phase]._replace(done=step + 1)
        return not self._stopped.is_set()

    def end(self, phase: str) -> None:
        """A phase is over."""
        self._phases.pop(phase, None)


def monitor(trt: Any, watch: Watch) -> Any:
    """A progress monitor of the library ``trt`` that tells ``watch``."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # without it, the library crashes

        def phase_start(self, phase_name: str, _parent: str | None, num_steps: int) -> None:
            watch.begin(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return watch.advance(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            watch.end(phase_name)

    return Monitor()


def run_watched(work: Callable[[Watch], Result], tell: Callable[[Step], object]) -> Result:
    """Does ``work`` in a thread of its own, and tells now and then how far it is.

    Ctrl-C is then raised here and not within a call from the library, where it would end the
    process; the work is stopped at its next step before it is passed on.
    """
    watch = Watch()
    results: list[Result] = []
    failures: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work(watch))
        except BaseException as failure:  # noqa: BLE001 - raised where it is waited for
            failures.append(failure)

    thread = threading.Thread(target=do, name="engine-building")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_LOOK_EVERY_S)
            if step := watch.step:
                tell(step)
    finally:
        watch.stop()
        thread.join()
    if failures:
        raise failures[0]
    return results[0]
