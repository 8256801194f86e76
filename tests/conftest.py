"""Habits that all tests share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from structlog.testing import LogCapture

REPOSITORY = Path(__file__).parent.parent

# What a shell says of its terminal, and of the processes that train together, is not the suite's.
for name in (
    *("COLUMNS", "LINES", "TERM", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("RANK", "LOCAL_RANK", "WORLD_SIZE"),
):
    os.environ.pop(name, None)

# Drawn examples are the same on every machine, and may take as long there as they need.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

# Torch's threads spin while they wait for each other. The tests' small networks gain nothing by
# a second one, and lose thirty times their time to it on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> Iterator[None]:
    """A shell's background and nohup have the suite, and all it starts, ignore some signals."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def no_unexpected_errors(request: pytest.FixtureRequest) -> Iterator[LogCapture]:
    """A test in which an error is logged fails, unless it says that it expects one."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    yield capture
    structlog.reset_defaults()
    if request.node.get_closest_marker("expects_errors") is None:
        errors = [e for e in capture.entries if e["log_level"] in {"error", "critical"}]
        assert not errors


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder of real images; tests that need it skip where it is not."""
    folder = Path(
        os.environ.get("DARKSCAN_REAL_IMAGES", REPOSITORY.parent / "shared" / "data" / "real")
    )
    if not folder.is_dir():
        pytest.skip(f"no real images in {folder} (set DARKSCAN_REAL_IMAGES)")
    return folder
