"""Opens a worker's backend, ready for the frames of a scan.

A window of a windowed model sees nothing but itself, so it does not matter what frame it
lies in. A frame of few windows leaves a device idle between calls; several fill it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from darkscan.inference.backend import Backend, FrameWindows, Pending, Seen, see
from darkscan.inference.conventions import Precision
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.inference.selection import open_backend
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import ScanInfo

_LOOK_S = 0.5
_LONGEST_S = 600.0  # a frame of the windowed model takes a minute on the slowest of machines


class Background:
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
        """See Backend.start. ``between_batches`` is called now and then by who waits."""
        future = self._thread.submit(self._see, windows, full_scale)
        return lambda: _waited_for(future, between_batches)

    def close(self) -> None:
        """See Backend.close; waits for what is under way."""
        self._thread.shutdown(cancel_futures=True)
        self._backend.close()

    def _see(self, windows: FrameWindows, full_scale: int) -> Seen:
        return self._backend.start(windows, full_scale)()


def _waited_for(future: Future[Seen], meanwhile: Callable[[], Any]) -> Seen:
    """The outcome; ``meanwhile`` is called while it takes, but not for ever.

    A call that takes so long hangs, and who watches over this process must come to know.
    """
    patience = time.monotonic() + _LONGEST_S
    while not wait([future], timeout=_LOOK_S).done:
        if time.monotonic() < patience:
            meanwhile()
    return future.result()


def frames_a_call(form: str, windows: int, batch: int) -> int:
    """How many frames of ``windows`` windows fill a batch; 1 where they cannot be stacked.

    form: the model's, see ``Conventions.form``; a dense model sees past a window's border.
    """
    return max(1, batch // max(1, windows)) if form == "windowed" else 1


def stacked(frames: Sequence[FrameWindows], places: int) -> FrameWindows:
    """The windows of frames of one shape as those of one frame that is ``places`` times as tall.

    The tall frame is as tall whether all places are taken or not, for devices that are set up
    for one shape. With one place the frame is given back as it is; else it is copied. Raises
    ValueError if the frames differ in shape or dtype, or are too many.
    """
    if places == 1:
        (single,) = frames
        return single
    kinds = {(windows.frame.shape, windows.frame.dtype) for windows in frames}
    if len(kinds) != 1 or len(frames) > places:
        raise ValueError(f"{len(frames)} frames of {kinds} do not fit {places} places")
    ((height, width), dtype), *_ = kinds
    tall = np.zeros((places * height, width), dtype)
    origins = []
    for place, windows in enumerate(frames):
        tall[place * height : (place + 1) * height] = windows.frame
        origins.append(windows.origins + np.array([place * height, 0], np.int32))
    return FrameWindows(
        tall,
        np.concatenate(origins),
        np.concatenate([windows.gains for windows in frames]),
        np.concatenate([windows.offsets for windows in frames]),
    )


def unstacked(seen: Seen, frames: Sequence[FrameWindows]) -> Iterator[Seen]:
    """What was seen in each of the frames that were stacked, in their order."""
    first = 0
    for windows in frames:
        part = slice(first, first + len(windows.origins))
        yield Seen(seen.scores[part], None if seen.lines is None else seen.lines[part])
        first = part.stop


class Calls(NamedTuple):
    """A backend, and how many frames share each call of it."""

    backend: Backend
    frames: int


def surrounded_shape(scan: ScanInfo, margin: int) -> tuple[int, int]:
    """A frame's height and width with a margin around it, pixels."""
    return scan.frame_shape[0] + 2 * margin, scan.frame_shape[1] + 2 * margin


def set_up(
    name: str,
    device: int | None,
    model_path: Path,
    *,
    scan: ScanInfo,
    model: ModelInfo,
    margin: int,
    threads: int,
    batch: int,
    shares_calls: bool,
    precision: Precision = "exact",
) -> Calls:
    """Opens the backend of that name for a scan's frames with a margin around each.

    ``device``: the GPU, None for the CPU. ``shares_calls``: whether small frames may share a
    call; it pays where calls of a few windows leave a device idle. Raises InputError.
    """
    height, width = surrounded_shape(scan, margin)
    windows = len(window_origins(scan.frame_shape, model.window, model.stride))
    # Engines are built for frames as they are.
    shares_calls = shares_calls and name != "tensorrt"
    form = read_conventions(model_path).form
    frames = frames_a_call(form, windows, batch) if shares_calls else 1
    backend = open_backend(
        name,
        model_path,
        threads=threads,
        batch=batch,
        frame_shape=(frames * height, width),
        pixel_type=scan.pixel_type,
        device=device,
        stride=model.stride,
        context=margin,
        precision=precision,
    )
    _warm_up(backend, scan, model, margin=margin, frames=frames, batch=batch, form=form)
    return Calls(backend if device is not None else Background(backend), frames)


def _warm_up(
    backend: Backend,
    scan: ScanInfo,
    model: ModelInfo,
    *,
    margin: int,
    frames: int,
    batch: int,
    form: str,
) -> None:
    """Compiles what is compiled for a shape before the first frame comes, not while it waits."""
    height, width = surrounded_shape(scan, margin)
    origins = window_origins(scan.frame_shape, model.window, model.stride) + np.int32(margin)
    if form != "dense":
        origins = origins[:batch]
    nothing = np.zeros(len(origins), np.float32)
    frame = np.zeros((frames * height, width), scan.dtype)
    see(backend, FrameWindows(frame, origins, nothing, nothing), scan.full_scale)
