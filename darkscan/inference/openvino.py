"""OpenVINO on the CPU: the fastest backend for dense and eight-bit models on x86."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from darkscan.inference.backend import FrameWindows
from darkscan.inference.conventions import INPUTS, Precision
from darkscan.inference.cpu_backend import CpuBackend
from darkscan.inference.frame_windows import Feed, Passes, on_threads, padded, window_feed
from darkscan.inference.onnx_runtime import read_conventions
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.errors import InputError

_HALF = "BF16"
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
_MOST_SHAPES = 4


class OpenVinoBackend(CpuBackend):
    """A model file on OpenVINO with ``threads`` threads; see CpuBackend.

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
        conventions = read_conventions(model)
        self._model = _read(self._core, model)
        super().__init__(
            f"OpenVINO on the CPU, {on_threads(threads)}{', bfloat16' if half else ''}",
            conventions,
            {name for output in self._model.outputs for name in output.names},
            batch=batch,
        )
        self._passes = Passes(batch)
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of several workers would all sit on the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        }
        self._requests: dict[tuple[tuple[int, ...], ...], Any] = {}

    def close(self) -> None:
        """See Backend.close."""
        self._requests.clear()

    def _windows_a_pass(self, count: int) -> int:
        return self._passes.size(count)

    def _pass(self, constant: Feed, part: FrameWindows, places: int) -> list[Float32Array]:
        feed = constant | window_feed(padded(part, places))
        request = self._request(feed)
        request.infer(feed, share_inputs=True)  # the frame is not copied
        outputs = [np.array(request.get_tensor(name).data) for name in self._wanted]
        return [output[: len(part.origins)] for output in outputs]

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
    """The one Core of this process.

    Each Core gives its thread another stack for signals, and takes it away when it is deleted;
    where two are deleted out of order, the next signal finds no stack and ends the process.
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
