"""The links at the top of the repository only show the rooms; nothing is imported through them."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

ROOMS = sorted(path.parent.name for path in (REPOSITORY / "darkscan").glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_refuses_to_be_imported_under_its_short_name(room: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {room}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: import darkscan.{room}: the folder at the top is a link"
    )
