"""A model file's trunk in eight bits, calibrated on stated windows and judged on others.

The paper's network spends nine tenths of its time in convolutions, which run several
times as fast on eight-bit integers; needs ONNX, but not torch.
"""

from darkscan.network.quantising._acceptance import (
    ALLOWED_LOSS,
    Comparison,
    FloatModel,
    Side,
    Trial,
    compare,
    quantise_file,
    read_model,
)
from darkscan.network.quantising._model import Target, quantise, trunk_nodes
from darkscan.network.quantising._windows import (
    StatedWindows,
    data_set_windows,
    simulated_images,
    simulated_windows,
)

__all__ = [
    "ALLOWED_LOSS",
    "Comparison",
    "FloatModel",
    "Side",
    "StatedWindows",
    "Target",
    "Trial",
    "compare",
    "data_set_windows",
    "quantise",
    "quantise_file",
    "read_model",
    "simulated_images",
    "simulated_windows",
    "trunk_nodes",
]
