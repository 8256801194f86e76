from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from darkscan.inference import FrameFormat, ModelJob, Placement, open_backend, see
from darkscan.inference.tensorrt._halving import Half, in_half
from darkscan.network import export as exporting
from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.export import (
    ModelConventions,
    example_inputs,
    export,
    export_checkpoint,
)
from darkscan.network.frame_model import frame_model
from darkscan.network.training import Checkpoint, TrainingOptions
from darkscan.network.variants import build
from darkscan.pipeline.core.errors import DarkscanError, InputError, StorageError
from tests.inference.models import frame_windows
from tests.rounding import assert_same_but_for_rounding

pytestmark = pytest.mark.slow

CONVENTIONS = ModelConventions(
    threshold=0.75,
    grow_threshold=0.25,
    training_data="noise",
    training_data_hash="sha256:0123",
    training_seed=4,
    training_steps=20,
)


@pytest.fixture(scope="module", params=["afn", "darkscan", "darkscan-dense"])
def network(request: pytest.FixtureRequest) -> AttentionFusionNetwork:
    torch.manual_seed(11)
    network = build(request.param, 0.125).eval()
    assert isinstance(network, AttentionFusionNetwork)
    if network.bank is not None:
        joined = network.evidence[1].weight
        assert isinstance(joined, torch.Tensor)
        torch.nn.init.normal_(joined, 0, 0.3)  # heard, as after a training
    return network


@pytest.fixture(scope="module")
def model_file(network: AttentionFusionNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export(network, file, CONVENTIONS)
    return file


@pytest.fixture(scope="module")
def session(model_file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model_file, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("windows", [1, 2, 7], ids=lambda n: f"{n} windows")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16], ids=["8 bits", "12 bits"])
def test_one_file_serves_every_depth_and_number_of_windows(
    network: AttentionFusionNetwork,
    session: onnxruntime.InferenceSession,
    dtype: type[np.generic],
    windows: int,
) -> None:
    inputs = example_inputs(dtype, windows, seed=windows)
    logits, scores = session.run(["logits", "scores"], inputs)
    with torch.inference_mode():
        tensors = [torch.from_numpy(inputs[i.name]) for i in session.get_inputs()]
        expected = frame_model(network)(*tensors)
    assert_same_but_for_rounding(logits, expected[0])
    assert_same_but_for_rounding(scores, expected[1])


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_other_backends_see_what_onnx_runtime_sees(
    session: onnxruntime.InferenceSession, model_file: Path, backend: str
) -> None:
    windows = frame_windows(pixel_type="uint16")
    shape = (windows.frame.shape[0], windows.frame.shape[1])
    job = ModelJob.read(model_file, FrameFormat(shape, "uint16", 4095))
    seen = {}
    for name in ("onnxruntime", backend):
        opened = open_backend(job, Placement(name, threads=1, batch=4))
        seen[name] = see(opened, windows, 4095)
        opened.close()
    expected, found = seen["onnxruntime"], seen[backend]
    assert len(expected.scores) == 6
    assert_same_but_for_rounding(found.scores, expected.scores)
    assert (found.lines is None) == (len(session.get_outputs()) < 3)
    if found.lines is not None and expected.lines is not None:
        # Untrained, the logits of lines are some ten large: their roundings are so much larger.
        assert_same_but_for_rounding(found.lines, expected.lines, layers=10 * 32)
    assert (found.kinds is None) == (len(session.get_outputs()) < 4)
    if found.kinds is not None and expected.kinds is not None:
        # Where two kinds are as likely, rounding decides between them.
        alike = np.floor(found.kinds) == np.floor(expected.kinds)
        assert alike.mean() > 0.99
        assert_same_but_for_rounding(found.kinds[alike], expected.kinds[alike], layers=10 * 32)


