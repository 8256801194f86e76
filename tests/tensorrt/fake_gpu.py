"""A GPU that does everything as late as it may, and so shows what was not waited for.

Work that is enqueued runs only when somebody waits for it, or for what waits for it. A host
buffer that is written too early, or read too soon, gives wrong numbers.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Gpu:
    """What the fakes of torch and TensorRT share: memory by address, streams by handle."""

    def __init__(self) -> None:
        self.arrays: dict[int, Array] = {}
        self.streams: dict[int, Stream] = {}
        self.current: Stream | None = None
        self.capturing: Graph | None = None
        self.registered: set[int] = set()
        self.broken = ""

    def find(self, address: int) -> Array:
        """The array that begins at an address, or within which it lies."""
        if address % 256:
            raise RuntimeError(f"misaligned address {address:#x}")
        for first, array in self.arrays.items():
            if first <= address < first + max(1, array.nbytes):
                return array.reshape(-1).view(np.uint8)[address - first :]
        raise RuntimeError(f"illegal memory access at {address:#x}")

    def enqueue(self, work: Callable[[], object], stream: "Stream | None" = None) -> None:
        """Puts work on a stream (the current one), or into the graph that is captured."""
        if self.broken:
            raise RuntimeError(self.broken)
        if self.capturing is not None:
            self.capturing.works.append(work)
            return
        stream = stream or self.current
        assert stream is not None, "work on the default stream stops all others"
        stream.works.append(work)

    def drain(self) -> None:
        """Waits for everything."""
        if self.capturing is not None:
            raise RuntimeError("operation not permitted when stream is capturing")
        for stream in self.streams.values():
            stream.run_to(stream.end)


class Stream:
    """As torch.cuda.Stream."""

    gpu: Gpu
    _handles = count(1000)

    def __init__(self, device: int) -> None:
        self.device = device
        self.cuda_stream = next(self._handles)
        self.works: deque[Callable[[], object]] = deque()
        self.done = 0
        self.gpu.streams[self.cuda_stream] = self

    @property
    def end(self) -> int:
        return self.done + len(self.works)

    def run_to(self, end: int) -> None:
        while self.done < end:
            work = self.works.popleft()
            self.done += 1
            work()

    def wait_event(self, event: "Event") -> None:
        at, end = event.at, event.end
        assert at is not None, "an event that was never recorded is not waited for"
        self.gpu.enqueue(lambda: at.run_to(end), self)

    def synchronize(self) -> None:
        if self.gpu.broken:
            raise RuntimeError(self.gpu.broken)
        self.run_to(self.end)


class Event:
    """As torch.cuda.Event."""

    gpu: Gpu

    def __init__(self, *, blocking: bool = False) -> None:
        assert blocking, "who waits must sleep"
        self.at: Stream | None = None
        self.end = 0

    def record(self, stream: Stream) -> None:
        self.at, self.end = stream, stream.end

    def synchronize(self) -> None:
        if self.gpu.broken:
            raise RuntimeError(self.gpu.broken)
        assert self.at is not None
        self.at.run_to(self.end)


class Graph:
    """As torch.cuda.CUDAGraph."""

    gpu: Gpu

    def __init__(self) -> None:
        self.works: list[Callable[[], object]] = []

    def replay(self) -> None:
        for work in self.works:
            self.gpu.enqueue(work)


class Tensor:
    """As torch's, as far as it is copied."""

    def __init__(self, gpu: Gpu, array: Array, *, on_device: bool, pinned: bool = False) -> None:
        self.gpu = gpu
        self.array = array
        self.on_device = on_device
        self.pinned = pinned
        self.shape = array.shape
        self.dtype = array.dtype

    def numpy(self) -> Array:
        assert not self.on_device, "device memory cannot be read from the host"
        return self.array

    def data_ptr(self) -> int:
        return int(self.array.__array_interface__["data"][0])

    def fill_(self, value: float) -> "Tensor":
        self.array.fill(value)
        return self

    def reshape(self, shape: tuple[int, ...]) -> "Tensor":
        return Tensor(self.gpu, self.array.reshape(shape), on_device=False, pinned=self.pinned)

    def __getitem__(self, part: slice) -> "Tensor":
        return Tensor(self.gpu, self.array[part], on_device=self.on_device)

    def copy_(self, source: "Tensor", *, non_blocking: bool = False) -> "Tensor":
        host = source if self.on_device else self
        assert non_blocking, "a copy that waits stops the program"
        assert host.pinned, "without pinned memory, a copy waits"
        assert self.shape == source.shape
        assert self.dtype == source.dtype
        self.gpu.enqueue(lambda: np.copyto(self.array, source.array))
        return self


def fake_torch(gpu: Gpu) -> Any:
    """A module with what is used of torch, and no more."""
    return SimpleNamespace(
        uint8=np.dtype(np.uint8),
        int64=np.dtype(np.int64),
        float32=np.dtype(np.float32),
        zeros=_Memory(gpu).zeros,
        frombuffer=_Memory(gpu).frombuffer,
        cuda=_Cuda(gpu),
    )


class _Memory:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def zeros(
        self,
        shape: tuple[int, ...],
        *,
        dtype: npt.DTypeLike,
        device: str = "",
        pin_memory: bool = False,
    ) -> Tensor:
        if self.gpu.capturing is not None:
            raise RuntimeError("operation not permitted when stream is capturing")
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        room = np.zeros(size + 512, np.uint8)
        first = -room.__array_interface__["data"][0] % 256
        array = room[first : first + size].view(dtype).reshape(shape)
        tensor = Tensor(self.gpu, array, on_device=bool(device), pinned=pin_memory)
        if device:
            self.gpu.arrays[tensor.data_ptr()] = array
        return tensor

    def frombuffer(self, buffer: Any, *, dtype: npt.DTypeLike) -> Tensor:
        return Tensor(self.gpu, np.frombuffer(buffer, dtype), on_device=False, pinned=True)


class _Cuda:
    """As torch.cuda."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.Stream = type("Stream", (Stream,), {"gpu": gpu})
        self.Event = type("Event", (Event,), {"gpu": gpu})
        self.CUDAGraph = type("CUDAGraph", (Graph,), {"gpu": gpu})

    @contextmanager
    def device(self, device: int) -> Iterator[None]:
        assert device == 0
        yield

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self.gpu.current = self.gpu.current, stream
        try:
            yield
        finally:
            self.gpu.current = before

    @contextmanager
    def graph(self, graph: Graph, *, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert not stream.works, "what came before must be done"
        assert capture_error_mode == "thread_local", "other threads go on"
        self.gpu.capturing = graph
        try:
            with self.stream(stream):
                yield
        finally:
            self.gpu.capturing = None

    def synchronize(self, device: int) -> None:
        assert device == 0
        self.gpu.drain()

    def cudart(self) -> "_Runtime":
        return _Runtime(self.gpu)


class _Runtime:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def cudaHostRegister(self, address: int, size: int, flags: int) -> int:  # noqa: N802
        assert size > 0
        assert flags == 0
        self.gpu.registered.add(address)
        return 0

    def cudaHostUnregister(self, address: int) -> int:  # noqa: N802
        self.gpu.registered.remove(address)
        return 0
