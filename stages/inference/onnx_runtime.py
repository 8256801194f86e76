"""ONNX Runtime on the CPU: the backend that is always there, and the others' reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime

from darkscan.pipeline.errors import InputError
from darkscan.stages.inference.backend import FrameWindows, Pending, Seen
from darkscan.stages.inference.conventions import INPUTS, Conventions
from darkscan.stages.inference.feeding import (
    constant_feed,
    joined,
    on_threads,
    part_of,
    window_feed,
)
from darkscan.stages.inference.whole_frames import fitted

_ERROR = 3  # ONNX Runtime's severity; its warnings are about graphs, not about runs


class OnnxRuntimeBackend:
    """Runs a model file on ``threads`` cores: ``batch`` windows at a time, or a whole frame."""

    def __init__(self, model: Path, *, threads: int, batch: int) -> None:
        self.name = f"ONNX Runtime on the CPU, {on_threads(threads)}"
        self.ahead = 1
        self._session = _open(model, threads)
        self._dense = _conventions(self._session, model).form == "dense"
        self._batch = batch
        outputs = {node.name for node in self._session.get_outputs()}
        self._wanted = ["scores", *({"lines"} & outputs)]

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
        """See Backend.close; the session goes with its last reference."""

    def _see(
        self, windows: FrameWindows, full_scale: int, between_batches: Callable[[], Any]
    ) -> Seen:
        if self._dense:
            windows = fitted(windows)
        count = len(windows.origins)
        constant = constant_feed(windows.frame, full_scale)
        parts = []
        # Batches never mix frames, so a frame's scores do not depend on its neighbours.
        # A whole frame's pass is not divided: most of it would be done again for each part.
        step = count if self._dense else self._batch
        for first in range(0, count, max(1, step)):
            feed = constant | window_feed(part_of(windows, first, step))
            parts.append(self._session.run(self._wanted, feed))
            between_batches()
        return joined(parts, lines="lines" in self._wanted)


def read_conventions(model: Path) -> Conventions:
    """What a model file says of itself. Raises InputError if it is no darkscan model."""
    return _conventions(_open(model, threads=1, to_run=False), model)


def _conventions(session: Any, model: Path) -> Conventions:
    names = {node.name for node in session.get_inputs()}
    if names != set(INPUTS):
        problem = f"has inputs {', '.join(sorted(names))}; expected {', '.join(INPUTS)}"
        raise InputError(problem, file=model)
    return Conventions.from_metadata(session.get_modelmeta().custom_metadata_map, file=model)


def _open(model: Path, threads: int, *, to_run: bool = True) -> Any:
    try:
        if not model.is_file():
            raise InputError("no such model file", file=model)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=model) from error
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
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        reason = str(error).splitlines()[0]
        raise InputError(f"is no ONNX model that can be run: {reason}", file=model) from error
