"""A client of motor records that nobody here wrote works with the simulated ones."""

import json
import subprocess
import sys

import pytest

from tests.motion.conftest import StartUnit
from tests.motion.units import NOISE_UM

pytestmark = pytest.mark.slow

NOISE_MM = 6 * NOISE_UM * 1e-3


def test_ophyd_async_moves_flies_stops_and_is_refused(start_unit: StartUnit) -> None:
    start_unit(time_scale=1.0)
    done = subprocess.run(
        [sys.executable, "-m", "tests.motion.ophyd_client", "TEST:X"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["description"] == "mm"
    assert found["moved to"] == pytest.approx(40.0, abs=NOISE_MM)
    assert "motor limits are -50.0mm <= x <= 900.0mm" in found["refused"]
    assert 60.0 < found["stopped at"] < 800.0
    assert found["velocity"] == pytest.approx(100.0)
    # At its speed from 100 to 150 mm: half a second of 100 mm/s, and room to slow down.
    assert 150.0 < found["flown to"] < 175.0
