"""Which backend is taken, and what is said of the others."""

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest

from darkscan.inference import Choice, FrameFormat, ModelJob, choose, openvino, selection, tensorrt
from darkscan.inference.conventions import Conventions, Precision
from darkscan.inference.gpus import Gpu, Gpus
from darkscan.inference.pytorch import check as torch_check
from darkscan.pipeline.core.errors import InputError

MODEL = Path("model.onnx")
NO_GPU = Gpus((), "", "there is no NVIDIA driver on this machine")


def conventions(form: str = "dense", precision: str = "float32") -> Conventions:
    return Conventions.model_validate(
        {
            "name": "m",
            "window": 256,
            "stride": 128,
            "threshold": 0.5,
            "hash": "sha256:0",
            "form": form,
            "precision": precision,
        }
    )


@dataclass
class Machine:
    """What works on it, and what was tried."""

    gpus: int = 0
    lacks: dict[str, str] = field(default_factory=dict)
    processor: str = "x86_64"
    tried: list[str] = field(default_factory=list)

    def why_not(self, name: str) -> str | None:
        self.tried.append(name)
        return self.lacks.get(name)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()

    def find_gpus() -> Gpus:
        found = tuple(Gpu(number, "NVIDIA H200") for number in range(machine.gpus))
        return Gpus(found, "13.0") if found else NO_GPU

    def why_not_torch(_model: Path, devices: tuple[int, ...]) -> str | None:
        return machine.why_not("torch on a GPU" if devices else "torch on the CPU")

    monkeypatch.setattr(selection, "find_gpus", find_gpus)
    monkeypatch.setattr(platform, "machine", lambda: machine.processor)
    monkeypatch.setattr(tensorrt, "why_not", lambda *_, **__: machine.why_not("tensorrt"))
    monkeypatch.setattr(torch_check, "why_not_torch", why_not_torch)
    monkeypatch.setattr(openvino, "why_not", lambda _: machine.why_not("openvino"))
    return machine


def chosen(
    wanted: str = "auto",
    *,
    form: str = "dense",
    precision: str = "float32",
    devices: tuple[int, ...] = (),
) -> Choice:
    frames = FrameFormat((2048, 2048), "uint8", 255)
    return choose(wanted, ModelJob(MODEL, conventions(form, precision), frames, 128), devices)


def test_with_everything_there_tensorrt_is_taken_on_all_gpus(machine: Machine) -> None:
    machine.gpus = 2
    choice = chosen()
    assert (choice.backend_name, choice.devices, choice.refused) == ("tensorrt", (0, 1), ())
    assert [choice.device_of(worker) for worker in range(3)] == [0, 1, 0]


def test_without_an_engine_torch_is_next(machine: Machine) -> None:
    machine.gpus, machine.lacks = 1, {"tensorrt": "no engine: darkscan engine build"}
    choice = chosen()
    assert (choice.backend_name, choice.devices) == ("torch", (0,))
    assert "not tensorrt: no engine: darkscan engine build" in str(choice)


def test_without_a_gpu_nothing_that_needs_one_is_touched(machine: Machine) -> None:
    choice = chosen()
    assert (choice.backend_name, choice.devices, choice.device_of(0)) == ("openvino", (), None)
    assert machine.tried == ["openvino"]
    assert dict(choice.refused)["tensorrt"] == "there is no NVIDIA driver on this machine"


@pytest.mark.parametrize(
    ("form", "precision", "expected"),
    [
        ("dense", "float32", "openvino"),
        ("dense", "int8", "openvino"),
        ("windowed", "int8", "openvino"),
        ("windowed", "float32", "onnxruntime"),
    ],
)
def test_on_the_cpu_the_faster_one_for_the_model_is_taken(
    form: str, precision: str, expected: str, machine: Machine
) -> None:
    assert chosen(form=form, precision=precision).backend_name == expected


@pytest.mark.parametrize(
    ("lacks", "processor", "why"),
    [
        ({"openvino": "needs openvino"}, "x86_64", "needs openvino"),
        ({}, "aarch64", "is not measured on aarch64"),
    ],
    ids=["not installed", "another processor"],
)
def test_onnx_runtime_is_what_is_left(
    lacks: dict[str, str], processor: str, why: str, machine: Machine
) -> None:
    machine.lacks, machine.processor = lacks, processor
    choice = chosen()
    assert choice.backend_name == "onnxruntime"
    assert dict(choice.refused)["openvino"] == why
    assert "torch on the CPU" not in machine.tried


@pytest.mark.parametrize("name", ["tensorrt", "torch", "openvino", "onnxruntime"])
def test_what_is_asked_for_is_taken(name: str, machine: Machine) -> None:
    machine.gpus = 2
    on_gpu = name in {"tensorrt", "torch"}
    choice = chosen(name, form="windowed", devices=(1,) if on_gpu else ())
    assert (choice.backend_name, choice.devices) == (name, (1,) if on_gpu else ())


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_gpu_named_for_a_backend_of_the_cpu_is_refused(name: str, machine: Machine) -> None:
    machine.gpus = 2
    with pytest.raises(InputError, match=f"names a GPU, but {name} runs on the CPU") as error:
        chosen(name, devices=(1,))
    assert error.value.field == "processes.devices"


@pytest.mark.parametrize("precision", get_args(Precision))
def test_tensorrt_is_asked_for_the_windows_of_the_run(
    precision: Precision, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.gpus = 1
    asked: list[object] = []

    def no_engine(job: ModelJob, _device: int) -> str:
        asked.append(job)
        return "no engine for it"

    monkeypatch.setattr(tensorrt, "why_not", no_engine)
    frames = FrameFormat((2048, 2048), "uint16", 4095, margin_px=128)
    job = ModelJob(MODEL, conventions(), frames, 64, precision)
    choice = choose("auto", job)
    assert asked == [job]
    assert choice.backend_name == "torch"
    assert choice.refused == (("tensorrt", "no engine for it"),)


def test_torch_asked_for_runs_on_the_cpu_where_there_is_no_gpu(machine: Machine) -> None:
    choice = chosen("torch")
    assert (choice.backend_name, choice.devices) == ("torch", ())
    assert "there is no NVIDIA driver" in choice.reason


@pytest.mark.parametrize(
    ("wanted", "devices", "problem"),
    [
        ("tensorrt", (), "tensorrt does not work here: there is no NVIDIA driver"),
        ("torch", (0,), "torch does not work here: there is no NVIDIA driver"),
        ("openvino", (), "openvino does not work here: needs openvino"),
        ("abacus", (), "must be auto or one of tensorrt, torch, openvino, onnxruntime"),
    ],
    ids=["TensorRT without a GPU", "a GPU for torch", "not installed", "no such backend"],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    wanted: str, devices: tuple[int, ...], problem: str, machine: Machine
) -> None:
    machine.lacks = {"openvino": "needs openvino"}
    with pytest.raises(InputError) as error:
        chosen(wanted, devices=devices)
    assert error.value.field == "processes.backend"
    assert problem in error.value.problem


def test_a_gpu_that_is_not_there(machine: Machine) -> None:
    machine.gpus = 2
    with pytest.raises(InputError, match="there is no GPU 3, 5; there is 0, 1"):
        chosen("torch", devices=(1, 5, 3))
    assert chosen(devices=(3,)).backend_name == "openvino"


def test_the_choice_is_always_the_same(machine: Machine) -> None:
    assert chosen() == chosen()
