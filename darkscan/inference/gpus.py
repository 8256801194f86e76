"""The NVIDIA GPUs of this machine, asked of the driver itself.

The driver's own library is called, and no other: asking cannot crash where there is no GPU, and
GPUs are numbered as CUDA numbers them (CUDA_VISIBLE_DEVICES). NVML, the driver's library for
monitoring, lists GPUs that this process may not use, in another order.
"""

import ctypes
import re
from typing import NamedTuple

from darkscan.pipeline.core.errors import InputError

_DRIVER = "libcuda.so.1"
_NAME_BYTES = 256
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


class Gpu(NamedTuple):
    """A GPU that this process may use, and its number."""

    number: int
    name: str


class Gpus(NamedTuple):
    """The GPUs there are, or why there are none."""

    found: tuple[Gpu, ...]
    driver: str
    """The newest CUDA the driver serves, such as 13.0; empty without a driver."""

    why_none: str = ""


class Device(NamedTuple):
    """A GPU that engines are built for: with its compute capability, (9, 0) for instance."""

    number: int
    name: str
    capability: tuple[int, int]

    @property
    def slug(self) -> str:
        """Name and capability, as file names have them: ``nvidia-h200-sm90``."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"{plain}-sm{self.capability[0]}{self.capability[1]}"


def find_gpus() -> Gpus:
    """Asks the driver; a machine without one has no GPUs."""
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


def find_device(number: int) -> Device:
    """The GPU with this number. Raises InputError, in one line, if there is none, or no driver."""
    gpus = find_gpus()
    if gpus.why_none:
        raise InputError(gpus.why_none)
    for gpu in gpus.found:
        if gpu.number == number:
            return Device(number, gpu.name, _capability(number))
    raise InputError(f"there is no GPU {number}; this machine has {len(gpus.found)}, from 0 on")


def use_device(device: Device) -> None:
    """Makes a GPU the present thread's. Raises InputError if it cannot be had.

    Its primary context is the one that torch and TensorRT use.
    """
    driver = ctypes.CDLL(_DRIVER)
    handle, context = ctypes.c_int(), ctypes.c_void_p()
    driver.cuDeviceGet(ctypes.byref(handle), device.number)
    code = driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), handle)
    code = code or driver.cuCtxSetCurrent(context)
    if code:
        raise InputError(f"GPU {device.number} cannot be used (CUDA error {code})")


def _name(driver: ctypes.CDLL, number: int) -> str:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    if driver.cuDeviceGet(ctypes.byref(device), number) or driver.cuDeviceGetName(
        name, _NAME_BYTES, device
    ):
        return "unknown"
    return name.value.decode(errors="replace")


def _capability(number: int) -> tuple[int, int]:
    driver = ctypes.CDLL(_DRIVER)  # found and started a moment ago
    device = ctypes.c_int()
    driver.cuDeviceGet(ctypes.byref(device), number)
    major, minor = _CAPABILITY
    return _attribute(driver, major, device), _attribute(driver, minor, device)


def _attribute(driver: ctypes.CDLL, which: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    if code := driver.cuDeviceGetAttribute(ctypes.byref(value), which, device):
        raise InputError(f"the NVIDIA driver does not describe the GPU (error {code})")
    return value.value
