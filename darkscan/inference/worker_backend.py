"""The backend of a classification worker, ready for the frames of a scan."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np

from darkscan.inference.backend import Backend, FrameWindows, Pending, Seen, see
from darkscan.inference.frame_windows import frames_a_call
from darkscan.inference.model_job import ModelJob
from darkscan.inference.selection import Placement, open_backend

_LOOK_S = 0.5
_LONGEST_S = 600.0  # a frame of the windowed model takes a minute on the slowest of machines


class WorkerBackend(NamedTuple):
    """A worker's backend, and how many frames share each call of it."""

    backend: Backend
    frames_a_call: int = 1


def shares_calls(device: int | None, batch_wait_ms: float) -> bool:
    """Whether it pays that small frames share calls of the model.

    It does on a GPU (``device``), which calls of a few windows leave idle. On a processor
    (None) the caches are better off with one frame after the other, unless a worker waits for
    more frames anyway.
    """
    return device is not None or batch_wait_ms > 0


def open_worker_backend(job: ModelJob, placement: Placement, *, sharing: bool) -> WorkerBackend:
    """Opens a backend for a scan's frames and warms it up.

    ``sharing``: whether small frames may share a call, see ``shares_calls``. Raises InputError
    if the backend cannot run the job.
    """
    # TensorRT's engines are built for single frames.
    sharing = sharing and placement.backend != "tensorrt"
    windows = len(job.origins())
    frames = frames_a_call(job.conventions.form, windows, placement.batch) if sharing else 1
    height, width = job.frames.shape
    stacked = job.with_shape((frames * height, width))
    backend = open_backend(stacked, placement)
    _warm_up(backend, job, stacked.frames.surrounded, batch=placement.batch)
    on_cpu = placement.device is None
    return WorkerBackend(BackgroundBackend(backend) if on_cpu else backend, frames)


def _warm_up(backend: Backend, job: ModelJob, shape: tuple[int, int], *, batch: int) -> None:
    """Compiles what is compiled for a shape before the first frame comes, not while it waits.

    ``shape``: height and width of the frames of a call, stacked and with their margin.
    """
    origins = job.origins()
    if not job.dense:
        origins = origins[:batch]
    nothing = np.zeros(len(origins), np.float32)
    frame = np.zeros(shape, job.frames.dtype)
    see(backend, FrameWindows(frame, origins, nothing, nothing), job.frames.full_scale)


class BackgroundBackend:
    """Runs the calls of another backend one after the other in a thread of their own.

    Libraries of networks hold no lock of Python's while they compute. So one frame passes the
    network while the scratches of the one before are traced, and no core has to wait.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self.name = backend.name
        self.ahead = 2

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start. The waiting caller calls ``between_batches`` now and then."""
        future = self._thread.submit(self._see, windows, full_scale)
        return lambda: _waited_for(future, between_batches)

    def close(self) -> None:
        """See Backend.close; waits for the call under way."""
        self._thread.shutdown(cancel_futures=True)
        self._backend.close()

    def _see(self, windows: FrameWindows, full_scale: int) -> Seen:
        return self._backend.start(windows, full_scale)()


def _waited_for(future: Future[Seen], meanwhile: Callable[[], Any]) -> Seen:
    """The outcome; ``meanwhile`` is called while it takes, but not for ever.

    A call that takes longer than ``_LONGEST_S`` hangs: then the supervisor must notice that
    this process shows no more signs of life.
    """
    patience = time.monotonic() + _LONGEST_S
    while not wait([future], timeout=_LOOK_S).done:
        if time.monotonic() < patience:
            meanwhile()
    return future.result()
