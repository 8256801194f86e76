"""Backends that run a model on a frame's windows; each imports its library when chosen."""

if __name__.partition(".")[0] != "darkscan":
    raise ImportError(f"import darkscan.{__name__}: the folder at the top is a link")

from darkscan.inference.backend import Backend, FrameWindows, Pending, Seen, see
from darkscan.inference.conventions import Conventions, Precision, file_hash
from darkscan.inference.model_job import FrameFormat, ModelJob
from darkscan.inference.neighbour_scores import frame_scores, scores_with_neighbours
from darkscan.inference.onnx_runtime import OnnxRuntimeBackend, read_conventions
from darkscan.inference.selection import BACKENDS, Choice, Placement, choose, open_backend

__all__ = [
    "BACKENDS",
    "Backend",
    "Choice",
    "Conventions",
    "FrameFormat",
    "FrameWindows",
    "ModelJob",
    "OnnxRuntimeBackend",
    "Pending",
    "Placement",
    "Precision",
    "Seen",
    "choose",
    "file_hash",
    "frame_scores",
    "open_backend",
    "read_conventions",
    "scores_with_neighbours",
    "see",
]
