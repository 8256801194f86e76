"""Frames on their way to a CUDA device and back, through pinned memory of fixed place and size.

While one frame is computed, the next one's pixels are uploaded; the network's passes are
captured once as a CUDA graph and replayed for each frame.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from darkscan.inference.backend import OUTPUTS, FrameWindows, Pending, Seen
from darkscan.inference.frame_windows import constant_feed, padded, window_feed
from darkscan.pipeline.core.errors import DarkscanError

AHEAD = 2
"""Frames under way at once: one is computed, the next one uploaded."""

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a model's inputs or outputs by name."""


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


class Slot:
    """The memory of one frame under way, on the device and, pinned, on the host."""

    def __init__(self, device: str, inputs: Shapes, outputs: Shapes) -> None:
        types = {"frame": torch.uint8, "origins": torch.int64}
        self.inputs = {
            name: torch.zeros(shape, dtype=types.get(name, torch.float32), device=device)
            for name, shape in inputs.items()
        }
        """Frame (H, W, B) uint8, origins (N, 2) int64, the others float32."""

        self.outputs = {
            name: torch.zeros(shape, dtype=torch.float32, device=device)
            for name, shape in outputs.items()
        }
        """Float32; the outputs for each window have N as their first dimension."""

        self.staged = {name: pinned(tensor) for name, tensor in self.inputs.items()}
        self.results = {name: pinned(self.outputs[name]) for name in OUTPUTS if name in outputs}
        # A thread that waits for these events sleeps: the other stages need the cores.
        self.uploaded, self.computed, self.done = (_event() for _ in range(3))
        self.replay: Callable[[], None] = _nothing
        """Enqueues the captured passes, on the current stream."""

        self.under_way: _UnderWay | None = None


Compute = Callable[[Slot, int], None]
"""Enqueues the network's passes over a slot's inputs on a stream, given as CUDA's own handle;
it is torch's current one, too."""


@contextmanager
def on_device(device: int) -> Iterator[None]:
    """Makes a GPU torch's current one; errors of CUDA become a DarkscanError of one line."""
    try:
        with torch.cuda.device(device):
            yield
    except (RuntimeError, AssertionError) as error:  # CUDA failed, or torch has none
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DarkscanError(f"GPU {device}: {reason}") from error


class DeviceFrames:
    """Runs ``compute`` on frames of one shape, with ``AHEAD`` of them under way.

    ``inputs`` and ``outputs``: the shapes of the model's, its inputs those of ``INPUTS``;
    ``origins`` (N, 2) says how many windows fit. Raises DarkscanError, in one line, for
    whatever CUDA refuses, here and in ``start``.
    """

    def __init__(self, device: int, inputs: Shapes, outputs: Shapes, compute: Compute) -> None:
        self._device = device
        self._compute = compute
        self._shape = inputs["frame"]
        self._windows = inputs["origins"][0]
        self._memory = HostMemory()
        self._started = 0
        with self._cuda():
            self._uploading, self._computing, self._downloading = (
                _stream(device) for _ in range(3)
            )
            self._slots = [Slot(f"cuda:{device}", inputs, outputs) for _ in range(AHEAD)]
            for slot in self._slots:
                slot.replay = self._captured(slot)

    def pin(self, memory: npt.NDArray[np.uint8]) -> bool:
        """Lets frames that lie in ``memory`` be uploaded from where they are, without a copy.

        False if CUDA will not. ``memory`` must stay mapped until ``close``.
        """
        with self._cuda():
            known = self._memory.register(memory)
        return known  # noqa: RET504 - mypy wants no return within "with"

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start; scores of places without a window are computed and dropped."""
        slot = self._slots[self._started % AHEAD]
        if slot.under_way is not None:
            slot.under_way()  # its results lie where this frame's will
        self._started += 1
        with self._cuda():
            self._upload(slot, windows, full_scale)
            self._run(slot)
            self._download(slot)
        count = len(windows.origins)
        slot.under_way = _UnderWay(self._cuda, slot, count, between_batches)
        return slot.under_way

    def close(self) -> None:
        """Waits for the frames under way and frees the device's memory."""
        with suppress(DarkscanError), self._cuda():
            for stream in (self._uploading, self._computing, self._downloading):
                stream.synchronize()
        with suppress(DarkscanError), self._cuda():
            self._memory.close()
        self._slots.clear()

    def _upload(self, slot: Slot, windows: FrameWindows, full_scale: int) -> None:
        height, width, depth = self._shape
        count = len(windows.origins)
        given = (*windows.frame.shape, windows.frame.itemsize)
        if given != (height, width, depth) or not 0 < count <= self._windows:
            raise DarkscanError(
                f"a frame of {given} with {count} windows does not fit where {self._shape} "
                f"with {self._windows} do"
            )
        feed = constant_feed(windows.frame, full_scale)
        feed |= window_feed(padded(windows, self._windows))
        with torch.cuda.stream(self._uploading):
            for name, array in feed.items():
                source = self._memory.tensor(array)
                if source is None:
                    source = slot.staged[name]
                    np.copyto(source.numpy(), array)
                slot.inputs[name].copy_(source, non_blocking=True)
            slot.uploaded.record(self._uploading)

    def _run(self, slot: Slot) -> None:
        self._computing.wait_event(slot.uploaded)
        with torch.cuda.stream(self._computing):
            slot.replay()
            slot.computed.record(self._computing)

    def _download(self, slot: Slot) -> None:
        self._downloading.wait_event(slot.computed)
        with torch.cuda.stream(self._downloading):
            for name, result in slot.results.items():
                result.copy_(slot.outputs[name], non_blocking=True)
            slot.done.record(self._downloading)

    def _captured(self, slot: Slot) -> Callable[[], None]:
        """The passes over a slot as a CUDA graph, after one run: libraries prepare at the first."""
        slot.inputs["full_scale"].fill_(1)
        torch.cuda.synchronize(self._device)
        with torch.cuda.stream(self._computing):
            self._compute(slot, self._computing.cuda_stream)
        self._computing.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._computing, capture_error_mode="thread_local"):
            self._compute(slot, self._computing.cuda_stream)
        return graph.replay

    def _cuda(self) -> AbstractContextManager[None]:
        return on_device(self._device)


def _nothing() -> None:
    pass


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]


def _stream(device: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class _UnderWay:
    """A frame on the device; called, it waits until the frame is done and gives its scores."""

    def __init__(
        self, cuda: Callable[[], Any], slot: Slot, count: int, between_batches: Callable[[], Any]
    ) -> None:
        self._cuda = cuda
        self._slot = slot
        self._count = count
        self._between_batches = between_batches
        self._seen: Seen | None = None

    def __call__(self) -> Seen:
        if self._seen is None:
            with self._cuda():
                self._slot.done.synchronize()
            # Copied: the slot is the next frame's.
            results = {
                name: result.numpy()[: self._count].copy()
                for name, result in self._slot.results.items()
            }
            self._seen = Seen.of(results)
            self._slot.under_way = None
            self._between_batches()
        return self._seen
