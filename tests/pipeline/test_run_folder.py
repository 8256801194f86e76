"""The sweep of run folders in shared memory: it touches nothing that is not this user's own."""

import os
from pathlib import Path

import pytest

from darkscan.pipeline.running import specification


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(specification, "SHARED_MEMORY", folder)
    return folder


def named(memory: Path, name: str) -> Path:
    return memory / f"darkscan-{os.getuid()}-{name}"


def test_a_folder_that_nobody_holds_is_removed(memory: Path) -> None:
    left = named(memory, "left")
    left.mkdir()
    (left / "ring").touch()
    specification.sweep()
    assert not left.exists()


def test_a_folder_that_is_held_stays(memory: Path) -> None:
    with specification.RunFolder() as folder:
        specification.sweep()
        assert folder.path.is_dir()


def test_a_link_by_such_a_name_is_not_followed(memory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    named(memory, "link").symlink_to(elsewhere)
    specification.sweep()
    assert [entry.name for entry in elsewhere.iterdir()] == ["precious"]


def test_a_lock_that_is_a_link_makes_no_file_elsewhere(memory: Path, tmp_path: Path) -> None:
    folder = named(memory, "odd")
    folder.mkdir()
    (folder / "lock").symlink_to(tmp_path / "made")
    specification.sweep()
    assert not (tmp_path / "made").exists()


def test_a_file_by_such_a_name_stays(memory: Path) -> None:
    file = named(memory, "file")
    file.touch()
    specification.sweep()
    assert file.exists()
