"""A model file's network as torch operations, for inputs of given shapes.

One file serves all backends: the network is read from the ONNX file itself, so there is
nothing beside it that could be another version of it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from darkscan.inference.pytorch._operators import IN_HALF, ON_HOST, OPERATORS, Operator
from darkscan.pipeline.core.errors import InputError

_FORMATTED = 4  # dimensions of the tensors that are laid out channels last


class Network(NamedTuple):
    """The network as read from a model file; shapes are not known yet."""

    nodes: tuple["_Node", ...]
    constants: Mapping[str, Tensor]
    outputs: tuple[str, ...]


class _Node(NamedTuple):
    kind: str
    operator: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class _Step(NamedTuple):
    """A node whose constant inputs are in place; the others are names."""

    operator: Operator
    inputs: tuple[Tensor | str | None, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    widens: bool
    done_with: tuple[str, ...]


def read_network(model: Path) -> Network:
    """Reads an ONNX file. Raises InputError for what torch cannot run."""
    try:
        graph = onnx.load(model).graph
    except Exception as error:  # whatever protobuf says of a strange file
        raise InputError("is no ONNX model that can be read", file=model) from error
    kinds = {node.op_type for node in graph.node} | {node.domain for node in graph.node} - {""}
    if unknown := sorted(kinds - OPERATORS.keys()):
        raise InputError(f"torch does not know its operators {', '.join(unknown)}", file=model)
    nodes = tuple(
        _Node(
            node.op_type,
            OPERATORS[node.op_type],
            tuple(node.input),
            tuple(node.output),
            {attribute.name: _value(attribute) for attribute in node.attribute},
        )
        for node in graph.node
    )
    constants = {each.name: _tensor(each) for each in graph.initializer}
    return Network(nodes, constants, tuple(output.name for output in graph.output))


class Program:
    """A network on a device, for inputs of the shapes it was made with.

    Values that depend on shapes alone are computed once, on the host: a run only starts
    kernels and waits for nothing, so that it can be captured as a CUDA graph.
    """

    def __init__(
        self,
        network: Network,
        inputs: Mapping[str, Tensor],
        wanted: tuple[str, ...],
        *,
        half: torch.dtype | None = None,
    ) -> None:
        """``half``: the 16-bit type that convolutions compute in; None: float32."""
        self._wanted = wanted
        self._half = half
        self._device = next(iter(inputs.values())).device
        self._on_device: dict[tuple[str, str], Tensor] = {}
        self._steps = self._specialised(_needed(network, wanted), network.constants, inputs)

    def __call__(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """The wanted outputs, float32, for the named inputs."""
        values = dict(inputs)
        for step in self._steps:
            arguments = [values[i] if isinstance(i, str) else i for i in step.inputs]
            values.update(zip(step.outputs, _run(step, arguments), strict=True))
            for name in step.done_with:
                del values[name]
        return tuple(values[name].float() for name in self._wanted)

    def _specialised(
        self,
        nodes: list[_Node],
        constants: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
    ) -> tuple[_Step, ...]:
        """Runs the network once, and keeps the steps whose results are not constant."""
        known, values = dict(constants), dict(inputs)
        steps = []
        for node in nodes:
            if node.kind == "Shape" and node.inputs[0] in values:
                known[node.outputs[0]] = node.operator(values[node.inputs[0]], **node.attributes)
                continue
            constant = all(name in known or not name for name in node.inputs)
            arguments = tuple(
                self._argument(node, position, known, values, constant=constant)
                for position in range(len(node.inputs))
            )
            step = _Step(
                node.operator,
                arguments,
                node.outputs,
                node.attributes,
                widens=self._half is not None and node.kind not in IN_HALF,
                done_with=(),
            )
            given = [values[i] if isinstance(i, str) else i for i in arguments]
            results = zip(node.outputs, _run(step, given), strict=True)
            if constant:
                known.update(results)
            else:
                values.update(results)
                steps.append(step)
        return _letting_go(steps, self._wanted)

    def _argument(
        self,
        node: _Node,
        position: int,
        known: Mapping[str, Tensor],
        values: Mapping[str, Tensor],
        *,
        constant: bool,
    ) -> Tensor | str | None:
        name = node.inputs[position]
        if not name:
            return None
        on_host = position in ON_HOST.get(node.kind, ())
        if name in values:
            if on_host:
                raise InputError(f"torch wants {node.kind}'s shape not to depend on the pixels")
            return name
        value = known[name]
        if constant or on_host or (node.kind == "Gather" and position and not value.dim()):
            return value
        role = "weight" if node.kind == "Conv" else ""
        if (name, role) not in self._on_device:
            self._on_device[name, role] = self._placed(value, role)
        return self._on_device[name, role]

    def _placed(self, value: Tensor, role: str) -> Tensor:
        if role and self._half is not None:
            value = value.to(self._half)
        if role and value.dim() == _FORMATTED:
            return value.to(self._device, memory_format=torch.channels_last)
        return value.to(self._device)


def _run(step: _Step, arguments: list[Tensor | None]) -> tuple[Tensor, ...]:
    if step.widens:
        arguments = [_widened(argument) for argument in arguments]
    result = step.operator(*arguments, **step.attributes)
    return result if isinstance(result, tuple) else (result,)


def _widened(value: Tensor | None) -> Tensor | None:
    narrow = value is not None and value.dtype in {torch.float16, torch.bfloat16}
    return value.float() if narrow else value  # type: ignore[union-attr]


def _needed(network: Network, wanted: tuple[str, ...]) -> list[_Node]:
    """The nodes that the wanted outputs depend on, in their order."""
    names, nodes = set(wanted), []
    for node in reversed(network.nodes):
        if names & set(node.outputs):
            names.update(node.inputs)
            nodes.append(node)
    return nodes[::-1]


def _letting_go(steps: list[_Step], wanted: tuple[str, ...]) -> tuple[_Step, ...]:
    """Each step with the values that no later one needs, so that memory is used again."""
    later, left = set(wanted), []
    for step in reversed(steps):
        mentioned = {i for i in step.inputs if isinstance(i, str)} | set(step.outputs)
        left.append(step._replace(done_with=tuple(sorted(mentioned - later))))
        later |= mentioned
    return tuple(left[::-1])


def _tensor(proto: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(numpy_helper.to_array(proto).copy())


def _value(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return _tensor(value) if isinstance(value, onnx.TensorProto) else value
