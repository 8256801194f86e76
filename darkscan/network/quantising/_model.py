"""Writes a model's trunk anew with eight-bit weights and feature maps (ONNX's QDQ form)."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from darkscan.inference import FrameWindows
from darkscan.inference.frame_windows import Feed, constant_feed, cut_out, window_feed
from darkscan.network.quantising._windows import (
    BATCH,
    STRIDE_PX,
    WINDOW_PX,
    StatedWindows,
    Tick,
    silent,
)
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins

_PREFIX = "darkscan."
_POOLS = frozenset({"ReduceMean", "GlobalAveragePool"})
_POOL_OF_WINDOWS = "AveragePool"
_IN_EIGHT_BITS = frozenset({"Conv", "Relu", "Add", "Concat", "Split", "Resize"})
_OF_STEM = frozenset({"Relu", "MaxPool", "Add"})


def bias_behind_pooling(graph: onnx.GraphProto) -> None:
    """Rewrites ReLU(conv + bias), pooled, as ReLU(pooled conv + bias), in place.

    The two are equal: maxima do not mind a constant, nor a function that never falls. But
    where a pooling is followed by a quantisation, ONNX Runtime quantises first, and its
    eight-bit pooling is ten times as slow as the float one; it cannot do so past a sum.
    Changes nothing where the graph does not begin so.
    """
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    convolution = next((node for node in graph.node if node.op_type == "Conv"), None)
    if convolution is None:
        return
    chain = [convolution]
    for kind in ("Relu", "MaxPool"):
        following = consumers.get(chain[-1].output[0], [])
        if len(following) != 1 or following[0].op_type != kind:
            return
        chain.append(following[0])
    _, relu, pool = chain
    constants = {item.name: item for item in graph.initializer}
    if not constants.keys() >= set(convolution.input[1:]):
        return
    weight, *biases = (constants[name] for name in convolution.input[1:])
    # A bias of 0 is left out by the exporter.
    values = np.zeros(weight.dims[0], np.float32)
    for bias in biases:
        values = numpy_helper.to_array(bias)
        graph.initializer.remove(bias)
        convolution.input.remove(bias.name)
    name = f"{weight.name}.bias_behind_pooling"
    graph.initializer.append(numpy_helper.from_array(values.reshape(1, -1, 1, 1), name))
    pooled, summed, result = f"{name}.pooled", f"{name}.summed", pool.output[0]
    pool.input[0], pool.output[0] = convolution.output[0], pooled
    rewritten = [
        pool,
        onnx.helper.make_node("Add", [pooled, name], [summed], name=f"{name}.add"),
        onnx.helper.make_node("Relu", [summed], [result], name=f"{name}.relu"),
    ]
    nodes = [
        replacement
        for node in graph.node
        if node.name != relu.name
        for replacement in (rewritten if node.name == pool.name else [node])
    ]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)


def trunk_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes from behind the stem to the last feature maps.

    The stem is the first convolution with its ReLU and pooling; its input is the brightness
    adjustment's output, in whose last bits weak scratches of deep cameras lie. The trunk
    ends where the graph pools over all places for the first time: what follows, the channel
    attention and the heads, is little work and makes the score. A dense model pools over
    windows instead; its line head works on whole frames, is as much work as a stage of the
    trunk, and belongs to it. Empty if the graph has no such part.
    """
    after = _downstream(graph, _stem(graph))
    pooled = next((n for n in graph.node if n.op_type in _POOLS and n.name in after), None)
    if pooled is None:
        pools = [n for n in graph.node if n.op_type == _POOL_OF_WINDOWS and n.name in after]
        later = _downstream(graph, [name for node in pools for name in node.output])
        trunk = after - later if pools else set()
        return [n.name for n in graph.node if n.name in trunk and n.op_type in _IN_EIGHT_BITS]
    before = _upstream(graph, pooled.input[0])
    return [node.name for node in graph.node if node.name in after & before]


def _stem(graph: onnx.GraphProto) -> set[str]:
    """Tensors of the first convolution's making, up to its pooling."""
    constants = {item.name for item in graph.initializer}
    convolved: set[str] = set()
    stem: set[str] = set()
    for node in graph.node:
        fresh = convolved.isdisjoint(node.input)
        computed = set(node.input) - constants
        follows = node.op_type in _OF_STEM and bool(computed) and computed <= stem
        if (node.op_type == "Conv" and fresh) or follows:
            stem.update(node.output)
        if node.op_type == "Conv" or not fresh:
            convolved.update(node.output)
    return stem


