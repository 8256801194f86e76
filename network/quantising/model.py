"""Writes a model's trunk anew with eight-bit weights and feature maps (ONNX's QDQ form)."""

import tempfile
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from darkscan.network.quantising.scoring import Feed, feeds
from darkscan.network.quantising.stem import bias_behind_pooling
from darkscan.network.quantising.trunk import trunk_nodes
from darkscan.network.quantising.windows import StatedWindows, Tick, silent
from darkscan.pipeline.errors import InputError

_PREFIX = "darkscan."


class Target(Enum):
    """What the model is to run on, which decides how its numbers are signed."""

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
    """Adds entries, in their order, to those that the model has."""
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
        windows, full_scale = calibration.windows, calibration.full_scale
        self._feeds: Iterator[Feed] = feeds(windows, full_scale, dense=dense)
        self._dense = dense
        self._tick = tick

    def get_next(self) -> Any:
        """The model's inputs for the next few windows; None after the last."""
        feed = next(self._feeds, None)
        if feed is not None:
            self._tick(1 if self._dense else len(feed["origins"]))
        return feed
