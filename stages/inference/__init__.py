"""Backends that run a model on a frame's windows; each imports its library when chosen."""

from darkscan.stages.inference.backend import Backend, FrameWindows, Pending, Seen, see
from darkscan.stages.inference.context import scores_in_context
from darkscan.stages.inference.conventions import Conventions, file_hash
from darkscan.stages.inference.onnx_runtime import OnnxRuntimeBackend, read_conventions

__all__ = [
    "Backend",
    "Conventions",
    "FrameWindows",
    "OnnxRuntimeBackend",
    "Pending",
    "Seen",
    "file_hash",
    "read_conventions",
    "scores_in_context",
    "see",
]