def _downstream(graph: onnx.GraphProto, tensors: Collection[str]) -> set[str]:
    """Names of the nodes that depend on the tensors and do not make them; nodes are in order."""
    reached, names = set(tensors), set()
    for node in graph.node:
        if not reached.isdisjoint(node.input) and not reached.issuperset(node.output):
            reached.update(node.output)
            names.add(node.name)
    return names


def _upstream(graph: onnx.GraphProto, tensor: str) -> set[str]:
    """Names of the nodes that the tensor depends on."""
    needed, names = {tensor}, set()
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            names.add(node.name)
    return names


class Target(Enum):
    """The kind of device that the model is to run on: it decides how numbers are signed."""

    CPU = "cpu"
    """ONNX Runtime and OpenVINO: unsigned feature maps, for which processors have a product
    with signed weights; with both signed, ONNX Runtime is no faster than float."""
    TENSORRT = "tensorrt"
    """Zero is zero, and biases stay float: TensorRT takes nothing else."""


def quantise(
    content: bytes, target: Target, calibration: StatedWindows, *, file: Path, tick: Tick = silent
) -> onnx.ModelProto:
    """The model of ``content`` with its trunk (see ``trunk_nodes``) in eight bits.

    Weights have a scale for each channel, feature maps one whose range is what the
    ``calibration`` windows reached. Metadata are kept, and say what was done. Equal
    arguments give equal models. Raises InputError naming ``file`` if the model has no
    trunk, or is in eight bits already.
    """
    model = load_model(content, file)
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise InputError("is in eight bits already", file=file)
    if target is Target.CPU:
        bias_behind_pooling(model.graph)
    nodes = trunk_nodes(model.graph)
    if not nodes:
        raise InputError("has no convolutions that end in a pooling over all places", file=file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    dense = is_dense(metadata)
    # Batch norms are folded at the export: there is nothing for ONNX Runtime to prepare.
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    symmetric = target is Target.TENSORRT
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.onnx"
        quantize_static(
            model,
            out,
            _Calibration(calibration, tick, dense=dense),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=nodes,
            extra_options={"ActivationSymmetric": symmetric, "QuantizeBias": not symmetric},
        )
        quantised = onnx.load(out)
    del quantised.metadata_props[:]
    stated = {
        "precision": "int8",
        "quantised_for": target.value,
        "calibration": calibration.description,
        "calibration_seed": str(calibration.seed),
        f"calibration_{calibration.unit}": str(len(calibration)),
    }
    add_metadata(quantised, metadata | {_PREFIX + key: value for key, value in stated.items()})
    return quantised


def add_metadata(model: onnx.ModelProto, entries: dict[str, str]) -> None:
    """Adds metadata entries, in their order, to those that the model has."""
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)


def is_dense(metadata: Mapping[str, str]) -> bool:
    """Whether a model file's entries say that whole frames pass it."""
    return metadata.get(f"{_PREFIX}form") == "dense"


def load_model(content: bytes, file: Path) -> onnx.ModelProto:
    """Parses a model. Raises InputError naming ``file`` if it is none."""
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own kinds differ between its versions
        raise InputError("is no ONNX model", file=file) from error


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """The calibration's windows, as ONNX Runtime asks for them."""

    def __init__(self, calibration: StatedWindows, tick: Tick, *, dense: bool) -> None:
        self._feeds = _feeds(calibration, dense=dense)
        self._dense = dense
        self._tick = tick

    def get_next(self) -> Any:
        """The model's inputs for the next few windows; None after the last."""
        feed = next(self._feeds, None)
        if feed is not None:
            self._tick(1 if self._dense else len(feed["origins"]))
        return feed


def _feeds(calibration: StatedWindows, *, dense: bool) -> Iterator[Feed]:
    """The model's inputs: batches of windows, or for a dense model image after image."""
    for part in calibration.parts(1 if dense else BATCH):
        if dense:
            (image,) = part
            origins = window_origins(image.shape, WINDOW_PX, STRIDE_PX)
            windows = FrameWindows.adjusted(image, origins, WINDOW_PX)
        else:
            windows = cut_out(part)
        full_scale = round(calibration.full_scale)
        yield constant_feed(windows.frame, full_scale) | window_feed(windows)
