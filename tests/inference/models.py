"""Small model files of both forms, and frames to give them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from darkscan.inference import FrameWindows, Seen
from darkscan.inference.conventions import INPUTS
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import PixelType

WINDOW, STRIDE = 256, 128
FULL_SCALE = {"uint8": 255, "uint16": 4095}
METADATA = {
    "format": "1", "name": "small", "window": str(WINDOW), "stride": str(STRIDE),
    "threshold": "0.5",
}  # fmt: skip


def frame_windows(
    shape: tuple[int, int] = (512, 384), pixel_type: PixelType = "uint8", seed: int = 0
) -> FrameWindows:
    """A dark frame with a bright line across it, and all its windows."""
    rng = np.random.default_rng(seed)
    full_scale = FULL_SCALE[pixel_type]
    levels = rng.normal(0.1, 0.01, shape)
    rows = np.arange(shape[0])
    levels[rows, (40 + rows // 3) % shape[1]] += 0.15
    frame = (levels.clip(0, 1) * full_scale).astype(pixel_type)
    return windows_of(frame)


def windows_of(frame: Pixels) -> FrameWindows:
    origins = window_origins((frame.shape[0], frame.shape[1]), WINDOW, STRIDE)
    return FrameWindows.adjusted(frame, origins, WINDOW)


def logits(seen: Seen) -> npt.NDArray[np.float64]:
    """Of scores that are not at the ends, where a float32 says nothing of its logit any more."""
    scores = seen.scores.astype(np.float64).clip(1e-3, 1 - 1e-3)
    return np.asarray(np.log(scores / (1 - scores)))


def small_dense(path: Path, *, changed: str = "", form: str = "dense") -> Path:
    """A model that passes the whole frame once: two convolutions, and means of 4x4 cells a side.

    As the real one it reads bytes of either depth, gathers each window's part of a map of
    cells, and gives scores and lines. ``changed``: an operator to write in place of Relu.
    """
    rng = np.random.default_rng(5)
    constants = {
        "low": np.array(0), "high": np.array(-1), "axis0": np.array([0]), "one": np.array(1),
        "255": np.array(255, np.float32), "zero": np.array(0.0, np.float32),
        "weight": rng.normal(0, 0.3, (4, 1, 5, 5)).astype(np.float32),
        "bias": np.zeros(4, np.float32),
        "weight2": rng.normal(0, 0.3, (1, 4, 3, 3)).astype(np.float32),
        "128": np.array(128), "flat": np.array([-1]), "images": np.array([0, 1]),
        "offsets2": np.arange(2), "axis1": np.array([1]), "axis2": np.array([2]),
        "squares": np.array([-1, 4]), "1": np.array([1]), "half": np.array(8.0, np.float32),
        "line_shape": np.array([-1, 1, 2, 2]), "line_size": np.array([1, 1, 16, 16]),
    }  # fmt: skip
    n = helper.make_node
    nodes = [
        # The grey level: low byte, and 256 times the last one where there are two.
        n("Cast", ["frame"], ["bytes"], to=TensorProto.FLOAT),
        n("Gather", ["bytes", "low"], ["low_byte"], axis=2),
        n("Gather", ["bytes", "high"], ["high_byte"], axis=2),
        n("Shape", ["frame"], ["depth"], start=2, end=3),
        n("Squeeze", ["depth"], ["depth0"]),
        n("Sub", ["depth0", "one"], ["more"]),
        n("Cast", ["more"], ["more_f"], to=TensorProto.FLOAT),
        n("Mul", ["high_byte", "more_f"], ["high_part0"]),
        n("Mul", ["high_part0", "256"], ["high_part"]),
        n("Add", ["low_byte", "high_part"], ["grey"]),
        n("Div", ["grey", "full_scale"], ["raw"]),
        n("Unsqueeze", ["raw", "images"], ["image"]),
        n("Conv", ["image", "weight", "bias"], ["features"], kernel_shape=[5, 5],
          strides=[4, 4], pads=[2, 2, 2, 2]),
        n(changed or "Relu", ["features"], ["positive"]),
        n("Conv", ["positive", "weight2"], ["map"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        n("AveragePool", ["map"], ["cells"], kernel_shape=[32, 32], strides=[32, 32]),
        # The 2x2 cells of each window, by number in the flattened map.
        n("Shape", ["cells"], ["width"], start=3, end=4),
        n("Div", ["origins", "128"], ["cell"]),
        n("Gather", ["cell", "low"], ["row"], axis=1),
        n("Gather", ["cell", "one"], ["column"], axis=1),
        n("Unsqueeze", ["row", "axis1"], ["row1"]),
        n("Unsqueeze", ["column", "axis1"], ["column1"]),
        n("Add", ["row1", "offsets2"], ["rows"]),
        n("Add", ["column1", "offsets2"], ["columns"]),
        n("Mul", ["rows", "width"], ["starts"]),
        n("Unsqueeze", ["starts", "axis2"], ["starts2"]),
        n("Unsqueeze", ["columns", "axis1"], ["columns2"]),
        n("Add", ["starts2", "columns2"], ["numbers"]),
        n("Reshape", ["numbers", "flat"], ["numbers_flat"]),
        n("Reshape", ["cells", "flat"], ["cells_flat"]),
        n("Gather", ["cells_flat", "numbers_flat"], ["each"], axis=0),
        n("Reshape", ["each", "squares"], ["of_windows"]),
        n("Mul", ["of_windows", "half"], ["sharp"]),
        n("ReduceMax", ["sharp", "1"], ["highest"], keepdims=0),
        n("Mul", ["gains", "zero"], ["no_gain"]),
        n("Mul", ["offsets", "zero"], ["no_offset"]),
        n("Add", ["highest", "no_gain"], ["with_gain"]),
        n("Add", ["with_gain", "no_offset"], ["logits"]),
        n("Sigmoid", ["logits"], ["scores"]),
        n("Reshape", ["sharp", "line_shape"], ["little"]),
        n("Resize", ["little", "", "line_scales"], ["large"], mode="nearest",
          coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        n("Squeeze", ["large", "axis1"], ["line_logits"]),
        n("Sigmoid", ["line_logits"], ["lines"]),
    ]  # fmt: skip
    constants |= {
        "256": np.array(256, np.float32),
        "line_scales": constants.pop("line_size").astype(np.float32),
    }
    return _save(path, nodes, constants, METADATA | {"form": form})


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, npt.NDArray[np.generic]],
    metadata: dict[str, str],
) -> Path:
    kinds: dict[str, tuple[int, list[str | int]]] = {
        "frame": (TensorProto.UINT8, ["H", "W", "B"]),
        "origins": (TensorProto.INT64, ["N", 2]),
        "gains": (TensorProto.FLOAT, ["N"]),
        "offsets": (TensorProto.FLOAT, ["N"]),
        "full_scale": (TensorProto.FLOAT, []),
    }
    outputs: dict[str, list[str | int]] = {"logits": ["N"], "scores": ["N"], "lines": ["N", 32, 32]}
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info(name, *kinds[name]) for name in INPUTS],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for key, value in metadata.items():
        model.metadata_props.add(key=f"darkscan.{key}", value=value)
    onnx.save(model, path)
    return path
