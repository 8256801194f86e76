"""What lacks is said in one line, and nothing crashes."""

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from darkscan.inference import gpus
from darkscan.inference.gpus import Gpu as FoundGpu
from darkscan.inference.gpus import Gpus
from darkscan.inference.tensorrt import Order, load_library, make_engine
from darkscan.inference.tensorrt import _search as search
from darkscan.inference.tensorrt import why_not as why_not_tensorrt
from darkscan.inference.tensorrt._engines import engines_folder
from darkscan.pipeline.core.errors import InputError
from tests.tensorrt.conftest import GPU_0, job_of, write_model
from tests.tensorrt.fake_gpu import Gpu

NONE = Gpus((), "", "there is no NVIDIA driver on this machine")
ONE = Gpus((FoundGpu(0, "NVIDIA H200"),), "13.0")


def refuse(name: str) -> Any:
    raise AssertionError(f"{name} was loaded before the driver was asked")


def test_without_a_driver_nothing_else_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpus, "find_gpus", lambda: NONE)
    monkeypatch.setattr(search, "load_library", lambda: refuse("TensorRT"))
    model = write_model(tmp_path / "model.onnx")
    job = job_of(model, (256, 256))
    assert why_not_tensorrt(job, 0) == "there is no NVIDIA driver on this machine"


def test_asking_loads_neither_torch_nor_tensorrt(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx")
    code = (
        "import sys; from pathlib import Path; "
        "from darkscan.inference import FrameFormat, ModelJob, tensorrt; "
        "frames = FrameFormat((256, 256), 'uint8', 255); "
        f"tensorrt.why_not(ModelJob.read(Path({str(model)!r}), frames), 0); "
        "sys.exit(any(m.split('.')[0] in {'torch', 'tensorrt'} for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpus, "find_gpus", lambda: ONE)
    model = write_model(tmp_path / "model.onnx")
    job = job_of(model, (256, 256))
    assert why_not_tensorrt(job, 3) == "there is no GPU 3; this machine has 1, from 0 on"


class Driver:
    """libcuda.so.1, as far as it is asked."""

    def __init__(self, broken: int = 0) -> None:
        self.broken = broken

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        device._obj.value = number
        return 0

    def cuDeviceGetAttribute(self, value: Any, which: int, _: Any) -> int:  # noqa: N802
        value._obj.value = {75: 9, 76: 0}[which]
        return self.broken


def test_a_gpu_is_named_with_its_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "find_gpus", lambda: ONE)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver())
    assert gpus.find_device(0).slug == "nvidia-h200-sm90"


def test_a_driver_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "find_gpus", lambda: ONE)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver(broken=999))
    with pytest.raises(InputError, match=r"does not describe the GPU \(error 999\)"):
        gpus.find_device(0)


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        pytest.param({"tensorrt": None}, r"^TensorRT is not installed: pip install", id="none"),
        pytest.param(
            {"tensorrt": SimpleNamespace(__version__="10.13.0.35")},
            r"^tensorrt is version 10\.13\.0\.35, darkscan needs 11$",
            id="older",
        ),
        pytest.param(
            {
                "tensorrt": SimpleNamespace(__version__="12.0"),
                "tensorrt_rtx_bindings": SimpleNamespace(__version__="2.0"),
            },
            r"needs 11; tensorrt_rtx_bindings is version 2.0, darkscan needs 1$",
            id="both newer",
        ),
    ],
)
def test_a_library_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, modules: dict[str, Any], says: str
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", None)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(InputError, match=says):
        load_library()


def test_a_library_that_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tensorrt.py").write_text(
        "raise ImportError('libnvinfer.so.11: cannot open shared object file\\nmore')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx_bindings", None)
    with pytest.raises(InputError, match=r"^tensorrt cannot be loaded: libnvinfer.* file$"):
        load_library()


def torch_for(monkeypatch: pytest.MonkeyPatch, folder: Path, cuda: str) -> None:
    (folder / "version.py").write_text(f"__version__ = '2.0'\ncuda = {cuda}\n")
    spec = SimpleNamespace(origin=str(folder / "__init__.py"))
    monkeypatch.setattr(search, "find_spec", lambda _: spec)


def test_torch_for_cpus_is_told_without_being_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch_for(monkeypatch, tmp_path, "None")
    with pytest.raises(InputError, match=r"^torch 2\.0 was built without CUDA$"):
        search._require_torch()


def test_torch_for_gpus_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch_for(monkeypatch, tmp_path, "'13.0'")
    search._require_torch()


def test_without_torch_it_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="needs torch"):
        search._require_torch()


def test_without_an_engine_it_says_how_to_build_one(gpu: Gpu, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx")
    job = job_of(model, (256, 384), "uint16")
    why = why_not_tensorrt(job, 0)
    command = f"darkscan engine build --model {model} --frame 384x256 --depth 16 --device 0"
    assert why is not None
    assert why.endswith(command)
    assert "\n" not in why
    make_engine(load_library(), GPU_0, Order(job, "fp32"), engines_folder())
    assert why_not_tensorrt(job, 0) is None
    assert why_not_tensorrt(job_of(model, (256, 384), "uint8"), 0) is not None


def test_the_command_builds_what_is_wanted(gpu: Gpu, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", form="dense")
    job = job_of(model, (512, 512), stride=64, margin_px=128, precision="half")
    why = why_not_tensorrt(job, 0)
    assert why is not None
    assert "frames of 512x512 in a context of 128 with a stride of 64: " in why
    options = "--frame 512x512 --context 128 --stride 64 --depth 8 --precision fp16 --device 0"
    assert why.endswith(options)
    make_engine(load_library(), GPU_0, Order(job, "fp32"), engines_folder())
    assert why_not_tensorrt(job, 0) is None


@pytest.mark.parametrize(
    ("margin_px", "other_px"),
    [pytest.param(0, 128, id="without margin"), pytest.param(128, 0, id="with margin")],
)
def test_frames_of_one_size_with_other_windows_are_others_to_a_dense_model(
    gpu: Gpu, tmp_path: Path, margin_px: int, other_px: int
) -> None:
    model = write_model(tmp_path / "model.onnx", form="dense")
    fit, unfit = (
        job_of(model, (2304 - 2 * each, 2304 - 2 * each), margin_px=each)
        for each in (margin_px, other_px)
    )
    make_engine(load_library(), GPU_0, Order(fit, "fp32"), engines_folder())
    assert why_not_tensorrt(fit, 0) is None
    assert "no engine was built" in str(why_not_tensorrt(unfit, 0))


@pytest.mark.parametrize("form", ["windowed", "dense"])
def test_an_engine_of_the_models_stride_is_none_for_a_finer_one(
    gpu: Gpu, tmp_path: Path, form: str
) -> None:
    model = write_model(tmp_path / "model.onnx", form=form)
    job = job_of(model, (512, 512))
    make_engine(load_library(), GPU_0, Order(job, "fp32"), engines_folder())
    assert why_not_tensorrt(job, 0) is None
    why = why_not_tensorrt(job_of(model, (512, 512), stride=64), 0)
    assert why is not None
    assert why.endswith("--frame 512x512 --stride 64 --depth 8 --device 0")


def test_eight_bits_built_as_they_are_count_as_exact(gpu: Gpu, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", precision="int8", quantised_for="tensorrt")
    job = job_of(model, (512, 512), precision="exact")
    make_engine(load_library(), GPU_0, Order(job, "fp32"), engines_folder())
    assert why_not_tensorrt(job, 0) is None
