"""TensorRT 11: engines built once for a model and a GPU, and the backend that runs them.

Nothing here loads TensorRT or torch before it was asked whether there is a GPU.
"""

from darkscan.stages.inference.tensorrt.backend import TensorRTBackend
from darkscan.stages.inference.tensorrt.building import build, read_graph
from darkscan.stages.inference.tensorrt.device import Device, find_device
from darkscan.stages.inference.tensorrt.engines import (
    Arithmetic,
    Engine,
    engines_folder,
    engines_in,
)
from darkscan.stages.inference.tensorrt.finding import why_not
from darkscan.stages.inference.tensorrt.library import Library, load_library
from darkscan.stages.inference.tensorrt.ordering import Made, Order, make_engine
from darkscan.stages.inference.tensorrt.shapes import Shapes
from darkscan.stages.inference.tensorrt.wanted import Wanted
from darkscan.stages.inference.tensorrt.watching import Step, Watch, run_watched

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
    "Wanted",
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
