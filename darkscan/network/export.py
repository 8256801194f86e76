"""Exports a checkpoint as the model file that inspections load.

The file is ONNX; what its user must know beside the graph stands in its metadata
(``metadata_props``), every key of which begins with ``darkscan.``.
"""

import contextlib
import functools
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
from darkscan.network.dense import SIDES_PX, STRIDE_PX, DenseNetwork, line_windows
from darkscan.network.operating_point import Look, OperatingPoint, choose_operating_point
from darkscan.network.sources import SimulatedWindows
from darkscan.network.training import Checkpoint
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.grid import window_origins
from darkscan.simulation.element.crops import training_crops
from darkscan.simulation.element.looks import WindowPreset
from darkscan.simulation.element.windows import training_batch

WINDOW = 256
"""The side of a window, pixels."""

_AT_ONCE = 8


def frame_model(network: AttentionFusionNetwork) -> nn.Module:
    """The network as it is deployed, windowed or dense."""
    return DenseFrameModel(network) if isinstance(network, DenseNetwork) else FrameModel(network)


def grey_levels(pixels: Tensor) -> Tensor:
    """Grey levels (P,) of little-endian bytes (P, B), B = 1 or 2, P a multiple of 8; all float32.

    A product with the bytes' weights, 1 and 256, for several pixels at a time: picking bytes
    out, summing them, and a product for single ones cost several times as much on a CPU.
    """
    depth = pixels.shape[1]
    byte = torch.arange(depth, device=pixels.device, dtype=pixels.dtype)
    own = torch.eye(_AT_ONCE, device=pixels.device, dtype=pixels.dtype)
    weights = own[:, None, :] * (1.0 + 255.0 * byte)[:, None]
    together = pixels.reshape(-1, _AT_ONCE * depth)
    return (together @ weights.reshape(_AT_ONCE * depth, _AT_ONCE)).reshape(-1)


