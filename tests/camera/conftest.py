"""The simulated camera is skipped where nothing can build it."""

import pytest

from darkscan.drivers.simulated_rig import build
from darkscan.pipeline.errors import InputError


@pytest.fixture(scope="session")
def simulated_camera() -> None:
    """Builds it once."""
    try:
        build.producer()
    except InputError as error:
        pytest.skip(str(error))
