"""The network's trunk in sixteen bits: TensorRT computes in the types that the file states."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from darkscan.pipeline.core.errors import InputError

if TYPE_CHECKING:
    import onnx

Half = Literal["fp16", "bf16"]

_FLOAT_ALWAYS = {"Resize": {1, 2}}  # inputs, by position, that stay float32 in half
_BFLOAT16_OPSET = 22  # the first in which convolutions may be bfloat16


def in_half(content: bytes, precision: Half, *, file: Path) -> bytes:
    """A model file's content with its trunk, the convolutions and what lies between, in half.

    Inputs and outputs, brightness adjustment, sigma clipping, the windows' gathering and the
    logits stay float32: casts stand where the trunk begins and ends. Raises InputError
    naming ``file`` if it has no trunk, is in eight bits already, or has weights that do not
    fit.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise InputError(f"is in eight bits already: it cannot be built in {precision}", file=file)
    trunk = _between_convolutions(model.graph)
    if not trunk:
        raise InputError("has no convolutions", file=file)
    if precision == "bf16":
        for domain in model.opset_import:
            if domain.domain in {"", "ai.onnx"}:
                domain.version = max(domain.version, _BFLOAT16_OPSET)
    _Halving(model, trunk, precision, file).rewrite()
    halved: bytes = model.SerializeToString(deterministic=True)
    return halved


def _between_convolutions(graph: "onnx.GraphProto") -> set[str]:
    """Outputs of the convolutions, and of all nodes on a path from one to another."""
    convolved = {out for node in graph.node if node.op_type == "Conv" for out in node.output}
    after, before = set(convolved), set(convolved)
    for node in graph.node:
        if not after.isdisjoint(node.input):
            after.update(node.output)
    for node in reversed(graph.node):
        if not before.isdisjoint(node.output):
            before.update(node.input)
    return after & before


class _Halving:
    """The rewriting of one graph, in place."""

    def __init__(
        self, model: "onnx.ModelProto", trunk: set[str], precision: Half, file: Path
    ) -> None:
        import onnx

        self._onnx = onnx
        self._graph = model.graph
        self._trunk = trunk
        self._file = file
        self._precision = precision
        kinds = onnx.TensorProto
        self._half = kinds.FLOAT16 if precision == "fp16" else kinds.BFLOAT16
        self._weights = {item.name: item for item in model.graph.initializer}
        self._float = _float_tensors(model)
        self._made: set[str] = set()  # tensors that exist in half already

    def rewrite(self) -> None:
        nodes = [node for old in self._graph.node for node in self._rewritten(old)]
        used = {name for node in nodes for name in node.input}
        used.update(output.name for output in self._graph.output)
        kept = [item for item in self._graph.initializer if item.name in used]
        del self._graph.node[:], self._graph.initializer[:], self._graph.value_info[:]
        self._graph.node.extend(nodes)
        self._graph.initializer.extend(kept)

    def _rewritten(self, node: "onnx.NodeProto") -> Iterable["onnx.NodeProto"]:
        if self._trunk.isdisjoint(node.output):
            yield node
            return
        halved = self._onnx.NodeProto.FromString(node.SerializeToString())
        keeps = _FLOAT_ALWAYS.get(node.op_type, set())
        for index, name in enumerate(node.input):
            if name in self._float and index not in keeps:
                yield from self._to_half(name)
                halved.input[index] = _half_of(name)
        for attribute in halved.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and node.output[0] in self._float:
                attribute.i = self._half
        outputs = [name for name in node.output if name in self._float]
        halved.output[:] = [_half_of(n) if n in self._float else n for n in node.output]
        self._made.update(outputs)
        yield halved
        for name in outputs:
            if self._leaves_trunk(name):
                yield self._cast(_half_of(name), name, self._onnx.TensorProto.FLOAT)

    def _to_half(self, name: str) -> Iterable["onnx.NodeProto"]:
        """The node that makes a tensor from outside the trunk available in half, at most once."""
        if name in self._made:
            return
        self._made.add(name)
        if name in self._weights:
            self._graph.initializer.append(self._halved_weights(name))
        else:
            yield self._cast(name, _half_of(name), self._half)

    def _halved_weights(self, name: str) -> "onnx.TensorProto":
        from ml_dtypes import bfloat16

        weights = self._onnx.numpy_helper.to_array(self._weights[name])
        kind = np.float16 if self._precision == "fp16" else bfloat16
        with np.errstate(over="ignore"):
            halved = weights.astype(kind)
        if not np.isfinite(halved.astype(np.float32)).all():
            raise InputError(f"has weights that {self._precision} cannot hold", file=self._file)
        return self._onnx.numpy_helper.from_array(halved, _half_of(name))

    def _leaves_trunk(self, name: str) -> bool:
        return any(output.name == name for output in self._graph.output) or any(
            name in node.input and self._trunk.isdisjoint(node.output) for node in self._graph.node
        )

    def _cast(self, source: str, result: str, kind: int) -> "onnx.NodeProto":
        return self._onnx.helper.make_node(
            "Cast", [source], [result], name=f"cast_{result}", to=kind
        )


def _half_of(name: str) -> str:
    return f"{name}.half"


def _float_tensors(model: "onnx.ModelProto") -> set[str]:
    """Names of all float32 tensors of a model."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    typed = (*graph.input, *graph.value_info, *graph.output)
    kind = onnx.TensorProto.FLOAT
    named = {item.name for item in typed if item.type.tensor_type.elem_type == kind}
    return named | {item.name for item in graph.initializer if item.data_type == kind}