class FrameModel(nn.Module):
    """Gathers windows out of a frame, adjusts their brightness and classifies them.

    The frame crosses to the device once, in the camera's own depth: it is given as its
    raw bytes, so that one model serves uint8 and uint16 cameras.
    """

    def __init__(self, network: AttentionFusionNetwork, window: int = WINDOW) -> None:
        super().__init__()
        self.network = network
        self.window = window

    def forward(
        self, frame: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits and scores, (N,) float32 each; a score is the probability of a scratch.

        A network with a line head also gives lines (N, 32, 32), the probability of each
        cell of 8 px that a scratch crosses it.

        ``frame`` (H, W, B) uint8: the little-endian bytes of each pixel, B = 1 or 2.
        ``origins`` (N, 2) int64: the first pixel (y, x) of each window, which must lie
        within the frame. ``gains`` and ``offsets`` (N,) float32: W_mult and W_add of each
        window, for grey levels as the camera gives them. ``full_scale`` () float32: the
        largest grey level that it can give, 255 or 4095 for instance.
        """
        windows = self._gather(frame, origins)
        logits, lines = self.network.logits_and_lines(windows, gains, offsets, full_scale)
        outputs = (logits, torch.sigmoid(logits))
        return outputs if lines is None else (*outputs, self.network.line_probabilities(lines))

    def _gather(self, frame: Tensor, origins: Tensor) -> Tensor:
        """The windows (N, window, window) of a frame (H, W, B), float32 grey levels."""
        _, width, depth = frame.shape
        along = torch.arange(self.window, device=frame.device)
        rows = origins[:, 0, None, None] + along[:, None]
        columns = origins[:, 1, None, None] + along
        places = (rows * width + columns).reshape(-1)
        # Straight to float: TensorRT takes uint8 as an input but not in arithmetic.
        pixels = torch.index_select(frame.to(torch.float32).reshape(-1, depth), 0, places)
        return grey_levels(pixels).reshape(-1, self.window, self.window)


class DenseFrameModel(nn.Module):
    """Passes a whole frame through the network once, for all of its windows.

    Inputs and outputs are those of ``FrameModel``; the frame's sides are multiples of 128.
    """

    def __init__(self, network: DenseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, frame: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits, scores and lines of the frame's windows; see ``FrameModel.forward``.

        ``origins`` are a grid over the frame with steps of 128 px at most.
        """
        height, width, depth = frame.shape
        # Straight to float: TensorRT takes uint8 as an input but not in arithmetic.
        pixels = frame.to(torch.float32).reshape(-1, depth)
        image = grey_levels(pixels).reshape(1, height, width)
        logits, lines = self.network.see(image, origins, gains[None], offsets[None], full_scale)
        cells = line_windows(self.network.line_probabilities(lines[0]), origins)
        return logits[0], torch.sigmoid(logits[0]), cells


FORMAT_VERSION = 1
OPSET = 18
TOLERANCE = 1e-4  # between torch and ONNX Runtime: of a logit, or relative to a larger one

INPUT_NAMES = ("frame", "origins", "gains", "offsets", "full_scale")
OUTPUT_NAMES = ("logits", "scores", "lines")  # the last only with a line head


# Windows of training are several times as crowded as an element's: on simulated elements these
# rates leave less than one false window in a thousand. The wide look
# crowds tracks, spikes and smudges together as no optic does: it only bounds the threshold.
_RATES: dict[WindowPreset, tuple[float, float]] = {"optic": (5e-3, 2e-2), "wide": (6e-2, 2e-1)}
LOOKS: dict[str, Look] = {
    preset: Look(functools.partial(training_batch, preset=preset), *rates)
    for preset, rates in _RATES.items()
}
# Dense models, which see more, lose less by letting fewer pass.
_DENSE_RATES: dict[WindowPreset, tuple[float, float]] = {
    "optic": (3e-3, 1e-2),
    "wide": (4e-2, 1e-1),
}
DENSE_LOOKS: dict[str, Look] = {
    preset: Look(functools.partial(training_crops, preset=preset), *rates, windows_an_image=9)
    for preset, rates in _DENSE_RATES.items()
}


@dataclass(frozen=True)
class ModelConventions:
    """What the file says of itself, beside what the network and this module know."""

    threshold: float  # of the score, at or above which a window is a scratch
    grow_threshold: float  # at or above which a window continues a scratch that it overlaps
    training_data: str  # in words
    training_data_hash: str
    training_seed: int
    training_steps: int

    def metadata(self, network: AttentionFusionNetwork) -> dict[str, str]:
        """Keys and values as they are written to the file, in their order."""
        values = {
            "format": FORMAT_VERSION,
            "name": "attention-fusion-network",
            "window": WINDOW,
            "form": "dense" if isinstance(network, DenseNetwork) else "windowed",
            "stride": STRIDE_PX,
            "input_scaling": "raw = grey / full_scale; adjusted = (grey * gain + offset) / 255",
            "flat_window": "gain = 0, offset = 0",
            "threshold": repr(float(self.threshold)),
            "grow_threshold": repr(float(self.grow_threshold)),
            "network": network.name,
            "width": repr(float(network.width)),
            **{part: str(there).lower() for part, there in network.parts.items()},
            "training_data": self.training_data,
            "training_data_hash": self.training_data_hash,
            "training_seed": self.training_seed,
            "training_steps": self.training_steps,
            "version": version("darkscan"),
        }
        return {f"darkscan.{key}": str(value) for key, value in values.items()}


def export(network: AttentionFusionNetwork, file: Path, conventions: ModelConventions) -> None:
    """Writes the network's frame model to ``file``, whole or not at all.

    The network's weights are not changed. Raises DarkscanError if ONNX Runtime does not
    give torch's logits, StorageError if the file cannot be written.
    """
    write_atomically(file, _checked_model(network, conventions))


def export_checkpoint(
    checkpoint: Path, file: Path, *, weights: Path | None = None, windows: int = 4000
) -> OperatingPoint:
    """Chooses the threshold of a training's network and writes its model file.

    The thresholds are chosen on ``windows`` simulated windows of each look that neither
    training nor validation saw. ``weights``, if given, gets a checkpoint of the averaged
    weights alone. Raises InputError if ``checkpoint`` is none, or of a network that has no
    frame model (the paper's peers), and what ``export`` raises.
    """
    training = Checkpoint.load(checkpoint)
    network = training.averaged_network()
    if not isinstance(network, AttentionFusionNetwork):
        problem = f"holds {training.options.network}, and only Attention Fusion Networks and "
        raise InputError(problem + "their ablations are exported", file=checkpoint, field="network")
    seed = training.options.validation_seed + 1
    looks = DENSE_LOOKS if isinstance(network, DenseNetwork) else LOOKS
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
    origins = window_origins(shape, WINDOW, STRIDE_PX)[:windows]
    gains, offsets = gains_and_offsets(*window_extrema(pixels, origins, WINDOW))
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
        sides = {0: dim("H", min=WINDOW), 1: dim("W", min=WINDOW)}
    with _quiet():
        program = torch.onnx.export(
            frame_model(network).eval(),
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUT_NAMES,
            output_names=OUTPUT_NAMES[: 3 if network.line_head else 2],
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
