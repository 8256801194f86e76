"""Finds the part of an exported graph that is worth eight bits, and safe in them."""

from collections.abc import Collection

import onnx

_POOLS = frozenset({"ReduceMean", "GlobalAveragePool"})
_POOL_OF_WINDOWS = "AveragePool"
_IN_EIGHT_BITS = frozenset({"Conv", "Relu", "Add", "Concat", "Split", "Resize"})
_OF_STEM = frozenset({"Relu", "MaxPool", "Add"})


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
