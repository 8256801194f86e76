"""Each operator by itself, against ONNX Runtime's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from darkscan.inference.pytorch._operators import OPERATORS
from darkscan.inference.pytorch._program import Program, read_network
from darkscan.pipeline.core.errors import InputError
from tests.rounding import assert_same_but_for_rounding

RNG = np.random.default_rng(2)
IMAGE = RNG.normal(size=(1, 4, 12, 10)).astype(np.float32)
SQUARE = RNG.normal(size=(3, 4)).astype(np.float32)
WHOLE = np.array([[7, -3, 2], [0, 5, -8]], np.int64)


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def real(value: float | Sequence[float] | Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
    return np.array(value, np.float32)


WEIGHT = RNG.normal(size=(6, 4, 3, 3)).astype(np.float32)
# What the operator gets first comes from outside, the rest are constants of the graph.
CASES: dict[str, tuple[str, list[npt.NDArray[Any] | None], dict[str, Any]]] = {
    "absolute": ("Abs", [SQUARE], {}),
    "sum": ("Add", [SQUARE, real([1, 2, 3, 4])], {}),
    "place of the largest": ("ArgMax", [IMAGE], {"axis": 1, "keepdims": 0}),
    "mean pool, border counted": (
        "AveragePool",
        [IMAGE],
        {"kernel_shape": [4, 2], "pads": [1, 1, 1, 1], "strides": [2, 2], "count_include_pad": 1},
    ),
    "mean pool, border not counted": (
        "AveragePool",
        [IMAGE],
        {"kernel_shape": [4, 4], "pads": [2, 2, 2, 2], "strides": [2, 2]},
    ),
    "cast to whole numbers": ("Cast", [SQUARE * 3], {"to": TensorProto.INT64}),
    "clip both ends": ("Clip", [SQUARE, real(-0.5), real(0.5)], {}),
    "clip above only": ("Clip", [SQUARE, None, real(0.5)], {}),
    "concatenate": ("Concat", [SQUARE, SQUARE + 1], {"axis": 1}),
    "convolve, dilated": (
        "Conv",
        [IMAGE, WEIGHT, real([1] * 6)],
        {"kernel_shape": [3, 3], "pads": [2, 2, 2, 2], "dilations": [2, 2]},
    ),
    "convolve, uneven border": (
        "Conv",
        [IMAGE, WEIGHT],
        {"kernel_shape": [3, 3], "pads": [0, 1, 1, 2], "strides": [2, 1]},
    ),
    "convolve in groups": ("Conv", [IMAGE, WEIGHT[:, :2]], {"kernel_shape": [3, 3], "group": 2}),
    "running sum": ("CumSum", [SQUARE, ints(1).reshape(())], {}),
    "dequantise along an axis": (
        "DequantizeLinear",
        [
            RNG.integers(-9, 9, (3, 4)).astype(np.int8),
            real([0.5, 2, 1]),
            np.array([1, 0, -2], np.int8),
        ],
        {"axis": 0},
    ),
    "dequantise": (
        "DequantizeLinear",
        [RNG.integers(0, 9, (3, 4)).astype(np.uint8), real(0.5), np.array(3, np.uint8)],
        {},
    ),
    "ratio": ("Div", [SQUARE, real(0.3)], {}),
    "whole ratio": ("Div", [WHOLE, ints(2)], {}),
    "expand": ("Expand", [real([[1], [2]]), ints(3, 1, 4)], {}),
    "floor": ("Floor", [SQUARE * 3], {}),
    "gather columns": ("Gather", [SQUARE, ints(3, 0, -1)], {"axis": 1}),
    "gather a table": ("Gather", [SQUARE, ints(2, 0, 1, 1).reshape(2, 2)], {"axis": 0}),
    "gather one row": ("Gather", [SQUARE, ints(-1).reshape(())], {"axis": 0}),
    "linear layer": (
        "Gemm",
        [SQUARE, RNG.normal(size=(2, 4)).astype(np.float32), real([1, 2])],
        {"transB": 1, "alpha": 0.5, "beta": 2.0},
    ),
    "identity": ("Identity", [SQUARE], {}),
    "matrix product": ("MatMul", [SQUARE, SQUARE.T.copy()], {}),
    "greater": ("Max", [SQUARE, real(0)], {}),
    "greatest pool": (
        "MaxPool",
        [IMAGE],
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
    ),
    "lesser": ("Min", [SQUARE, real(0)], {}),
    "product": ("Mul", [SQUARE, real([1, 2, 3, 4])], {}),
    "opposite": ("Neg", [SQUARE], {}),
    "power": ("Pow", [SQUARE, real(2)], {}),
    "quantise, halves to even": (
        "QuantizeLinear",
        [real([[-0.75, -0.25, 0.25, 0.75, 99, -99]]), real(0.5), np.array(3, np.uint8)],
        {},
    ),
    "quantise along an axis": (
        "QuantizeLinear",
        [SQUARE, real([0.1, 0.2, 0.3]), np.array([0, 1, 2], np.int8)],
        {"axis": 0},
    ),
    "reciprocal": ("Reciprocal", [SQUARE], {}),
    "greatest along axes": ("ReduceMax", [IMAGE, ints(1, 3)], {"keepdims": 0}),
    "mean along axes": ("ReduceMean", [IMAGE, ints(-1, -2)], {"keepdims": 1}),
    "mean of nothing": ("ReduceMean", [IMAGE], {"noop_with_empty_axes": 1}),
    "mean of all": ("ReduceMean", [IMAGE], {"keepdims": 0}),
    "least along an axis": ("ReduceMin", [IMAGE, ints(2)], {"keepdims": 0}),
    "sum along an axis": ("ReduceSum", [IMAGE, ints(1)], {"keepdims": 0}),
    "rectify": ("Relu", [SQUARE], {}),
    "reshape, a side kept": ("Reshape", [IMAGE, ints(0, 2, -1)], {}),
    "resize, nearest": (
        "Resize",
        [IMAGE, None, real([1, 1, 2, 3])],
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        },
    ),
    "resize, linear": (
        "Resize",
        [IMAGE, None, None, ints(1, 4, 24, 25)],
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    ),
    "sigmoid": ("Sigmoid", [SQUARE], {}),
    "slice with steps": ("Slice", [IMAGE, ints(1, 0), ints(99, -1), ints(2, 3), ints(2, 1)], {}),
    "slice": ("Slice", [SQUARE, ints(1, 1), ints(3, 3)], {}),
    "softmax": ("Softmax", [IMAGE], {"axis": 1}),
    "split evenly": ("Split", [SQUARE], {"axis": 1, "num_outputs": 2}),
    "split as told": ("Split", [SQUARE, ints(1, 3)], {"axis": 1}),
    "root": ("Sqrt", [abs(SQUARE)], {}),
    "squeeze": ("Squeeze", [SQUARE[:, None, :, None], ints(1, -1)], {}),
    "squeeze all": ("Squeeze", [SQUARE[:, None, :, None]], {}),
    "difference": ("Sub", [SQUARE, real(1)], {}),
    "transpose": ("Transpose", [IMAGE], {"perm": [0, 2, 3, 1]}),
    "unsqueeze": ("Unsqueeze", [SQUARE, ints(0, -1)], {}),
}
IN_OTHER_TESTS = {"Constant", "Range", "Shape"}  # constants: see the last tests


def write(
    path: Path,
    kind: str,
    given: list[npt.NDArray[Any] | None],
    attributes: dict[str, Any],
    outputs: int = 1,
) -> Path:
    names = [f"in{n}" if value is not None else "" for n, value in enumerate(given)]
    results = [f"out{n}" for n in range(outputs)]
    first = given[0]
    assert first is not None
    graph = helper.make_graph(
        [helper.make_node(kind, names, results, **attributes)],
        "one",
        [
            helper.make_tensor_value_info(
                "in0", helper.np_dtype_to_tensor_dtype(first.dtype), first.shape
            )
        ],
        [onnx.ValueInfoProto(name=name) for name in results],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in zip(names[1:], given[1:], strict=True)
            if value is not None
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    model = onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=opset, ir_version=10)
    )
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("case", CASES)
def test_an_operator_does_as_onnx_runtime_does(case: str, tmp_path: Path) -> None:
    kind, given, attributes = CASES[case]
    model = write(tmp_path / "one.onnx", kind, given, attributes, 2 if kind == "Split" else 1)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"in0": given[0]})
    tensors = {"in0": torch.from_numpy(np.array(given[0]))}
    names = tuple(output.name for output in session.get_outputs())
    results = Program(read_network(model), tensors, names)(tensors)
    for result, right in zip(results, expected, strict=True):
        assert tuple(result.shape) == right.shape
        assert_same_but_for_rounding(result, right, layers=8)


def test_each_operator_has_a_case() -> None:
    assert {kind for kind, *_ in CASES.values()} | IN_OTHER_TESTS == OPERATORS.keys()


def test_constants_ranges_and_shapes(tmp_path: Path) -> None:
    half = numpy_helper.from_array(real(0.5), "half")
    nodes = [
        helper.make_node("Constant", [], ["half"], value=half),
        helper.make_node("Shape", ["in0"], ["rows"], start=0, end=1),
        helper.make_node("Squeeze", ["rows"], ["rows0"]),
        helper.make_node("Cast", ["rows0"], ["end"], to=TensorProto.FLOAT),
        helper.make_node("Range", ["half", "end", "half"], ["steps"]),
        helper.make_node("ReduceSum", ["in0"], ["total"], keepdims=0),
        helper.make_node("Add", ["steps", "total"], ["out0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "range",
        [helper.make_tensor_value_info("in0", TensorProto.FLOAT, [3, 4])],
        [helper.make_tensor_value_info("out0", TensorProto.FLOAT, [5])],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "range.onnx")
    given = {"in0": torch.from_numpy(SQUARE)}
    (result,) = Program(read_network(tmp_path / "range.onnx"), given, ("out0",))(given)
    np.testing.assert_allclose(result, np.arange(0.5, 3, 0.5) + SQUARE.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "given", "attributes", "problem"),
    [
        ("MaxPool", [IMAGE], {"kernel_shape": [3, 3], "pads": [0, 0, 1, 1]}, "uneven padding"),
        ("ArgMax", [SQUARE], {"axis": 1, "select_last_index": 1}, "last of equal"),
        ("Slice", [SQUARE, ints(3), ints(0), ints(1), ints(-1)], {}, "slice backwards"),
        ("Resize", [IMAGE, None, real([1, 1, 2, 2])], {"mode": "cubic"}, "does not resize cubic"),
    ],
    ids=["uneven pooling", "the last largest", "backward slices", "cubic interpolation"],
)
def test_what_torch_does_otherwise_is_refused(
    kind: str,
    given: list[npt.NDArray[Any] | None],
    attributes: dict[str, Any],
    problem: str,
    tmp_path: Path,
) -> None:
    model = write(tmp_path / "one.onnx", kind, given, attributes)
    tensors = {"in0": torch.from_numpy(np.array(given[0]))}
    with pytest.raises(InputError, match=problem):
        Program(read_network(model), tensors, ("out0",))
