"""Exports a checkpoint as the model file that inspections load.

The file is ONNX; what its user must know beside the graph stands in its metadata
(``metadata_props``), every key of which begins with ``darkscan.``.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.dense import SIDES_PX, STRIDE_PX, WINDOW_PX, DenseNetwork
from darkscan.network.frame_model import frame_model
from darkscan.network.operating_point import OperatingPoint, choose_operating_point, looks_of
from darkscan.network.sources import SimulatedWindows
from darkscan.network.training import Checkpoint
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.grid import window_origins
from darkscan.simulation.element.real_backgrounds import RealBackgrounds

FORMAT_VERSION = 1
OPSET = 18
TOLERANCE = 1e-4  # between torch and ONNX Runtime: of a logit, or relative to a larger one
INPUT_NAMES = ("frame", "origins", "gains", "offsets", "full_scale")
OUTPUT_NAMES = ("logits", "scores", "lines", "kinds")
"""The last two only with a line head, and one that tells kinds."""


@dataclass(frozen=True)
class ModelConventions:
    """The facts that a model file states beside those that its network states."""

    threshold: float  # the score at or above which a window is a scratch
    grow_threshold: float  # the score from which a window continues a scratch it overlaps
    training_data: str  # in words
    training_data_hash: str
    training_seed: int
    training_steps: int

    def metadata(self, network: AttentionFusionNetwork) -> dict[str, str]:
        """Keys and values as they are written to the file, in their order."""
        values = {
            "format": FORMAT_VERSION,
            "name": "attention-fusion-network",
            "window": WINDOW_PX,
            "form": "dense" if isinstance(network, DenseNetwork) else "windowed",
            "stride": STRIDE_PX,
            "input_scaling": "raw = grey / full_scale; adjusted = (grey * gain + offset) / 255",
            "flat_window": "gain = 0, offset = 0",
            "threshold": repr(float(self.threshold)),
            "grow_threshold": repr(float(self.grow_threshold)),
            "network": network.name,
            "width": repr(float(network.width)),
            **{part: str(there).lower() for part, there in vars(network.parts).items()},
            "cell_kinds": str(_tells_kinds(network)).lower(),
            "training_data": self.training_data,
            "training_data_hash": self.training_data_hash,
            "training_seed": self.training_seed,
            "training_steps": self.training_steps,
            "version": version("darkscan"),
        }
        return {f"darkscan.{key}": str(value) for key, value in values.items()}


def export_checkpoint(
    checkpoint: Path,
    file: Path,
    *,
    weights: Path | None = None,
    windows: int = 4000,
    backgrounds: RealBackgrounds | None = None,
) -> OperatingPoint:
    """Chooses the threshold of a training's network and writes its model file.

    The thresholds are chosen on ``windows`` simulated windows of each look that neither
    training nor validation saw; with ``backgrounds`` also on as many with scratches simulated in
    these. ``weights``, if given, gets a checkpoint of the averaged
    weights alone. Raises InputError if ``checkpoint`` is none, or of a network that has no
    frame model (the paper's peers), and what ``export`` raises.
    """
    training = Checkpoint.load(checkpoint)
    network = training.averaged_network()
    if not isinstance(network, AttentionFusionNetwork):
        problem = f"holds {training.options.network}, and only Attention Fusion Networks and "
        raise InputError(problem + "their ablations are exported", file=checkpoint, field="network")
    seed = training.options.validation_seed + 1
    looks = looks_of(dense=isinstance(network, DenseNetwork), backgrounds=backgrounds)
    point = choose_operating_point(network, looks, seed=seed, count=windows)
    conventions = ModelConventions(
        threshold=point.threshold,
        grow_threshold=point.grow_threshold,
        training_data=training.data or SimulatedWindows.description,
        training_data_hash=f"sha256:{training.data_hash.removeprefix('sha256:')}",
        training_seed=training.options.seed,
        training_steps=training.step,
    )
    content = _checked_model(network, conventions)
    if weights is not None:
        training.weights_only().save(weights)
    write_atomically(file, content)
    return point


def export(network: AttentionFusionNetwork, file: Path, conventions: ModelConventions) -> None:
    """Writes the network's frame model to ``file``, whole or not at all.

    The network's weights are not changed. Raises DarkscanError if ONNX Runtime does not
    give torch's logits, StorageError if the file cannot be written.
    """
    write_atomically(file, _checked_model(network, conventions))


def example_inputs(
    dtype: npt.DTypeLike = np.uint8, windows: int = 3, seed: int = 0
) -> dict[str, npt.NDArray[np.generic]]:
    """A noise frame of 512x640 pixels, 8 or 12 bits deep, as the models take it.

    ``windows`` of its grid at half-window steps are asked for, row by row; at most 12.
    """
    rng = np.random.default_rng(seed)
    shape = (4 * SIDES_PX, 5 * SIDES_PX)
    full_scale = 255 if np.dtype(dtype).itemsize == 1 else 4095
    frame = rng.normal(0.1, 0.01, shape).clip(0, 1) * full_scale
    pixels = frame.round().astype(np.dtype(dtype).newbyteorder("<"))
    origins = window_origins(shape, WINDOW_PX, STRIDE_PX)[:windows]
    gains, offsets = gains_and_offsets(*window_extrema(pixels, origins, WINDOW_PX))
    return {
        "frame": pixels.view(np.uint8).reshape(*shape, -1),
        "origins": origins.astype(np.int64),
        "gains": gains,
        "offsets": offsets,
        "full_scale": np.array(full_scale, np.float32),
    }


def _checked_model(network: AttentionFusionNetwork, conventions: ModelConventions) -> bytes:
    proto = _to_onnx(network.twin().fold())
    for key, value in conventions.metadata(network).items():
        proto.metadata_props.add(key=key, value=value)
    content: bytes = proto.SerializeToString(deterministic=True)
    _require_agreement(frame_model(network).eval(), content)
    return content


def _to_onnx(network: AttentionFusionNetwork) -> onnx.ModelProto:
    # Two bytes and three windows: a size of 1 would be taken for a constant.
    inputs = _tensors(example_inputs(np.uint16))
    dim = torch.export.Dim
    windows = dim("N", min=1)
    if isinstance(network, DenseNetwork):
        sides = {0: SIDES_PX * dim("h", min=2), 1: SIDES_PX * dim("w", min=2)}
    else:
        sides = {0: dim("H", min=WINDOW_PX), 1: dim("W", min=WINDOW_PX)}
    with _quiet():
        program = torch.onnx.export(
            frame_model(network).eval(),
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUT_NAMES,
            output_names=_outputs(network),
            dynamic_shapes=(
                sides | {2: dim("B", min=1, max=2)},
                {0: windows},
                {0: windows},
                {0: windows},
                {},
            ),
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    _strip_traces(proto)
    return proto


def _outputs(network: AttentionFusionNetwork) -> tuple[str, ...]:
    return OUTPUT_NAMES[: 2 + (network.line_head is not None) + _tells_kinds(network)]


def _tells_kinds(network: AttentionFusionNetwork) -> bool:
    head = network.line_head
    return isinstance(network, DenseNetwork) and head is not None and head.kinds is not None


def _strip_traces(proto: onnx.ModelProto) -> None:
    """Drops stack traces and paths of the exporting machine: same network, same file."""
    proto.doc_string = ""
    del proto.metadata_props[:]
    graph = proto.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]


def _require_agreement(model: nn.Module, content: bytes) -> None:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for dtype, windows in ((np.uint8, 1), (np.uint16, 5)):
        inputs = example_inputs(dtype, windows)
        logits = session.run(["logits"], inputs)[0]
        with torch.inference_mode():
            expected = model(*_tensors(inputs))[0].numpy()
        scale = np.maximum(1.0, np.abs(expected))
        difference = float((np.abs(logits - expected) / scale).max())
        if not difference <= TOLERANCE:
            raise DarkscanError(
                f"the exported model's logits differ from the network's by {difference:.2g}"
            )


def _tensors(inputs: dict[str, npt.NDArray[np.generic]]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(inputs[name]) for name in INPUT_NAMES)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's progress and its warnings about itself tell a user nothing."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
