"""Our graphs through a real TensorRT: that for RTX reads and builds them without a GPU."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from darkscan.inference import read_conventions
from darkscan.inference.tensorrt import (
    Arithmetic,
    Order,
    Step,
    Watch,
    build,
    read_graph,
    run_watched,
)
from darkscan.network.quantising import StatedWindows, Target, quantise
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.scan import PixelType
from darkscan.simulation.element.windows import training_batch
from tests.conftest import REPOSITORY
from tests.tensorrt.conftest import job_of

pytestmark = pytest.mark.slow

MODEL = REPOSITORY / "models" / "default.onnx"
MODELS = sorted((REPOSITORY / "models").glob("*.onnx"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
@pytest.mark.parametrize(
    ("arithmetic", "depth"), [("fp32", 1), ("fp32", 2), ("fp16", 2), ("bf16", 1)]
)
def test_shipped_models_become_engines(
    rtx: Any, model: Path, arithmetic: Arithmetic, depth: int
) -> None:
    conventions = read_conventions(model)
    if conventions.quantised_for == "cpu":
        pytest.skip("a model for CPUs")
    if conventions.precision == "int8" and arithmetic != "fp32":
        pytest.skip("its trunk is in eight bits")
    pixel_type: PixelType = "uint8" if depth == 1 else "uint16"
    order = Order(job_of(model, (2048, 2048), pixel_type), arithmetic)
    built = build(rtx, read_graph(rtx, order.content(), file=model), order.shapes())
    assert len(built.engine) > 100_000
    assert built.timings == b""  # it measures nothing when it builds


def test_eight_bits_for_tensorrt_are_accepted(rtx: Any, tmp_path: Path) -> None:
    batch = training_batch(1, 0, 4, 1.0, "mixed")
    labels = np.zeros(4, np.int8)
    windows = StatedWindows(batch.images, labels, 255.0, 1, "a few")
    model = quantise(MODEL.read_bytes(), Target.TENSORRT, windows, file=MODEL)
    onnx.save(model, tmp_path / "int8.onnx")
    order = Order(job_of(tmp_path / "int8.onnx", (512, 512)), "fp32")
    graph = read_graph(rtx, order.content(), file=order.job.file)
    assert build(rtx, graph, order.shapes()).engine


def test_a_building_says_how_far_it_is(rtx: Any) -> None:
    order = Order(job_of(MODEL, (512, 512)), "fp32")
    steps = Steps()
    graph = read_graph(rtx, order.content(), file=MODEL)
    build(rtx, graph, order.shapes(), watch=steps)
    assert steps.told
    assert all(0 <= step.done <= step.total for step in steps.told)


class Steps(Watch):
    """Remembers every step."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Step] = []

    def advance(self, phase: str, step: int) -> bool:
        goes_on = super().advance(phase, step)
        if self.step is not None:
            self.told.append(self.step)
        return goes_on


def test_a_building_can_be_interrupted(rtx: Any) -> None:
    order = Order(job_of(MODEL, (2048, 2048)), "fp32")
    content, shapes = order.content(), order.shapes()

    def work(watch: Watch) -> object:
        watch.stop()
        return build(rtx, read_graph(rtx, content, file=MODEL), shapes, watch=watch)

    with pytest.raises(DarkscanError, match=r"built no engine: .*[Cc]ancel") as caught:
        run_watched(work, lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_refused_node_is_named_in_one_line(rtx: Any) -> None:
    model = onnx.load(MODEL)
    model.graph.node[20].op_type = "Nonsense"
    with pytest.raises(InputError, match="refused by tensorrt-rtx: Nonsense node_") as caught:
        read_graph(rtx, model.SerializeToString(), file=MODEL)
    assert "\n" not in str(caught.value)
    assert model.graph.node[20].name in str(caught.value)


def test_what_is_no_graph_is_refused_in_one_line(rtx: Any) -> None:
    with pytest.raises(InputError, match=r"x\.onnx: is refused by .*ONNX model"):
        read_graph(rtx, b"nonsense", file=Path("x.onnx"))


def test_the_command_checks_a_file(rtx: Any) -> None:
    command = [sys.executable, "-m", "darkscan", "engine", "check", str(MODEL)]
    done = subprocess.run(
        [*command, "--frame", "512x384"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "reads it and builds an engine" in done.stdout
