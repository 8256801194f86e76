"""Backends that run a model on a frame's windows; each imports its library when chosen."""

from darkscan.stages.inference.backend import Backend, Seen
from darkscan.stages.inference.context import scores_in_context
from darkscan.stages.inference.conventions import Conventions, file_hash
from darkscan.stages.inference.onnx_runtime import OnnxRuntimeBackend, read_conventions

__all__ = [
    "Backend",
    "Conventions",
    "OnnxRuntimeBackend",
    "Seen",
    "file_hash",
    "read_conventions",
    "scores_in_context",
]
