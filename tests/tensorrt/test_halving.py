"""The trunk in sixteen bits, all else in float32: the same scores but for a little."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from darkscan.inference.tensorrt._halving import Half, in_half
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins
from darkscan.simulation.element.windows import training_batch
from tests.conftest import REPOSITORY
from tests.tensorrt.conftest import write_model

MODEL = REPOSITORY / "models" / "default.onnx"


def halved(precision: Half) -> onnx.ModelProto:
    return onnx.load_model_from_string(in_half(MODEL.read_bytes(), precision, file=MODEL))


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    typed = (*graph.input, *graph.value_info, *graph.output)
    known = {item.name: item.type.tensor_type.elem_type for item in typed}
    return known | {item.name: item.data_type for item in graph.initializer}


@pytest.mark.parametrize(
    ("precision", "kind"),
    [
        pytest.param("fp16", TensorProto.FLOAT16, id="fp16"),
        pytest.param("bf16", TensorProto.BFLOAT16, id="bf16"),
    ],
)
def test_convolutions_are_in_half_and_what_surrounds_them_is_not(
    precision: Half, kind: int
) -> None:
    model = halved(precision)
    onnx.checker.check_model(model, full_check=True)
    types = types_of(model)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolutions
    assert {types[name] for node in convolutions for name in node.input} == {kind}
    before = onnx.load(MODEL).graph
    assert [o.type for o in model.graph.output] == [o.type for o in before.output]
    assert [i.type for i in model.graph.input] == [i.type for i in before.input]
    # Brightness adjustment and sigma clipping: all that feeds the first convolution.
    first = next(i for i, n in enumerate(model.graph.node) if n.op_type == "Conv")
    outputs = [name for node in model.graph.node[: first - 1] for name in node.output]
    assert kind not in {types[name] for name in outputs}
    # The head.
    *_, head = (node for node in model.graph.node if node.op_type in {"Gemm", "MatMul"})
    assert {types[name] for name in head.input} == {TensorProto.FLOAT}


def test_half_as_large() -> None:
    size = len(in_half(MODEL.read_bytes(), "fp16", file=MODEL))
    assert size < 0.55 * MODEL.stat().st_size


def test_the_same_model_gives_the_same_bytes() -> None:
    content = MODEL.read_bytes()
    assert in_half(content, "bf16", file=MODEL) == in_half(content, "bf16", file=MODEL)


def test_scores_stay_what_they_are() -> None:
    images = training_batch(5, 0, 4, 1.0, "mixed").images
    frame = np.ascontiguousarray(images.reshape(2, 2, 256, 256).transpose(0, 2, 1, 3))
    frame = frame.reshape(512, 512)
    origins = window_origins((512, 512), 256, 128)
    gains, offsets = gains_and_offsets(*window_extrema(frame, origins, 256))
    feed = {
        "frame": frame.view(np.uint8).reshape(512, 512, -1),
        "origins": origins.astype(np.int64),
        "gains": gains,
        "offsets": offsets,
        "full_scale": np.array(255, np.float32),
    }
    contents = (MODEL.read_bytes(), in_half(MODEL.read_bytes(), "fp16", file=MODEL))
    exact, half = (
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, feed)
        for content in contents
    )
    assert exact[0].std() > 0.5  # there is something to tell apart
    np.testing.assert_allclose(half[0], exact[0], atol=0.05)
    np.testing.assert_allclose(half[2], exact[2], atol=0.05)
    assert np.abs(half[0] - exact[0]).max() > 0  # it is another arithmetic


def test_eight_bits_are_not_halved(tmp_path: Path) -> None:
    model = onnx.load(write_model(tmp_path / "model.onnx"))
    model.graph.node.append(onnx.helper.make_node("QuantizeLinear", ["gains", "s"], ["q"]))
    with pytest.raises(InputError, match=r"mine\.onnx: is in eight bits already"):
        in_half(model.SerializeToString(), "fp16", file=Path("mine.onnx"))


def test_without_convolutions_there_is_nothing_to_halve(tmp_path: Path) -> None:
    file = write_model(tmp_path / "model.onnx")
    with pytest.raises(InputError, match="has no convolutions"):
        in_half(file.read_bytes(), "bf16", file=file)


def test_weights_beyond_fp16_are_refused() -> None:
    model = onnx.load(MODEL)
    weights = next(n.input[1] for n in model.graph.node if n.op_type == "Conv")
    (stored,) = (item for item in model.graph.initializer if item.name == weights)
    large = onnx.numpy_helper.to_array(stored) * 1e6
    stored.CopyFrom(onnx.numpy_helper.from_array(large, weights))
    content = model.SerializeToString()
    with pytest.raises(InputError, match="weights that fp16 cannot hold"):
        in_half(content, "fp16", file=MODEL)
    assert in_half(content, "bf16", file=MODEL)
