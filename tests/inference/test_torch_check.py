"""Whether torch works is found out where it can do no harm."""

import subprocess
import sys
from pathlib import Path

import pytest

from darkscan.inference import openvino
from darkscan.inference.pytorch import check as torch_check
from tests.inference.models import small_dense

pytestmark = pytest.mark.slow

NO_CUDA = ("was built without CUDA", "finds no GPU it can use", "cannot use GPU 7")


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    torch_check.why_not_torch.cache_clear()


def test_torch_runs_our_models_on_the_cpu(dense_model: Path) -> None:
    assert torch_check.why_not_torch(dense_model, ()) is None


def test_a_gpu_that_torch_cannot_use(dense_model: Path) -> None:
    why = torch_check.why_not_torch(dense_model, (7,))
    assert why is not None
    assert any(reason in why for reason in NO_CUDA)


def test_a_model_that_torch_cannot_run(tmp_path: Path) -> None:
    model = small_dense(tmp_path / "strange.onnx", changed="Softsign")
    why = torch_check.why_not_torch(model, ())
    assert why == "torch does not know its operators Softsign"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("kill -SEGV $$", "torch crashed here (signal 11)"),
        ("echo out of luck >&2; exit 3", "torch failed here: out of luck"),
        ("exit 3", "torch failed here: without a word"),
    ],
    ids=["crashes", "fails", "fails silently"],
)
def test_a_torch_that_is_broken(
    script: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    assert torch_check.why_not_torch(Path("model.onnx"), (0,)) == why


def test_a_torch_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert torch_check.why_not_torch(Path("model.onnx"), ()) == "torch did not answer within 120 s"


@pytest.mark.parametrize("module", ["torch", "onnx"])
def test_what_is_not_installed_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_check, "find_spec", lambda name: None if name == module else name)
    why = torch_check.why_not_torch(Path("model.onnx"), ())
    assert why == f"needs {module}: pip install 'darkscan[gpu]'"


def test_openvino_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    why = openvino.why_not(Path("model.onnx"))
    assert why == "needs openvino: pip install 'darkscan[openvino]'"


def test_openvino_reads_the_model_first(tmp_path: Path, dense_model: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    why = openvino.why_not(text)
    assert why is not None
    assert "OpenVINO cannot read the model" in why
    assert openvino.why_not(dense_model) is None
