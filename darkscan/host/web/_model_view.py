"""Where the scan's own model sees defects, cell by cell: it is run again on a part of the element.

Only models that come with darkscan are run, and only if their file is the scan's to the last
byte: a rig names its model, it does not bring one.
"""

import threading
from importlib.resources import as_file, files
from typing import NamedTuple

import cv2
import numpy as np

from darkscan.host.web._composing import Frames, View
from darkscan.inference.backend import FrameWindows, Seen, see
from darkscan.inference.conventions import file_hash
from darkscan.inference.onnx_runtime import OnnxRuntimeBackend
from darkscan.pipeline.core.arrays import Float32Array, UInt8Array
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import DEFAULT_MODEL
from darkscan.pipeline.host_link.messages import ScanBegan

_DENSE_MODELS = (DEFAULT_MODEL, "default-int8")
_AROUND_PX = 64
"""What the model sees around a picture."""

_FIRST_DEFECT = 3
"""Of the numbers by which a model's ``kinds`` go, the first that is a defect."""


class _Model(NamedTuple):
    """A model that is loaded, for one thread at a time."""

    backend: OnnxRuntimeBackend
    lock: threading.Lock


class ModelView:
    """Runs the models that come with darkscan; loads each when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, str] | None = None
        self._models: dict[str, _Model] = {}

    def sees(self, view: View, began: ScanBegan) -> bool:
        """Whether ``heat_of`` has something to show."""
        return began.model_hash in self._shipped() and grown(view, began) is not None

    def heat_of(self, view: View, began: ScanBegan, frames: Frames) -> UInt8Array | None:
        """(height, width) The probability of a defect, 0 to 255, at each pixel of a view.

        None if the scan's model is not one of darkscan's, or if the element is too small for
        it. Raises InputError if a frame cannot be read.
        """
        model = self._model_of(began.model_hash)
        around = grown(view, began)
        if model is None or around is None:
            return None
        seen = frames.see(around, brightest=False)
        levels = seen.levels
        if not seen.raised.all():  # a black gap would be a bright edge to the model
            levels[~seen.covered] = np.median(levels[seen.covered]) if seen.raised.any() else 0
        origins = window_origins(levels.shape, began.window, began.stride)
        windows = FrameWindows.adjusted(levels, origins, began.window)
        with model.lock:
            found = see(model.backend, windows, frames.recording.info.full_scale)
        whole = _in_one(defect_cells(found), origins, levels.shape, began.window)
        left, top = view.left - around.left, view.top - around.top
        part = whole[top : top + view.height, left : left + view.width]
        return np.rint(part * 255).astype(np.uint8)

    def _shipped(self) -> dict[str, str]:
        """The names of darkscan's dense models by their files' hashes."""
        with self._lock:
            if self._names is None:
                self._names = {}
                for name in _DENSE_MODELS:
                    with as_file(files("darkscan") / "models" / f"{name}.onnx") as path:
                        self._names[file_hash(path)] = name
            return self._names

    def _model_of(self, wanted: str) -> _Model | None:
        name = self._shipped().get(wanted)
        with self._lock:
            if name is not None and wanted not in self._models:
                with as_file(files("darkscan") / "models" / f"{name}.onnx") as path:
                    backend = OnnxRuntimeBackend(path, threads=1, batch=1)
                self._models[wanted] = _Model(backend, threading.Lock())
            return self._models.get(wanted)


def grown(view: View, began: ScanBegan) -> View | None:
    """A view grown to whole windows of the model; None if the element is too small for that."""
    corners, sides = [], []
    first, size = (view.left, view.top), (view.width, view.height)
    for start, side, whole_mm in zip(first, size, began.element_size_mm, strict=True):
        strides = -(-max(0, side + 2 * _AROUND_PX - began.window) // began.stride)
        wanted = began.window + strides * began.stride
        most = int(whole_mm / view.pitch_mm)
        if wanted > most:
            return None
        corners.append(min(max(0, start - (wanted - side) // 2), most - wanted))
        sides.append(wanted)
    return View(corners[0], corners[1], sides[0], sides[1], view.pitch_mm)


def defect_cells(seen: Seen) -> Float32Array:
    """(N, cells, cells) The probability of any defect in each cell of the windows."""
    assert seen.lines is not None, "a dense model has a line map"
    if seen.kinds is None:
        return seen.lines
    others = np.where(seen.kinds >= _FIRST_DEFECT, seen.kinds - np.floor(seen.kinds), 0)
    both: Float32Array = np.maximum(seen.lines, others)
    return both


def _in_one(
    cells: Float32Array, origins: "np.typing.NDArray[np.int32]", shape: tuple[int, ...], window: int
) -> Float32Array:
    """(H, W) The cells of all windows over a picture of that shape, smooth between them."""
    count = cells.shape[1]
    side = window // count
    whole = np.zeros((shape[0] // side, shape[1] // side), np.float32)
    for (y, x), own in zip((origins // side).tolist(), cells, strict=True):
        part = whole[y : y + count, x : x + count]
        np.maximum(part, own, out=part)
    size = (shape[1], shape[0])
    smooth = cv2.resize(whole, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth, np.float32).clip(0, 1)
