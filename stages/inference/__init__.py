"""Backends that run a model on a frame's windows; each imports its library when chosen."""

from darkscan.stages.inference.backend import Backend, FrameWindows, Pending, Seen, see
from darkscan.stages.inference.choosing import BACKENDS, Choice, choose, open_backend
from darkscan.stages.inference.context import scores_in_context
from darkscan.stages.inference.conventions import Conventions, Precision, file_hash
from darkscan.stages.inference.onnx_runtime import OnnxRuntimeBackend, read_conventions

__all__ = [
    "BACKENDS",
    "Backend",
    "Choice",
    "Conventions",
    "FrameWindows",
    "OnnxRuntimeBackend",
    "Pending",
    "Precision",
    "Seen",
    "choose",
    "file_hash",
    "open_backend",
    "read_conventions",
    "scores_in_context",
    "see",
]
