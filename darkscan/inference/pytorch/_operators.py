"""ONNX operators in torch: those that darkscan's models are made of.

Each function takes the node's attributes by name and its inputs in order; ``None`` stands for
an input left out. Inputs that decide shapes (sizes, axes, limits) are tensors on the host.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from darkscan.pipeline.core.errors import InputError

Operator = Callable[..., Any]

DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""Torch's types by ONNX's numbers for them."""


def _conv(  # noqa: PLR0913 - the operator's own inputs and attributes
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    **_: object,
) -> Tensor:
    x, padding = _padded(x.to(weight.dtype), pads)
    return functional.conv2d(x, weight, bias, tuple(strides), padding, tuple(dilations), group)


def _max_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
    ceil_mode: int = 0,
    **_: object,
) -> Tensor:
    padding = _symmetric(pads)
    return functional.max_pool2d(
        x, tuple(kernel_shape), tuple(strides), padding, ceil_mode=bool(ceil_mode)
    )


def _average_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    **_: object,
) -> Tensor:
    return functional.avg_pool2d(
        x,
        tuple(kernel_shape),
        tuple(strides),
        _symmetric(pads),
        bool(ceil_mode),
        bool(count_include_pad),
    )


def _resize(
    x: Tensor,
    _region: Tensor | None,
    scales: Tensor | None,
    sizes: Tensor | None = None,
    *,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    **_: object,
) -> Tensor:
    if sizes is None:
        assert scales is not None, "ONNX wants the one or the other"
        size = [int(n * s) for n, s in zip(x.shape, scales.tolist(), strict=True)]
    else:
        size = sizes.tolist()
    known = {("nearest", "asymmetric", "floor"): "nearest", ("linear", "half_pixel"): "bilinear"}
    kind = (mode, coordinate_transformation_mode, nearest_mode)
    way = known.get(kind) or known.get(kind[:2])
    if way is None or size[:2] != list(x.shape[:2]):
        raise InputError(f"torch does not resize {' '.join(kind)}")
    return functional.interpolate(x, tuple(size[2:]), mode=way)


def _clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return x.clamp(*(None if limit is None else limit.item() for limit in (low, high)))


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _gather(x: Tensor, index: Tensor, *, axis: int = 0) -> Tensor:
    axis %= x.dim()
    if not index.dim() and index.device.type == "cpu":
        return x.select(axis, int(index))  # a view: no kernel, and none that waits
    flat = index.flatten()
    flat = torch.where(flat < 0, flat + x.shape[axis], flat)
    shape = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, flat).reshape(shape)


def _gemm(  # noqa: PLR0913 - the operator's own inputs and attributes
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 - ONNX's names
    transB: int = 0,  # noqa: N803
) -> Tensor:
    product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return product if c is None else product + beta * c


