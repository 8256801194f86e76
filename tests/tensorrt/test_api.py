"""The fakes take what the real libraries take.

What TensorRT takes was recorded from its Python bindings of the version named in the file:
their docstrings state every signature.
"""

import inspect
import json
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tensorrt import fake_gpu, fake_tensorrt
from tests.tensorrt.fake_gpu import Gpu

RECORDED = json.loads((Path(__file__).parent / "api_11_4.json").read_text())
FAKE = fake_tensorrt.fake_tensorrt(Gpu())
CALLS = [
    (name, method)
    for name in (*fake_tensorrt.CLASSES, "Runtime")
    for method, found in vars(getattr(FAKE, name)).items()
    if inspect.isfunction(found) and (method == "__init__" or not method.startswith("_"))
]


def arguments(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name + "=" * (p.default is not p.empty) for p in parameters]


def fits(real: list[str], fake: list[str]) -> bool:
    """Whether every call that the fake takes is one that the real one takes."""
    required = [name for name in real if not name.endswith("=")]
    names = [name.rstrip("=") for name in real]
    plain = [name.rstrip("=") for name in fake]
    return plain == names[: len(plain)] and len(required) <= len(plain)


@pytest.mark.parametrize(("name", "method"), CALLS, ids=".".join)
def test_calls_are_those_of_tensorrt(name: str, method: str) -> None:
    real = RECORDED["classes"][name]
    if method == "__init__" and method not in real:
        return  # nobody but TensorRT makes them
    assert any(fits(one, arguments(getattr(getattr(FAKE, name), method))) for one in real[method])


@pytest.mark.parametrize("name", fake_tensorrt.ENUMS)
def test_constants_are_those_of_tensorrt(name: str) -> None:
    members: type[IntEnum] = getattr(FAKE, name)
    assert {member.name for member in members} <= set(RECORDED["enums"][name])


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("Builder", "logger"),
        ("IBuilderConfig", "progress_monitor"),
        ("OnnxParser", "num_errors"),
        ("ICudaEngine", "num_io_tensors"),
        ("ILogger", "ERROR"),
        ("ILogger", "INTERNAL_ERROR"),
    ],
    ids=lambda part: part,
)
def test_attributes_are_those_of_tensorrt(name: str, attribute: str) -> None:
    assert RECORDED["classes"][name][attribute] in {"property", "constant"}


def test_the_installed_tensorrt_has_what_was_recorded() -> None:
    trt = pytest.importorskip("tensorrt", reason="needs TensorRT 11, which PyPI has only in parts")
    missing = [
        f"{name}.{member}"
        for name, members in RECORDED["classes"].items()
        for member in members
        if not hasattr(getattr(trt, name), member)
    ]
    assert not missing


def test_tensorrt_for_rtx_has_the_same_calls(rtx: Any) -> None:
    missing = [
        f"{name}.{method}"
        for name, method in CALLS
        if not callable(getattr(getattr(rtx.trt, name), method))
    ]
    assert not missing


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        pytest.param(torch.cuda.Stream.wait_event, fake_gpu.Stream.wait_event, id="wait_event"),
        pytest.param(torch.cuda.Event.record, fake_gpu.Event.record, id="record"),
        pytest.param(torch.cuda.CUDAGraph.replay, fake_gpu.Graph.replay, id="replay"),
    ],
)
def test_calls_are_those_of_torch(real: Any, fake: Any) -> None:
    assert fits(arguments(real), arguments(fake))


@pytest.mark.parametrize("part", ["graph", "stream", "device", "Event", "Stream", "CUDAGraph"])
def test_torch_has_what_the_fake_has(part: str) -> None:
    assert hasattr(torch.cuda, part)


def test_graphs_are_captured_with_arguments_that_torch_knows() -> None:
    known = inspect.signature(torch.cuda.graph).parameters
    assert {"stream", "capture_error_mode"} <= set(known)


def test_events_may_sleep() -> None:
    assert "blocking" in inspect.signature(torch.cuda.Event.__new__).parameters
