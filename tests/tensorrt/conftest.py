"""A machine with a GPU and TensorRT, both of them fakes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from darkscan.inference import FrameFormat, ModelJob, Precision, device_frames, gpus
from darkscan.inference.gpus import Device
from darkscan.inference.tensorrt import _order as order
from darkscan.inference.tensorrt import _search as search
from darkscan.pipeline.core.scan import PixelType
from tests.tensorrt.fake_gpu import Gpu, fake_torch
from tests.tensorrt.fake_tensorrt import fake_tensorrt

GPU_0 = Device(0, "NVIDIA Test GPU", (9, 0))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Gpu:
    """GPU 0, TensorRT 11.4 and a torch with CUDA; engines lie in ``tmp_path``."""
    gpu = Gpu()
    torch = fake_torch(gpu)
    monkeypatch.setattr(device_frames, "torch", torch)
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt(gpu))
    monkeypatch.setattr(search, "find_device", lambda _: GPU_0)
    monkeypatch.setattr(search, "_require_torch", lambda: None)
    monkeypatch.setattr(gpus, "find_device", lambda _: GPU_0)
    monkeypatch.setattr(order, "use_device", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return gpu


def write_model(path: Path, *, form: str = "windowed", extra: bytes = b"", **stated: str) -> Path:
    """A file with a model's inputs and conventions; what it computes is of no account."""
    inputs = [
        helper.make_tensor_value_info("frame", TensorProto.UINT8, ["H", "W", "B"]),
        helper.make_tensor_value_info("origins", TensorProto.INT64, ["N", 2]),
        helper.make_tensor_value_info("gains", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("offsets", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("full_scale", TensorProto.FLOAT, []),
    ]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N"])
    node = helper.make_node("Add", ["gains", "offsets"], ["scores"])
    graph = helper.make_graph([node], "model", inputs, [scores], doc_string=extra.decode())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    said = {"format": "1", "name": "m", "window": "256", "stride": "128", "threshold": "0.5"}
    for key, value in {**said, "form": form, **stated}.items():
        model.metadata_props.add(key=f"darkscan.{key}", value=value)
    onnx.save(model, path)
    return path


def job_of(
    model: Path,
    shape: tuple[int, int],
    pixel_type: PixelType = "uint8",
    *,
    margin_px: int = 0,
    stride: int | None = None,
    precision: Precision = "exact",
) -> ModelJob:
    """The job of a model on frames of a shape (height, width), without the margin."""
    frames = FrameFormat(shape, pixel_type, np.iinfo(pixel_type).max, margin_px)
    return ModelJob.read(model, frames, stride=stride, precision=precision)


@pytest.fixture
def rtx() -> Any:
    """TensorRT for RTX, the real one, which reads and builds graphs without a GPU."""
    pytest.importorskip(
        "tensorrt_rtx_bindings", reason="needs tensorrt-rtx-cu13-libs and -bindings (PyPI)"
    )
    from darkscan.inference.tensorrt import load_library

    return load_library(without_gpu=True)
