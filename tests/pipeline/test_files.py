"""Names that lead to no readable file: one line with the true cause, and no waiting."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_file, require_file


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_socket(folder: Path) -> Path:
    folder = Path(os.path.relpath(folder))  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
    return folder / "s"


def a_loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(b"x")
    return folder / "file" / "recipe.toml"


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing": (lambda folder: folder / "none", "cannot be read: No such file or directory"),
    "a folder": (lambda folder: folder, "cannot be read: Is a directory"),
    "a pipe": (a_pipe, "cannot be read: is a pipe, not a file"),
    "a socket": (a_socket, "cannot be read: is a socket, not a file"),
    "a device": (lambda _: Path("/dev/zero"), "cannot be read: is a device, not a file"),
    "a loop of links": (a_loop, "cannot be read: Too many levels of symbolic links"),
    "a file's child": (below_a_file, "cannot be read: Not a directory"),
    "too long": (lambda folder: folder / ("n" * 300), "cannot be read: File name too long"),
    "a null byte": (lambda folder: folder / "a\0b", "no file can have this name"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, case: str) -> None:
    make, problem = BAD[case]
    with pytest.raises(InputError) as caught:
        read_file(make(tmp_path), field="--recipe")
    assert caught.value.problem == problem
    assert caught.value.field == "--recipe"


def test_a_file_that_may_not_be_read_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "open", forbidden)  # root may read everything
    with pytest.raises(InputError, match="file: cannot be read: Permission denied"):
        require_file(tmp_path / "file")


def test_a_missing_file_may_have_words_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        require_file(tmp_path / "none", absent="no such model")
    with pytest.raises(InputError, match="Is a directory"):
        require_file(tmp_path, absent="no such model")


def test_a_file_and_a_link_to_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_file(tmp_path / "file") == read_file(tmp_path / "link") == b"content"