def test_the_kinds_of_cells_are_their_numbers_and_probabilities(
    network: AttentionFusionNetwork, session: onnxruntime.InferenceSession
) -> None:
    if len(session.get_outputs()) < 4:
        pytest.skip("this network does not tell kinds")
    inputs = example_inputs(np.uint8, 3)
    (kinds,) = session.run(["kinds"], inputs)
    assert kinds.shape == (3, 32, 32)
    number, probability = np.floor(kinds), kinds % 1
    assert set(np.unique(number)) <= set(range(7))
    assert ((probability >= 1 / 7 - 1e-6) & (probability < 1)).all()
    with torch.inference_mode():
        tensors = [torch.from_numpy(inputs[i.name]) for i in session.get_inputs()]
        expected = frame_model(network)(*tensors)[3].numpy()
    alike = np.floor(expected) == number
    assert alike.mean() > 0.99
    assert_same_but_for_rounding(kinds[alike], expected[alike], layers=10 * 32)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_its_trunk_can_be_halved(model_file: Path, precision: Half) -> None:
    halved = onnx.load_model_from_string(
        in_half(model_file.read_bytes(), precision, file=model_file)
    )
    onnx.checker.check_model(halved, full_check=True)
    whole = onnx.load(model_file)
    assert [output.type for output in halved.graph.output] == [
        output.type for output in whole.graph.output
    ]


def test_the_file_says_how_it_is_to_be_used(
    session: onnxruntime.InferenceSession, network: AttentionFusionNetwork
) -> None:
    metadata = session.get_modelmeta().custom_metadata_map
    said = {key: metadata[f"darkscan.{key}"] for key in ("format", "window", "stride", "threshold")}
    assert said == {"format": "1", "window": "256", "stride": "128", "threshold": "0.75"}
    assert metadata["darkscan.training_data_hash"] == "sha256:0123"
    assert metadata["darkscan.width"] == "0.125"
    assert metadata["darkscan.network"] == network.name
    dense = network.name == "darkscan-dense"
    ours = dense or network.name == "darkscan"
    said_parts = [metadata[f"darkscan.{part}"] for part in ("clip", "lines", "bank", "kinds")]
    assert said_parts == [str(part).lower() for part in (ours, ours, dense, dense)]
    assert metadata["darkscan.cell_kinds"] == str(dense).lower()
    assert metadata["darkscan.form"] == ("dense" if dense else "windowed")
    assert all(key.startswith("darkscan.") for key in metadata)


def test_the_same_network_gives_the_same_bytes_and_none_of_this_machines_paths(
    network: AttentionFusionNetwork, model_file: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.onnx"
    export(network, again, CONVENTIONS)
    assert again.read_bytes() == model_file.read_bytes()
    assert b".py" not in again.read_bytes()


def test_a_model_that_disagrees_with_the_network_is_not_written(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_to_onnx", lambda _: onnx.load(model_file))
    another = AttentionFusionNetwork(0.125).eval()
    with pytest.raises(DarkscanError, match="logits differ from the network's by"):
        export(another, tmp_path / "model.onnx", CONVENTIONS)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(
    network: AttentionFusionNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_checked_model", lambda *_: b"a model")
    (tmp_path / "taken").write_text("")
    file = tmp_path / "taken" / "model.onnx"
    with pytest.raises(StorageError, match=r"taken: cannot be written"):
        export(network, file, CONVENTIONS)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a network that nobody trained."""
    return saved(tmp_path / "checkpoint.pt", "darkscan")


def saved(file: Path, name: str) -> Path:
    weights = build(name, 0.125).state_dict()
    options = TrainingOptions(network=name, width=0.125)
    Checkpoint(options, 20, "0123", weights, weights, {}, {}, data="noise").save(file)
    return file


def test_a_checkpoint_becomes_a_model_and_a_small_checkpoint(
    checkpoint: Path, tmp_path: Path
) -> None:
    file, weights = tmp_path / "model.onnx", tmp_path / "model.pt"
    point = export_checkpoint(checkpoint, file, weights=weights, windows=64)
    assert set(point.figures) == {"optic", "wide"}
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert float(metadata["darkscan.threshold"]) == point.threshold
    assert metadata["darkscan.training_data"] == "noise"
    assert metadata["darkscan.training_data_hash"] == "sha256:0123"
    loaded = Checkpoint.load(weights)
    assert loaded.options.network == "darkscan"
    assert not loaded.network
    assert isinstance(loaded.averaged_network(), AttentionFusionNetwork)


def test_a_peer_of_the_papers_is_not_exported(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with pytest.raises(InputError, match=r"peer\.pt: network: holds xception, and only"):
        export_checkpoint(saved(tmp_path / "peer.pt", "xception"), file)
    assert not file.exists()
