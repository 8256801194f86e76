"""Waits for what must come, however slow the machine is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

PATIENCE_S = 60.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns as soon as ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """A process that gets no time."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        yield
    finally:
        process.resume()
