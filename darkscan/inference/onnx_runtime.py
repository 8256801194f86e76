"""ONNX Runtime on the CPU: the backend that is always there, and the others' reference."""

from pathlib import Path
from typing import Any

import onnxruntime

from darkscan.inference.backend import FrameWindows
from darkscan.inference.conventions import INPUTS, Conventions
from darkscan.inference.cpu_backend import CpuBackend
from darkscan.inference.frame_windows import Feed, on_threads, window_feed
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import require_file
from darkscan.pipeline.core.names import is_text

_ERROR = 3  # ONNX Runtime's severity; its warnings are about graphs, not about runs


class OnnxRuntimeBackend(CpuBackend):
    """A model file on ONNX Runtime with ``threads`` threads; see CpuBackend."""

    def __init__(self, model: Path, *, threads: int, batch: int) -> None:
        """Raises InputError if the model cannot be run."""
        self._session = _open(model, threads)
        super().__init__(
            f"ONNX Runtime on the CPU, {on_threads(threads)}",
            _conventions(self._session, model),
            {node.name for node in self._session.get_outputs()},
            batch=batch,
        )

    def close(self) -> None:
        """See Backend.close; the session goes with its last reference."""

    def _pass(self, constant: Feed, part: FrameWindows, places: int) -> list[Float32Array]:  # noqa: ARG002
        parts: list[Float32Array] = self._session.run(self._wanted, constant | window_feed(part))
        return parts


def read_conventions(model: Path) -> Conventions:
    """The conventions that a model file states. Raises InputError if it is no darkscan model."""
    return _conventions(_open(model, threads=1, to_run=False), model)


def _conventions(session: Any, model: Path) -> Conventions:
    names = {node.name for node in session.get_inputs()}
    if names != set(INPUTS):
        problem = f"has inputs {', '.join(sorted(names))}; expected {', '.join(INPUTS)}"
        raise InputError(problem, file=model)
    try:
        metadata = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise InputError("its metadata is no UTF-8 text", file=model) from error
    return Conventions.from_metadata(metadata, file=model)


def _open(model: Path, threads: int, *, to_run: bool = True) -> Any:
    require_file(model, absent="no such model file")
    if not is_text(str(model)):
        raise InputError("its name is no UTF-8 text: rename it", file=model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERROR
    # Waiting threads sleep: the other stages need the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not to_run:  # only looked at: nothing is fused, nothing laid out anew
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return onnxruntime.InferenceSession(
            str(model),
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # which would print what it tries, and try the same again
        )
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        reason = str(error).splitlines()[0]
        raise InputError(f"is no ONNX model that can be run: {reason}", file=model) from error
