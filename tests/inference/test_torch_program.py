"""A model file's network as torch operations."""

from pathlib import Path

import numpy as np
import pytest
import torch

from darkscan.inference.pytorch._program import Program, read_network
from darkscan.pipeline.core.errors import InputError
from tests.conftest import REPOSITORY
from tests.inference.models import small_dense

SHIPPED = sorted((REPOSITORY / "models").glob("*.onnx"))
WANTED = ("scores", "lines")


def inputs(
    device: str, shape: tuple[int, int] = (512, 384), windows: int = 3
) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    on_host = {
        "frame": torch.randint(0, 60, (*shape, 1), generator=rng).to(torch.uint8),
        "origins": torch.tensor([[0, 0], [128, 0], [256, 128]])[:windows],
        "gains": torch.full((windows,), 4.0),
        "offsets": torch.full((windows,), -8.0),
        "full_scale": torch.tensor(255.0),
    }
    return {name: tensor.to(device) for name, tensor in on_host.items()}


@pytest.mark.parametrize("half", [None, torch.float16], ids=["exact", "half"])
@pytest.mark.parametrize("model", [*SHIPPED, None], ids=lambda m: m.stem if m else "small dense")
def test_a_run_never_looks_at_what_is_on_the_device(
    model: Path | None, half: torch.dtype | None, dense_model: Path
) -> None:
    # Tensors on "meta" have no numbers: who asked for one, or mixed in some of the host's,
    # would fail, as the capture of a CUDA graph would.
    on_device = inputs("meta")
    program = Program(read_network(model or dense_model), on_device, WANTED, half=half)
    scores, lines = program(on_device)
    assert (scores.device.type, scores.dtype, scores.shape) == ("meta", torch.float32, (3,))
    assert (lines.device.type, lines.dtype, lines.shape) == ("meta", torch.float32, (3, 32, 32))


@torch.no_grad()
def test_half_precision_is_near_and_its_outputs_are_floats(dense_model: Path) -> None:
    network, given = read_network(dense_model), inputs("cpu")
    exact = Program(network, given, WANTED)(given)
    half = Program(network, given, WANTED, half=torch.float16)(given)
    for one, other in zip(exact, half, strict=True):
        assert other.dtype == torch.float32
        assert not torch.equal(one, other)
        torch.testing.assert_close(one, other, atol=0.02, rtol=0)


@torch.no_grad()
def test_a_program_serves_all_inputs_of_its_shapes(dense_model: Path) -> None:
    network, given = read_network(dense_model), inputs("cpu")
    dark = {**given, "frame": torch.zeros_like(given["frame"])}
    made_with_dark = Program(network, dark, WANTED)
    for one, other in zip(
        made_with_dark(given), Program(network, given, WANTED)(given), strict=True
    ):
        assert torch.equal(one, other)


def test_shapes_must_not_depend_on_the_pixels(tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    model = onnx.load(small_dense(tmp_path / "model.onnx"))
    node = next(node for node in model.graph.node if node.output[0] == "raw")
    node.CopyFrom(helper.make_node("Reshape", ["grey", "origins"], ["raw"]))
    onnx.save(model, tmp_path / "strange.onnx")
    with pytest.raises(InputError, match="Reshape's shape not to depend"):
        Program(read_network(tmp_path / "strange.onnx"), inputs("cpu"), WANTED)


def test_constants_are_computed_once(dense_model: Path) -> None:
    given = inputs("cpu")
    program = Program(read_network(dense_model), given, ("scores",))
    kinds = [getattr(step.operator, "__name__", "") for step in program._steps]
    assert "_shape_of" not in kinds
    assert "_resize" not in kinds, "nobody wants the lines"
    assert np.isfinite(program(given)[0].numpy()).all()
