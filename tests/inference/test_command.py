"""``darkscan backends``."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.cli import backends
from darkscan.cli.main import main
from darkscan.inference import FrameWindows, ModelJob, Placement, gpus, selection, tensorrt
from darkscan.inference.gpus import Gpu, Gpus
from darkscan.inference.pytorch import check as torch_check
from darkscan.pipeline.core.errors import DarkscanError


@pytest.mark.slow
def test_the_table_names_each_backend_and_what_auto_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["backends"]) == 0
    shown = capsys.readouterr().out
    assert "dense, float32" in shown
    rows = dict(line.split(maxsplit=1) for line in shown.splitlines()[2:6])
    assert list(rows) == ["tensorrt", "torch", "openvino", "onnxruntime"]
    assert rows["onnxruntime"].startswith("yes")
    taken = next(line for line in shown.splitlines() if line.startswith("auto takes"))
    assert rows[taken.split()[2].rstrip(",")].startswith("yes")


@pytest.mark.slow
def test_backends_are_measured_against_onnx_runtime(
    dense_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["backends", "--model", str(dense_model), "--measure", "--frame", "512"]
    assert main([*command, "--threads", "1"]) == 0
    lines = capsys.readouterr().out.split("\n\n")[1].splitlines()
    cells = {line[:15].strip(): line[15:].split() for line in lines[1:]}
    assert cells["onnxruntime"][1:] == ["1.00", "-"]
    for name in ("torch", "openvino"):
        rate, ratio, difference = map(float, cells[name])
        assert rate > 0
        assert ratio > 0
        assert difference < 1e-4
    assert float(cells["openvino, half"][2]) < 0.05


@pytest.mark.slow
def test_a_backend_that_fails_when_measured_is_one_line(
    dense_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = backends._measure

    def failing(job: ModelJob, placement: Placement, windows: FrameWindows) -> object:
        if placement.backend != "onnxruntime":
            raise DarkscanError("out of memory")
        return measure(job, placement, windows)

    monkeypatch.setattr(backends, "_measure", failing)
    command = ["backends", "--model", str(dense_model), "--measure", "--frame", "512"]
    assert main(command) == 0
    assert "openvino: out of memory" in capsys.readouterr().out


def test_with_a_gpu_that_torch_cannot_use_torch_is_measured_on_the_cpu(
    dense_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Gpus((Gpu(0, "NVIDIA H200"),), "13.0")
    for asking in (selection, gpus):
        monkeypatch.setattr(asking, "find_gpus", lambda: there)
    monkeypatch.setattr(tensorrt, "why_not", lambda *_: "no engine for it")
    monkeypatch.setattr(
        torch_check,
        "why_not_torch",
        lambda _, devices: "torch 2.0 was built without CUDA" if devices else None,
    )
    measured: list[tuple[object, ...]] = []

    def measure(job: ModelJob, placement: Placement, windows: FrameWindows) -> tuple[object, float]:
        measured.append((placement, job.precision))
        return np.zeros(len(windows.origins), np.float32), 100.0

    monkeypatch.setattr(backends, "_measure", measure)
    command = ["backends", "--model", str(dense_model), "--measure", "--frame", "512"]
    assert main([*command, "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("torch "))
    assert row.split()[1] == "yes"
    assert row.endswith(" CPU")
    assert (Placement("torch", None, threads=1, batch=32), "exact") in measured
    assert "torch, half" not in "".join(lines)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--model", "none.onnx"], "none.onnx: no such model file"),
        (["--frame", "99"], "--frame: must be from 256 to 8192, is 99"),
        (["--threads", "0"], "--threads: must be from 1 to 1024, is 0"),
        (["--threads", "100000"], "--threads: must be from 1 to 1024, is 100000"),
    ],
    ids=["no model", "a small frame", "no threads", "too many threads"],
)
def test_what_cannot_be_used(
    options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backends", *options]) == 2
    assert problem in capsys.readouterr().err
