"""TensorRT 11: engines built once for a model and a GPU, and the backend that runs them.

Nothing here loads TensorRT or torch before it was asked whether there is a GPU.
"""

from darkscan.inference.gpus import Device, find_device
from darkscan.inference.tensorrt._backend import TensorRTBackend
from darkscan.inference.tensorrt._building import Step, Watch, build, read_graph, run_watched
from darkscan.inference.tensorrt._engines import (
    Arithmetic,
    Engine,
    Shapes,
    engines_folder,
    engines_in,
)
from darkscan.inference.tensorrt._library import Library, load_library
from darkscan.inference.tensorrt._order import Made, Order, make_engine
from darkscan.inference.tensorrt._search import why_not

__all__ = [
    "Arithmetic",
    "Device",
    "Engine",
    "Library",
    "Made",
    "Order",
    "Shapes",
    "Step",
    "TensorRTBackend",
    "Watch",
    "build",
    "engines_folder",
    "engines_in",
    "find_device",
    "load_library",
    "make_engine",
    "read_graph",
    "run_watched",
    "why_not",
]