def _arg_max(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    if select_last_index:
        raise InputError("torch does not take the last of equal largest values")
    return x.argmax(dim=axis, keepdim=bool(keepdims))


def _reduced(
    how: Callable[..., Tensor],
) -> Operator:
    def reduce(
        x: Tensor, axes: Tensor | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Tensor:
        if axes is None and noop_with_empty_axes:
            return x
        dims = tuple(range(x.dim())) if axes is None else tuple(axes.tolist())
        return how(x, dim=dims, keepdim=bool(keepdims))

    return reduce


def _reshape(x: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    wanted = shape.tolist()
    if not allowzero:
        wanted = [x.shape[axis] if n == 0 else n for axis, n in enumerate(wanted)]
    return x.reshape(wanted)


def _expand(x: Tensor, shape: Tensor) -> Tensor:
    wanted = torch.broadcast_shapes(x.shape, tuple(shape.tolist()))  # type: ignore[no-untyped-call]
    return x.expand(wanted)


def _shape_of(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(tuple(x.shape)[start:end], dtype=torch.int64)


def _sliced(
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first, last = starts.tolist(), ends.tolist()
    over = range(len(first)) if axes is None else axes.tolist()
    by = [1] * len(first) if steps is None else steps.tolist()
    part = [slice(None)] * x.dim()
    for axis, start, end, step in zip(over, first, last, by, strict=True):
        if step < 1:
            raise InputError("torch does not slice backwards")
        part[axis] = slice(start, end, step)
    return x[tuple(part)]


def _split(
    x: Tensor, sizes: Tensor | None = None, *, axis: int = 0, num_outputs: int = 1
) -> tuple[Tensor, ...]:
    each = -(-x.shape[axis] // num_outputs) if sizes is None else sizes.tolist()
    return tuple(torch.split(x, each, dim=axis))


def _squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


def _unsqueeze(x: Tensor, axes: Tensor) -> Tensor:
    rank = x.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in axes.flatten().tolist()):
        x = x.unsqueeze(axis)
    return x


def _quantize(x: Tensor, scale: Tensor, zero: Tensor, *, axis: int = 1, **_: object) -> Tensor:
    limits = torch.iinfo(zero.dtype)
    levels = torch.round(x / _along(scale, x, axis)) + _along(zero, x, axis)
    return levels.clamp(limits.min, limits.max).to(zero.dtype)


def _dequantize(
    x: Tensor, scale: Tensor, zero: Tensor | None = None, *, axis: int = 1, **_: object
) -> Tensor:
    levels = x.to(scale.dtype)
    if zero is not None:
        levels = levels - _along(zero, x, axis).to(scale.dtype)
    return levels * _along(scale, x, axis)


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """One value for each place along an axis, shaped to be applied to ``x``."""
    if values.numel() == 1:  # one value for all places, as a scalar or as a list of one
        return values.reshape(())
    shape = [1] * x.dim()
    shape[axis] = -1
    return values.reshape(shape)


def _padded(x: Tensor, pads: Sequence[int]) -> tuple[Tensor, tuple[int, int]]:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return x, (top, left)
    return functional.pad(x, (left, right, top, bottom)), (0, 0)


def _symmetric(pads: Sequence[int]) -> tuple[int, int]:
    top, left, bottom, right = pads
    if (top, left) != (bottom, right):
        raise InputError("torch does not pool with uneven padding")
    return top, left


OPERATORS: dict[str, Operator] = {
    "Abs": torch.abs,
    "Add": torch.add,
    "ArgMax": _arg_max,
    "AveragePool": _average_pool,
    "Cast": lambda x, *, to, **_: x.to(DTYPES[to]),
    "Clip": _clip,
    "Concat": lambda *xs, axis: torch.cat(xs, dim=axis),
    "Constant": lambda *, value: value,
    "Conv": _conv,
    "CumSum": lambda x, axis: x.cumsum(int(axis)),
    "DequantizeLinear": _dequantize,
    "Div": _divide,
    "Expand": _expand,
    "Floor": torch.floor,
    "Gather": _gather,
    "Gemm": _gemm,
    "Identity": lambda x: x,
    "MatMul": torch.matmul,
    "Max": torch.maximum,
    "MaxPool": _max_pool,
    "Min": torch.minimum,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Pow": lambda x, power: x.pow(power.item()),
    "QuantizeLinear": _quantize,
    "Range": lambda start, end, step: torch.arange(start.item(), end.item(), step.item()).to(
        start.dtype
    ),
    "Reciprocal": torch.reciprocal,
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Relu": torch.relu,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape_of,
    "Sigmoid": torch.sigmoid,
    "Slice": _sliced,
    "Softmax": lambda x, *, axis=-1: x.softmax(axis),
    "Split": _split,
    "Sqrt": torch.sqrt,
    "Squeeze": _squeeze,
    "Sub": torch.sub,
    "Transpose": lambda x, *, perm: x.permute(perm),
    "Unsqueeze": _unsqueeze,
}

ON_HOST = {
    "Clip": {1, 2},
    "CumSum": {1},
    "Expand": {1},
    "Pow": {1},
    "Range": {0, 1, 2},
    "ReduceMax": {1},
    "ReduceMean": {1},
    "ReduceMin": {1},
    "ReduceSum": {1},
    "Reshape": {1},
    "Resize": {1, 2, 3},
    "Slice": {1, 2, 3, 4},
    "Split": {1},
    "Squeeze": {1},
    "Unsqueeze": {1},
}
"""Inputs that decide shapes or are plain numbers, by position: never on the device."""

IN_HALF = {
    "Add", "Concat", "Conv", "Gather", "Identity", "MaxPool", "Mul", "Neg", "Relu",
    "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Operators that lose nothing more in 16 bits; all others (sums, roots, ratios) get floats."""
