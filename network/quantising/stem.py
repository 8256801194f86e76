"""Keeps the stem's pooling in float, where ONNX Runtime would move it into eight bits."""

import numpy as np
import onnx
from onnx import numpy_helper


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
