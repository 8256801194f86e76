"""What the library makes of calls that no client should make."""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkscan.simulation.rig._shared import SHARED_RIG

INVALID_HANDLE, NOT_IMPLEMENTED, IO, TOO_SMALL = -1006, -1003, -1010, -1016


@pytest.fixture
def library(cti: Path, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    monkeypatch.delenv(SHARED_RIG, raising=False)
    return ctypes.CDLL(str(cti))


@pytest.fixture
def system(library: ctypes.CDLL) -> Iterator[ctypes.c_void_p]:
    handle = ctypes.c_void_p()
    assert library.TLOpen(ctypes.byref(handle)) == 0
    yield handle
    library.TLClose(handle)


def last_error(library: ctypes.CDLL) -> str:
    text = ctypes.create_string_buffer(256)
    library.GCGetLastError(None, text, ctypes.byref(ctypes.c_size_t(len(text))))
    return text.value.decode()


def test_a_closed_system_is_no_system(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    count = ctypes.c_uint32()
    assert library.TLGetNumInterfaces(system, ctypes.byref(count)) == 0
    assert library.TLClose(system) == 0
    assert library.TLGetNumInterfaces(system, ctypes.byref(count)) == INVALID_HANDLE
    assert last_error(library) == "no system"
    assert library.TLClose(system) == INVALID_HANDLE


@pytest.mark.parametrize(
    "function", ["IFGetNumDevices", "DevGetNumDataStreams", "GCGetNumPortURLs", "DSClose"]
)
@pytest.mark.parametrize("handle", [None, 4096], ids=["null", "something"])
def test_handles_that_are_none_are_refused(
    library: ctypes.CDLL, function: str, handle: int | None
) -> None:
    count = ctypes.c_uint32()
    call = getattr(library, function)
    assert call(ctypes.c_void_p(handle), ctypes.byref(count)) == INVALID_HANDLE


def test_a_system_is_no_interface(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    count = ctypes.c_uint32()
    assert library.IFGetNumDevices(system, ctypes.byref(count)) == INVALID_HANDLE


def test_sizes_are_told_and_checked(library: ctypes.CDLL, system: ctypes.c_void_p) -> None:
    size = ctypes.c_size_t()
    assert library.TLGetInterfaceID(system, 0, None, ctypes.byref(size)) == 0
    room = ctypes.create_string_buffer(size.value)
    assert library.TLGetInterfaceID(system, 0, room, ctypes.byref(size)) == 0
    assert len(room.value) == size.value - 1
    less = ctypes.c_size_t(size.value - 1)
    assert library.TLGetInterfaceID(system, 0, room, ctypes.byref(less)) == TOO_SMALL


def test_what_the_camera_cannot_do_is_said(library: ctypes.CDLL) -> None:
    assert library.DSGetNumFlows(None, None) == NOT_IMPLEMENTED


def test_a_missing_rig_is_named(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHARED_RIG, str(tmp_path / "gone"))
    assert library.TLOpen(ctypes.byref(ctypes.c_void_p())) == IO
    assert last_error(library) == f"{tmp_path / 'gone'}: No such file or directory"
