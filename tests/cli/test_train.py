"""``darkscan train`` and ``darkscan export``: presets, changes to them, and what is refused."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from darkscan.cli import train
from darkscan.cli.main import build_parser, main
from darkscan.network.training import Checkpoint, TrainingOptions, paper, small
from darkscan.network.variants import build
from darkscan.pipeline.core.errors import InputError

TINY = (
    "--width", "0.0625", "--batch", "4", "--threads", "1", "--workers", "0",
    "--validation-windows", "64",
)  # fmt: skip


@pytest.fixture
def one_line(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must be refused; gives the line it printed."""

    def run(*words: object) -> str:
        assert main([str(word) for word in words]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1
        return printed.err

    return run


def parsed(*words: str) -> Namespace:
    return build_parser().parse_args(["train", "--out", "out", *words])


@pytest.mark.parametrize(
    ("words", "windows", "expected"),
    [
        ((), None, small()),
        (("--steps", "7", "--seed", "3"), None, TrainingOptions(steps=7, seed=3)),
        (("--preset", "paper"), None, paper()),
        (("--preset", "paper"), 640, paper(640)),
        (("--epochs", "3"), 640, TrainingOptions(steps=60, validate_every=20)),
        (
            ("--epochs", "3", "--validate-every", "5", "--batch", "64"),
            640,
            TrainingOptions(steps=30, validate_every=5, batch=64),
        ),
        (
            ("--network", "afn", "--learning-rate", "1e-4", "--average-decay", "0"),
            None,
            TrainingOptions(network="afn", learning_rate=1e-4, average_decay=0),
        ),
    ],
    ids=[
        "small", "some steps", "the paper's", "the paper's on own data", "epochs of own data",
        "epochs of larger batches", "another network",
    ],
)  # fmt: skip
def test_a_preset_is_changed_by_what_is_given(
    words: tuple[str, ...], windows: int | None, expected: TrainingOptions
) -> None:
    assert train._options(parsed(*words), windows) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [((), None), (("--bfloat16",), True), (("--no-bfloat16",), False)],
    ids=["not said", "bfloat16", "float32"],
)
def test_the_machine_hears_what_numbers_to_compute_in(
    words: tuple[str, ...], expected: bool | None
) -> None:
    assert train._machine(parsed(*words)).bfloat16 is expected


def test_an_epoch_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(InputError, match="--batch: is 32, more than the 20 windows"):
        train._options(parsed(), 20)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--steps", "0"), "--steps: must be 1 or more, is 0"),
        (("--epochs", "0"), "--epochs: must be 1 or more, is 0"),
        (("--learning-rate", "0"), "--learning-rate: must be above 0"),
        (("--width", "9"), "width: must be above 0 and at most 4"),
        (("--network", "vgg"), "network: is unknown: 'vgg'; known are resnet18"),
        (("--threads", "0"), "--threads: must be 1 or more"),
        (("--data", "no-such.h5"), "no-such.h5: cannot be read"),
        (("--data", "x.h5", "--epoch-windows", "9"), "--epoch-windows: is for simulated"),
        (("--init", "no-such.pt"), "no-such.pt: --init: cannot be read"),
    ],
    ids=[
        "no steps", "no epochs", "no learning", "too wide", "unknown network", "no threads",
        "no data", "epochs of data", "no start",
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_and_leaves_nothing(
    one_line: Callable[..., str], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "out"
    assert message in one_line("train", "--out", out, *words)
    assert not out.exists()


@pytest.mark.slow
def test_it_trains_goes_on_and_refuses_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one_line: Callable[..., str]
) -> None:
    out = tmp_path / "out"
    command = ["train", "--out", str(out), "--steps", "2", "--validate-every", "1", *TINY]
    assert main(command) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("step 1/2  loss ")
    assert told[0].endswith(" left")
    assert told[-1].startswith("no validation was better than chance (AUC 0.")  # in two steps
    assert {"checkpoint.pt", "best.pt", "log.csv", "log.png", "pr.png"} == {
        file.name for file in out.iterdir()
    }
    assert main(command) == 0
    assert "goes on after step 2 of 2" in capsys.readouterr().out
    changed = one_line(*command, "--seed", 2)
    assert "checkpoint.pt: seed: belongs to a training with 1, not 2" in changed


def test_what_learned_something_is_to_be_exported_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(options: TrainingOptions, *_: object, **__: object) -> Checkpoint:
        return Checkpoint(options, 9, "", {}, {}, {}, {"auc": 0.8}, [{"auc": 0.8}])

    monkeypatch.setattr("darkscan.network.training.fit", fit)
    assert main(["train", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out.splitlines()
    best, model = tmp_path / "best.pt", tmp_path / "model.onnx"
    assert told[-1] == f"next: darkscan export {best} --out {model}"


@pytest.mark.slow
def test_a_checkpoint_is_exported_with_its_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = saved(tmp_path / "best.pt", "afn")
    model, weights = tmp_path / "model.onnx", tmp_path / "model.pt"
    command = ["export", checkpoint, "--out", model, "--weights", weights, "--windows", 64]
    assert main([str(word) for word in command]) == 0
    told = capsys.readouterr().out
    assert "| wide |" in told
    assert "\nthreshold " in told
    assert f"{model}: " in told
    assert Checkpoint.load(weights).options.network == "afn"


def saved(file: Path, name: str) -> Path:
    weights = build(name, 0.0625).state_dict()
    options = TrainingOptions(network=name, width=0.0625)
    Checkpoint(options, 1, "", weights, weights, {}, {}).save(file)
    return file


@pytest.mark.slow
def test_ctrl_c_saves_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["train", "--out", str(out), *TINY, "--validate-every", "1", "--no-plots"]
    running = subprocess.Popen(
        [sys.executable, "-m", "darkscan", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert running.stdout is not None
    first = running.stdout.readline()
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=300)
    assert first.startswith("step 1/4000")
    assert running.returncode == 130
    # A slow machine says now and then how far it is.
    said = [line for line in errors.splitlines() if not line.startswith("training:")]
    assert said == ["darkscan: interrupted"]
    assert Checkpoint.load(out / "checkpoint.pt").step >= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--windows", 2), "--windows: must be 64 or more, is 2"),
        (("--threads", 0), "--threads: must be 1 or more, is 0"),
        ((), "peer.pt: network: holds xception, and only"),
    ],
    ids=["too few windows", "no threads", "a peer"],
)
def test_what_cannot_be_exported_is_refused(
    one_line: Callable[..., str], tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    file, out = tmp_path / "peer.pt", tmp_path / "model.onnx"
    saved(file, "xception")
    assert message in one_line("export", file, "--out", out, *words)
    assert not out.exists()
    assert "is given twice" in one_line("export", file, "--out", file)
    assert "is not a directory" in one_line("export", file, "--out", file / "model.onnx")
    assert "is not a directory" in one_line("export", file, "--out", out, "--weights", file / "w")
