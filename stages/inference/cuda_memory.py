"""Host memory that a GPU reads and writes by itself, beside the program."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def pinned(like: Tensor) -> Tensor:
    """A host buffer of a tensor's shape that is copied to and from the device without waiting."""
    return torch.zeros(like.shape, dtype=like.dtype, pin_memory=True)


class HostMemory:
    """Memory that others own, such as the frame ring, made known to the driver."""

    def __init__(self) -> None:
        self._spans: dict[int, npt.NDArray[np.uint8]] = {}

    def register(self, memory: npt.NDArray[np.uint8]) -> bool:
        """Makes memory known; False if the driver refuses. It must stay mapped until ``close``."""
        start = _address(memory)
        if start in self._spans:
            return True
        if int(_runtime().cudaHostRegister(start, memory.nbytes, 0)) != 0:
            return False
        self._spans[start] = memory
        return True

    def tensor(self, array: npt.NDArray[np.generic]) -> Tensor | None:
        """An array of bytes as a tensor, without a copy, if it lies in known memory; else None."""
        if array.dtype != np.uint8 or not array.flags.c_contiguous or not array.size:
            return None
        start = _address(array)
        for first, memory in self._spans.items():
            if first <= start and start + array.nbytes <= first + memory.nbytes:
                # By address, as torch takes no read-only arrays; nothing writes to it.
                bare = (ctypes.c_uint8 * array.nbytes).from_address(start)
                return torch.frombuffer(bare, dtype=torch.uint8).reshape(array.shape)
        return None

    def close(self) -> None:
        """Has the driver forget the memory."""
        for start in self._spans:
            _runtime().cudaHostUnregister(start)
        self._spans.clear()


def _address(array: npt.NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _runtime() -> Any:
    return torch.cuda.cudart()  # type: ignore[no-untyped-call]
