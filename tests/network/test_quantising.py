"""Models in eight bits: what is quantised, what is kept, and when the result is refused."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from darkscan.cli import quantise as command
from darkscan.inference import read_conventions
from darkscan.inference.scoring import ModelScorer
from darkscan.network.quantising import (
    StatedWindows,
    Target,
    Trial,
    compare,
    data_set_windows,
    quantise,
    quantise_file,
    read_model,
    simulated_images,
    simulated_windows,
    trunk_nodes,
)
from darkscan.network.quantising import _acceptance as acceptance
from darkscan.network.quantising._model import bias_behind_pooling
from darkscan.pipeline.core.errors import DarkscanError, InputError, StorageError

pytestmark = pytest.mark.slow

MODEL = Path(__file__).parents[2] / "models" / "windowed.onnx"


@pytest.fixture(scope="module")
def calibration() -> StatedWindows:
    return simulated_windows(16, seed=1)


@pytest.fixture(scope="module")
def test_set() -> StatedWindows:
    return simulated_windows(48, seed=2)


@pytest.fixture(scope="module")
def in_float() -> bytes:
    return MODEL.read_bytes()


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    def write(model: onnx.ModelProto) -> Path:
        path = tmp_path / "quantised.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture(scope="module", params=list(Target), ids=lambda target: target.value)
def quantised(
    request: pytest.FixtureRequest, in_float: bytes, calibration: StatedWindows
) -> tuple[Target, onnx.ModelProto]:
    return request.param, quantise(in_float, request.param, calibration, file=MODEL)


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def small_graph() -> onnx.GraphProto:
    """A stem, a trunk of one residual block, channel attention and a head beside it."""

    def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs.split(), [output], name=f"to_{output}", **attributes)

    weights = {"w0": (4, 2, 3, 3), "w1": (4, 4, 1, 1), "w2": (4, 4, 1, 1), "w3": (1, 4, 1, 1)}
    rng = np.random.default_rng(1)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    arrays["b0"] = rng.normal(size=4).astype(np.float32)
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    return helper.make_graph(
        [
            node("Mul", "windows gains", "adjusted"),
            node("Conv", "adjusted w0 b0", "stem", pads=[1, 1, 1, 1]),
            node("Relu", "stem", "lit"),
            node("MaxPool", "lit", "pooled", **pool),
            node("Conv", "pooled w1", "first"),
            node("Add", "pooled first", "added"),
            node("Relu", "added", "features"),
            node("ReduceMean", "features axes", "squeezed"),
            node("Conv", "squeezed w2", "excited"),
            node("Conv", "features w3", "placed"),
            node("Mul", "features excited", "by_channel"),
            node("Add", "by_channel placed", "attended"),
            node("ReduceMean", "attended axes", "logits"),
        ],
        "small",
        [
            helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["N", 2, 8, 8]),
            helper.make_tensor_value_info("gains", TensorProto.FLOAT, ["N", 1, 1, 1]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 4, 1, 1])],
        [
            *(numpy_helper.from_array(array, name) for name, array in arrays.items()),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
        ],
    )


def test_the_trunk_lies_between_the_stem_and_the_last_feature_maps() -> None:
    assert trunk_nodes(small_graph()) == ["to_first", "to_added", "to_features"]


def test_the_trunk_stays_the_same_with_the_bias_behind_the_pooling() -> None:
    graph = small_graph()
    bias_behind_pooling(graph)
    assert trunk_nodes(graph) == ["to_first", "to_added", "to_features"]


def test_a_graph_without_pooling_has_no_trunk() -> None:
    graph = small_graph()
    del graph.node[7:]
    assert trunk_nodes(graph) == []


def test_a_bias_behind_the_pooling_changes_no_result() -> None:
    graph = small_graph()
    moved = small_graph()
    bias_behind_pooling(moved)
    assert [node.op_type for node in moved.node][1:5] == ["Conv", "MaxPool", "Add", "Relu"]
    rng = np.random.default_rng(2)
    feed = {
        "windows": rng.normal(size=(2, 2, 8, 8)).astype(np.float32),
        "gains": np.ones((2, 1, 1, 1), np.float32),
    }
    results = []
    for some in (graph, moved):
        model = helper.make_model(some, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.checker.check_model(model)
        content = model.SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        results.append(session.run(None, feed)[0])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)


def test_most_convolutions_are_in_eight_bits_and_what_makes_the_score_is_not(
    quantised: tuple[Target, onnx.ModelProto],
) -> None:
    _, model = quantised
    of_eight_bits = {n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    for node in model.graph.node:
        if node.op_type == "Conv" and "stages" in node.input[1]:
            assert set(node.input[:2]) <= of_eight_bits, node.name
        elif node.op_type in {"Conv", "Gemm"}:
            assert node.input[1] not in of_eight_bits, node.name


def test_a_model_for_tensorrt_keeps_its_rules(quantised: tuple[Target, onnx.ModelProto]) -> None:
    target, model = quantised
    arrays = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    kinds = {
        arrays[node.input[2]].dtype.name
        for node in model.graph.node
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}
    }
    of_frame = [node.op_type for node in model.graph.node if "frame" in node.input]
    assert set(of_frame) <= {"Cast", "Shape"}
    if target is Target.CPU:
        assert kinds == {"uint8", "int8", "int32"}
    else:
        assert kinds == {"int8"}
        for node in model.graph.node:
            if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
                assert not arrays[node.input[2]].any(), node.name


def test_scores_hardly_change(
    quantised: tuple[Target, onnx.ModelProto],
    file_of: Callable[[onnx.ModelProto], Path],
    test_set: StatedWindows,
) -> None:
    _, model = quantised
    found = compare(MODEL, file_of(model), test_set, 0.5)
    assert found.agreement >= 0.93
    assert found.after.area_under_curve >= found.before.area_under_curve - 0.03


def test_threads_and_batches_change_no_bit_of_a_score(
    quantised: tuple[Target, onnx.ModelProto],
    file_of: Callable[[onnx.ModelProto], Path],
    test_set: StatedWindows,
) -> None:
    file, windows = file_of(quantised[1]), test_set.windows[:12]
    alone = ModelScorer(file, threads=1, batch=12)(windows, 255.0)
    for threads, batch in ((1, 1), (2, 5), (3, 12)):
        scorer = ModelScorer(file, threads=threads, batch=batch)
        np.testing.assert_array_equal(scorer(windows, 255.0), alone)


def test_deep_windows_are_scored_in_their_own_depth() -> None:
    windows = simulated_windows(4, seed=3).windows.astype(np.uint16)
    scorer = ModelScorer(MODEL, threads=0)
    eight_bit = scorer(windows.astype(np.uint8), 255.0)
    np.testing.assert_allclose(scorer(windows * 16, 4080.0), eight_bit, atol=1e-4)


def test_equal_arguments_give_equal_models(
    quantised: tuple[Target, onnx.ModelProto], in_float: bytes, calibration: StatedWindows
) -> None:
    target, model = quantised
    again = quantise(in_float, target, calibration, file=MODEL)
    assert again.SerializeToString(deterministic=True) == model.SerializeToString(
        deterministic=True
    )


def test_a_quantised_file_says_how_it_came_about(
    tmp_path: Path, calibration: StatedWindows, test_set: StatedWindows, in_float: bytes
) -> None:
    out = tmp_path / "int8.onnx"
    ticks: list[int] = []
    trial = Trial(calibration, test_set, allowed_loss=1)
    found = quantise_file(MODEL, out, Target.CPU, trial, tick=ticks.append)
    before = metadata(onnx.load_model_from_string(in_float))
    after = metadata(onnx.load(out))
    assert before.items() <= after.items()
    assert after["darkscan.precision"] == "int8"
    assert after["darkscan.calibration_seed"] == "1"
    assert after["darkscan.calibration_windows"] == "16"
    assert float(after["darkscan.f1_before"]) == pytest.approx(found.before.kept.f1, abs=1e-4)
    assert float(after["darkscan.f1_after"]) == pytest.approx(found.after.kept.f1, abs=1e-4)
    assert read_conventions(out).threshold == read_conventions(MODEL).threshold
    assert out.stat().st_size < 0.5 * MODEL.stat().st_size
    assert sum(ticks) == len(calibration) + 2 * len(test_set)
    with pytest.raises(InputError, match=r"int8\.onnx: is in eight bits already"):
        quantise(out.read_bytes(), Target.CPU, calibration, file=out)


def test_a_model_that_loses_too_much_is_not_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quantised: tuple[Target, onnx.ModelProto],
    calibration: StatedWindows,
    test_set: StatedWindows,
) -> None:
    out, (target, sound) = tmp_path / "int8.onnx", quantised
    blind = onnx.ModelProto.FromString(sound.SerializeToString())
    for item in blind.graph.initializer:
        if item.name.startswith("network.head.bias"):
            item.CopyFrom(numpy_helper.from_array(np.array([-99], np.float32), item.name))
    monkeypatch.setattr(acceptance, "quantise", lambda *_, **__: blind)
    with pytest.raises(DarkscanError, match=r"eight bits lose .* nothing is written"):
        quantise_file(MODEL, out, target, Trial(calibration, test_set))
    assert list(tmp_path.iterdir()) == []


def test_simulated_windows_are_the_same_for_a_seed() -> None:
    one, same, other = (simulated_windows(20, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.windows, same.windows)
    assert not np.array_equal(one.windows, other.windows)
    assert set(one.labels.tolist()) == {0, 1}


class FakeSplit:
    labels = np.array([0, 1, 0, 1, 1], np.int8)
    full_scale = 4095.0

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> np.ndarray:
        return np.broadcast_to(indices[:, None, None], (len(indices), 256, 256)).astype(np.uint16)


class FakeData:
    hash = "sha256:abc"

    def split(self, name: str) -> FakeSplit:
        split = FakeSplit()
        if name == "train":
            split.labels = np.zeros(5, np.int8)
        return split


def test_windows_of_a_data_set_come_with_their_own_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkscan.network.datasets.Dataset.open", lambda _: FakeData())
    windows = data_set_windows(Path("data.h5"), "test", 4, seed=1)
    assert windows.full_scale == 4095.0
    np.testing.assert_array_equal(windows.labels, FakeSplit.labels[windows.windows[:, 0, 0]])
    assert len(np.unique(windows.windows[:, 0, 0])) == 4
    assert windows.description == "split test of the data set sha256:abc"


def test_a_split_of_one_class_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkscan.network.datasets.Dataset.open", lambda _: FakeData())
    with pytest.raises(InputError, match=r"data\.h5: train: needs windows with a scratch"):
        data_set_windows(Path("data.h5"), "train", 4, seed=1)


def darkscan(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["quantise", *(str(word) for word in words)])
    return int(arguments.run(arguments))


def test_the_command_writes_a_model_and_shows_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "int8.onnx"
    counts = ["--calibrate", "16", "--judge", "32"]
    assert darkscan("windowed", "--out", out, *counts, "--allow", "1") == 0
    said = capsys.readouterr().out
    assert "| int8 | kept |" in said
    assert f"{out}: " in said
    assert metadata(onnx.load(out))["darkscan.judged_on_windows"] == "32"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["absent.onnx"], "absent.onnx: cannot be read"),
        (["text.onnx"], "text.onnx: is no"),
        (["small.onnx"], "small.onnx: has inputs gains, windows; expected frame"),
        ([str(MODEL), "--judge", "3"], "--judge: must be from 16"),
        ([str(MODEL), "--calibrate", "0"], "--calibrate: must be from 16"),
        ([str(MODEL), "--allow", "nan"], "--allow: must be from 0 to 1"),
        ([str(MODEL), "--data", "absent.h5"], "absent.h5: "),
    ],
    ids=[
        "no such model", "no model", "another model", "too few to judge",
        "nothing to calibrate on", "an impossible loss", "no such data set",
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.onnx").write_text("no model")
    Path("small.onnx").write_bytes(helper.make_model(small_graph()).SerializeToString())
    with pytest.raises(InputError, match=problem):
        darkscan(*words, "--out", "out.onnx")
    assert not Path("out.onnx").exists()


def test_an_existing_file_is_overwritten_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "int8.onnx"
    out.write_text("precious")
    with pytest.raises(InputError, match=r"int8\.onnx: --out: exists already; --force"):
        darkscan(MODEL, "--out", out)
    assert out.read_text() == "precious"


def test_a_model_without_a_threshold_is_refused(tmp_path: Path, in_float: bytes) -> None:
    model = onnx.load_model_from_string(in_float)
    del model.metadata_props[:]
    bare = tmp_path / "bare.onnx"
    bare.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"bare\.onnx: darkscan\.threshold: is no darkscan model"):
        read_model(bare)


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    with pytest.raises(StorageError, match="is not a directory"):
        darkscan("absent.onnx", "--out", file / "int8.onnx")


def test_a_dense_models_trunk_and_line_head_are_in_eight_bits() -> None:
    file = MODEL.with_name("default.onnx")
    model = quantise(file.read_bytes(), Target.CPU, simulated_images(3, seed=1), file=file)
    assert metadata(model)["darkscan.calibration_images"] == "3"
    of_eight_bits = {n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    in_float = [n.input[1] for n in convolutions if n.input[1] not in of_eight_bits]
    assert len(convolutions) - len(in_float) > 30
    kept = ("stem", "excite", "bank.kernels")
    assert all(any(part in name for part in kept) for name in in_float), in_float


@pytest.mark.parametrize("target", list(Target), ids=lambda target: target.value)
def test_a_dense_models_scores_hardly_change_in_eight_bits(
    target: Target, file_of: Callable[[onnx.ModelProto], Path]
) -> None:
    file = MODEL.with_name("default.onnx")
    model = quantise(file.read_bytes(), target, simulated_images(8, seed=1), file=file)
    test = simulated_images(12, seed=2)
    found = compare(file, file_of(model), test, 0.5)
    assert found.agreement >= 0.93
    assert found.after.area_under_curve >= found.before.area_under_curve - 0.03
