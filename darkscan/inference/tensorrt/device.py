"""The GPU that an engine is built for, asked of the driver: nothing here can crash."""

import ctypes
import re
from typing import NamedTuple

from darkscan.inference.gpus import find_gpus
from darkscan.pipeline.core.errors import InputError

_DRIVER = "libcuda.so.1"
_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


class Device(NamedTuple):
    """A GPU: its number, its name, and its compute capability (9, 0) for instance."""

    number: int
    name: str
    capability: tuple[int, int]

    @property
    def slug(self) -> str:
        """Name and capability, as file names have them: ``nvidia-h200-sm90``."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"{plain}-sm{self.capability[0]}{self.capability[1]}"


def find_device(number: int) -> Device:
    """Raises InputError, in one line, if there is no such GPU, or no driver."""
    gpus = find_gpus()
    if gpus.why_none:
        raise InputError(gpus.why_none)
    for gpu in gpus.found:
        if gpu.number == number:
            return Device(number, gpu.name, _capability(number))
    raise InputError(f"there is no GPU {number}; this machine has {len(gpus.found)}, from 0 on")


def _capability(number: int) -> tuple[int, int]:
    # The driver was found and started a moment ago.
    driver = ctypes.CDLL(_DRIVER)
    device = ctypes.c_int()
    driver.cuDeviceGet(ctypes.byref(device), number)
    return _attribute(driver, _CAPABILITY[0], device), _attribute(driver, _CAPABILITY[1], device)


def _attribute(driver: ctypes.CDLL, which: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    if code := driver.cuDeviceGetAttribute(ctypes.byref(value), which, device):
        raise InputError(f"the NVIDIA driver does not describe the GPU (error {code})")
    return value.value


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
