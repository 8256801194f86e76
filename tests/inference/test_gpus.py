"""What the driver says of GPUs, and what is made of it."""

import ctypes
from typing import Any

import pytest

from darkscan.inference.gpus import Gpu, find_gpus


class Driver:
    """As libcuda.so.1, as far as it is asked."""

    def __init__(self, *names: str, start: int = 0) -> None:
        self.names = names
        self.start = start

    def cuInit(self, _flags: int) -> int:  # noqa: N802 - the driver's names
        return self.start

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 13010
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.names)
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        device._obj.value = 100 + number
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
        name.value = self.names[device.value - 100].encode()[:size]
        return 0


def test_gpus_are_numbered_as_the_driver_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver("NVIDIA H200", "NVIDIA L4"))
    gpus = find_gpus()
    assert gpus.found == (Gpu(0, "NVIDIA H200"), Gpu(1, "NVIDIA L4"))
    assert (gpus.driver, gpus.why_none) == ("13.1", "")


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        (Driver(start=100), "shows no GPU to this process"),
        (Driver(start=999), "does not start (error 999)"),
        (Driver(), "shows no GPU to this process"),
    ],
    ids=["no device", "a broken driver", "none counted"],
)
def test_why_there_are_none(driver: Driver, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: driver)
    gpus = find_gpus()
    assert gpus.found == ()
    assert why in gpus.why_none


def test_no_driver_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert find_gpus().why_none == "there is no NVIDIA driver on this machine"
