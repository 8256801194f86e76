"""A copy whose links were lost must not be built: it would install without its code."""

import runpy
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import REPOSITORY

ROOMS = ("cli", "configs", "drivers", "models", "network", "pipeline", "stages")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A copy of the project without its rooms; whether setuptools was asked to build it."""
    asked: list[bool] = []
    monkeypatch.setitem(
        sys.modules, "setuptools", SimpleNamespace(setup=lambda: asked.append(True))
    )
    shutil.copy(REPOSITORY / "setup.py", tmp_path)
    (tmp_path / "src" / "darkscan").mkdir(parents=True)
    return asked


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("left", ["a file", "nothing"])
def test_a_room_that_is_no_folder_ends_the_build_with_the_reason(
    tmp_path: Path, built: list[bool], room: str, left: str
) -> None:
    for other in ROOMS:
        (tmp_path / "src" / "darkscan" / other).mkdir()
    (tmp_path / "src" / "darkscan" / room).rmdir()
    if left == "a file":
        (tmp_path / "src" / "darkscan" / room).write_text(f"../../{room}")
    with pytest.raises(SystemExit, match=f"src/darkscan/{room} is no folder, .* links were lost"):
        runpy.run_path(str(tmp_path / "setup.py"))
    assert not built


def test_a_whole_copy_is_built(tmp_path: Path, built: list[bool]) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / "src" / "darkscan" / room).symlink_to(f"../../{room}")
    runpy.run_path(str(tmp_path / "setup.py"))
    assert built == [True]


def test_every_room_is_looked_after() -> None:
    links = {path.name for path in (REPOSITORY / "src" / "darkscan").iterdir() if path.is_symlink()}
    assert links == set(ROOMS)
