"""ONNX Runtime on the CPU: the default backend."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from darkscan.pipeline.errors import InputError
from darkscan.stages.inference.backend import FrameWindows, Pending, Seen
from darkscan.stages.inference.conventions import INPUTS, Conventions

_ERROR = 3  # ONNX Runtime's severity; its warnings are about graphs, not about runs


class OnnxRuntimeBackend:
    """Runs a model file on ``threads`` cores, ``batch`` windows at a time."""

    def __init__(self, model: Path, *, threads: int, batch: int) -> None:
        self.name = f"ONNX Runtime on the CPU, {threads} thread{'s' if threads != 1 else ''}"
        self.ahead = 1
        self._session = _open(model, threads)
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
        frame, origins, gains, offsets = windows
        height, width = frame.shape
        constant = {
            "frame": frame.view(np.uint8).reshape(height, width, frame.itemsize),
            "full_scale": np.array(full_scale, np.float32),
        }
        parts = []
        # Batches never mix frames, so a frame's scores do not depend on its neighbours.
        for first in range(0, len(origins), self._batch):
            part = slice(first, first + self._batch)
            feed = constant | {
                "origins": origins[part].astype(np.int64),
                "gains": gains[part],
                "offsets": offsets[part],
            }
            parts.append(self._session.run(self._wanted, feed))
            between_batches()
        scores, *lines = (
            np.concatenate(columns).astype(np.float32, copy=False)
            for columns in zip(*parts, strict=True)
        )
        return Seen(scores, lines[0] if lines else None)


def read_conventions(model: Path) -> Conventions:
    """What a model file says of itself. Raises InputError if it is no darkscan model."""
    session = _open(model, threads=1)
    names = {node.name for node in session.get_inputs()}
    if names != set(INPUTS):
        problem = f"has inputs {', '.join(sorted(names))}; expected {', '.join(INPUTS)}"
        raise InputError(problem, file=model)
    return Conventions.from_metadata(session.get_modelmeta().custom_metadata_map, file=model)


def _open(model: Path, threads: int) -> Any:
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
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        reason = str(error).splitlines()[0]
        raise InputError(f"is no ONNX model that can be run: {reason}", file=model) from error
