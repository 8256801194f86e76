"""OpenVINO on the CPU: what runs dense and eight-bit models fastest on x86."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from darkscan.pipeline.errors import InputError
from darkscan.stages.inference.backend import FrameWindows, Pending, Seen
from darkscan.stages.inference.conventions import INPUTS, Precision
from darkscan.stages.inference.feeding import (
    Feed,
    Passes,
    constant_feed,
    joined,
    on_threads,
    padded,
    part_of,
    window_feed,
)
from darkscan.stages.inference.onnx_runtime import read_conventions
from darkscan.stages.inference.whole_frames import fitted

_HALF = "BF16"
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
_MOST_SHAPES = 4


class OpenVinoBackend:
    """Runs a model file on ``threads`` cores: ``batch`` windows at a time, or a whole frame.

    precision: "exact" computes in float32 where the model does; "half" in bfloat16 where the
    processor is faster with it, which moves scores a little. Deep cameras' frames are computed
    exactly all the same: here bfloat16 would reach the grey levels themselves, in whose low
    bits weak scratches lie.
    """

    def __init__(
        self, model: Path, *, threads: int, batch: int, precision: Precision = "exact"
    ) -> None:
        """Raises InputError if the model cannot be run."""
        self._core = _core()
        half = precision == "half" and _HALF in self._core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        )
        self.name = f"OpenVINO on the CPU, {on_threads(threads)}{', bfloat16' if half else ''}"
        self.ahead = 1
        self._dense = read_conventions(model).form == "dense"
        self._passes = Passes(batch)
        self._model = _read(self._core, model)
        outputs = {name for output in self._model.outputs for name in output.names}
        self._wanted = ["scores", *({"lines"} & outputs)]
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of several workers would all sit on the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        }
        self._requests: dict[tuple[tuple[int, ...], ...], Any] = {}

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start; the frame is done when this returns."""
        seen = self._see(windows, full_scale, between_batches)
        return lambda: seen

    def close(self) -> None:
        """See Backend.close."""
        self._requests.clear()

    def _see(
        self, windows: FrameWindows, full_scale: int, between_batches: Callable[[], Any]
    ) -> Seen:
        if self._dense:
            windows = fitted(windows)
        count = len(windows.origins)
        if not count:
            return joined([], lines=False)
        step = count if self._dense else self._passes.size(count)
        constant = constant_feed(windows.frame, full_scale)
        parts = []
        for first in range(0, count, step):
            part = part_of(windows, first, step)
            feed = constant | window_feed(padded(part, step))
            parts.append([output[: len(part.origins)] for output in self._pass(feed)])
            between_batches()
        return joined(parts, lines="lines" in self._wanted)

    def _pass(self, feed: Feed) -> list[Any]:
        """One pass of the network: its wanted outputs."""
        request = self._request(feed)
        request.infer(feed, share_inputs=True)  # the frame is not copied
        return [np.array(request.get_tensor(name).data) for name in self._wanted]

    def _request(self, feed: Feed) -> Any:
        """The network compiled for inputs of these shapes, once: faster than for any shape.

        The frames of a scan are of one shape, and parts are padded to one size.
        """
        shapes = {name: feed[name].shape for name in INPUTS}
        key = tuple(shapes.values())
        if key not in self._requests:
            # Only the last few: a compiled network keeps its memory.
            while len(self._requests) >= _MOST_SHAPES:
                del self._requests[next(iter(self._requests))]
            model = self._model.clone()
            model.reshape({name: list(shape) for name, shape in shapes.items()})
            deep = feed["frame"].shape[2] > 1
            settings = self._settings | (_EXACT if deep else {})
            compiled = self._core.compile_model(model, "CPU", settings)
            self._requests[key] = compiled.create_infer_request()
        return self._requests[key]


def why_not(model: Path) -> str | None:
    """Why OpenVINO cannot run a model file here; None if it can."""
    try:
        import openvino  # noqa: F401 - whether it can be
    except ModuleNotFoundError as error:
        return f"needs {error.name}: pip install 'darkscan[openvino]'"
    except Exception as error:  # noqa: BLE001 - a library that cannot be loaded, for whatever reason
        return f"cannot be loaded: {_first_line(error)}"
    try:
        _read(_core(), model)
    except InputError as error:
        return error.problem
    return None


@cache
def _core() -> Any:
    """The one of this process.

    Each gives its thread another stack for signals, and takes it away when it goes; where two
    go out of order, the next signal finds none and ends the process.
    """
    import openvino

    return openvino.Core()


def _read(core: Any, model: Path) -> Any:
    try:
        return core.read_model(model)
    except Exception as error:  # OpenVINO raises RuntimeError, for whatever reason
        problem = f"OpenVINO cannot read the model: {_first_line(error)}"
        raise InputError(problem, file=model) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
