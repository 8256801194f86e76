"""Which NVIDIA GPUs this machine has, asked of the driver itself: no library can crash on it."""

import ctypes
from typing import NamedTuple

_DRIVER = "libcuda.so.1"
_NAME_BYTES = 256
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


class Gpu(NamedTuple):
    """A GPU, numbered as the driver shows them to this process (CUDA_VISIBLE_DEVICES)."""

    number: int
    name: str


class Gpus(NamedTuple):
    """The GPUs there are, or why there are none."""

    found: tuple[Gpu, ...]
    driver: str
    """The newest CUDA the driver serves, such as 13.0; empty without a driver."""

    why_none: str = ""


def find_gpus() -> Gpus:
    """Asks the driver; a machine without one has none."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return Gpus((), "", "there is no NVIDIA driver on this machine")
    if code := driver.cuInit(0):
        if code == _NO_DEVICE:
            return Gpus((), "", "the NVIDIA driver shows no GPU to this process")
        return Gpus((), "", f"the NVIDIA driver does not start (error {code})")
    version, count = ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    driver.cuDeviceGetCount(ctypes.byref(count))
    served = f"{version.value // 1000}.{version.value % 1000 // 10}"
    if not count.value:
        return Gpus((), served, "the NVIDIA driver shows no GPU to this process")
    return Gpus(tuple(Gpu(n, _name(driver, n)) for n in range(count.value)), served)


def _name(driver: ctypes.CDLL, number: int) -> str:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    if driver.cuDeviceGet(ctypes.byref(device), number) or driver.cuDeviceGetName(
        name, _NAME_BYTES, device
    ):
        return "unknown"
    return name.value.decode(errors="replace")
