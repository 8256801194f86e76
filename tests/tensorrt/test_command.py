"""``darkscan engine``, on a fake GPU and on none."""

from pathlib import Path

import pytest

from darkscan.cli.main import main
from darkscan.inference import gpus, tensorrt
from darkscan.inference.gpus import Gpus
from darkscan.inference.tensorrt import load_library
from tests.tensorrt import fake_tensorrt
from tests.tensorrt.conftest import GPU_0, write_model
from tests.tensorrt.fake_gpu import Gpu


@pytest.fixture
def with_gpu(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> Gpu:
    monkeypatch.setattr(tensorrt, "find_device", lambda _: GPU_0)
    return gpu


def test_builds_lists_and_finds_again(
    with_gpu: Gpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model.onnx")
    build = ["engine", "build", "--model", str(model), "--frame", "512x384", "--depth", "16"]
    assert main([*build, "--workspace-mb", "64"]) == 0
    assert "512x384, 16 bits, 6 windows on NVIDIA Test GPU" in capsys.readouterr().out
    assert main(build) == 0
    assert "is there already" in capsys.readouterr().out
    assert main([*build, "--force"]) == 0
    assert "is there already" not in capsys.readouterr().out
    assert main(["engine", "list"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "512x384, 16 bits, 6 windows, fp32, nvidia-test-gpu-sm90, tensorrt-11.4" in line


def test_an_empty_list_says_what_to_do(with_gpu: Gpu, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "list"]) == 0
    assert "darkscan engine build makes one" in capsys.readouterr().out


def test_a_file_has_no_engines_in_it(
    with_gpu: Gpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["engine", "list", "--out", str(tmp_path / "file")]) == 2
    assert "file: --out: is no folder" in capsys.readouterr().err


def test_an_engine_is_built_for_a_finer_stride(
    with_gpu: Gpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model.onnx", form="dense")
    build = ["engine", "build", "--model", str(model), "--frame", "2048x2048", "--stride", "64"]
    assert main(build) == 0
    assert "2048x2048, 8 bits, 841 windows" in capsys.readouterr().out


def test_shipped_models_are_checked_by_name(
    with_gpu: Gpu, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engine", "check", "windowed"]) == 0
    assert "reads it (2048x2048, 8 bits, 225 windows, fp32)" in capsys.readouterr().out


def test_checks_what_it_can_only_read_with_a_gpu(
    with_gpu: Gpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_library().name == "tensorrt"
    assert main(["engine", "check", str(write_model(tmp_path / "model.onnx"))]) == 0
    assert "tensorrt 11.4.0.106 reads it (2048x2048" in capsys.readouterr().out


def test_a_refused_model_is_one_line(
    with_gpu: Gpu, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model.onnx", extra=fake_tensorrt.REFUSED)
    assert main(["engine", "build", "--model", str(model)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is refused by tensorrt: Nonsense node_7" in line


def test_ctrl_c_leaves_nothing(
    with_gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tensorrt, "run_watched", interrupt)
    model = write_model(tmp_path / "model.onnx")
    assert main(["engine", "build", "--model", str(model), "--out", str(tmp_path / "out")]) == 130
    assert not (tmp_path / "out").exists()


def test_without_a_driver_nothing_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = Gpus((), "", "there is no NVIDIA driver on this machine")
    monkeypatch.setattr(gpus, "find_gpus", lambda: none)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["engine", "build"]) == 2
    assert capsys.readouterr().err == "darkscan: error: there is no NVIDIA driver on this machine\n"
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--frame", "2048"], "must be WIDTHxHEIGHT", id="one side"),
        pytest.param(["--frame", "100x2048"], "from 256 to 16384", id="too small"),
        pytest.param(["--frame", "99999x2048"], "from 256 to 16384", id="too large"),
        pytest.param(["--context", "100"], "multiple of 64", id="odd context"),
        pytest.param(["--stride", "4"], "must be 8 or more, is 4", id="tiny stride"),
        pytest.param(["--stride", "256"], "the model has stride 128", id="coarse stride"),
        pytest.param(["--workspace-mb", "0"], "from 1 to", id="no workspace"),
        pytest.param(["--model", "nothing.onnx"], "no such model file", id="no model"),
        pytest.param(["--out", "/dev/null"], "is no folder", id="no folder"),
        pytest.param(["--out", "/proc/engines"], "cannot be written", id="not writable"),
    ],
)
def test_what_cannot_be_is_one_line(
    with_gpu: Gpu, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["engine", "build", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
