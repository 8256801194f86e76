"""The simulated camera is skipped where nothing can build it."""

import pytest

from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.rig import build


@pytest.fixture(scope="session")
def simulated_camera() -> None:
    """Builds it once."""
    try:
        build.producer()
    except InputError as error:
        pytest.skip(str(error))
