"""``--backgrounds`` of ``darkscan train`` and ``darkscan export``."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.cli.main import main
from darkscan.network.training import Checkpoint

TINY = (
    "--width", "0.0625", "--batch", "4", "--threads", "1", "--workers", "0",
    "--validation-windows", "64", "--steps", "2", "--no-plots",
)  # fmt: skip


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A folder of two scratch-free pictures."""
    folder = tmp_path / "clean"
    folder.mkdir()
    for number in range(2):
        add(folder, number)
    return folder


def add(folder: Path, number: int) -> None:
    drawn = np.random.default_rng(number).normal(40, 3, (512, 520))
    assert cv2.imwrite(str(folder / f"{number}.png"), drawn.round().astype(np.uint8))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--background-share", "0.5"), "--background-share: is of --backgrounds, which"),
        (("--backgrounds", "{clean}", "--background-share", "0"), "--background-share: must be"),
        (("--backgrounds", "{clean}", "--data", "x.h5"), "--backgrounds: is for simulated"),
        (("--backgrounds", "no-such"), "no-such: --backgrounds: cannot be read: No such file"),
    ],
    ids=["a share of nothing", "no share", "of a data set", "no folder"],
)
def test_what_cannot_be_trained_on_is_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    clean: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "out"
    given = [word.format(clean=clean) for word in words]
    assert main(["train", "--out", str(out), *given]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not out.exists()


@pytest.mark.slow
def test_a_network_is_adapted_and_exported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clean: Path
) -> None:
    out, model = tmp_path / "out", tmp_path / "model.onnx"
    command = ["train", "--out", str(out), "--backgrounds", str(clean), *TINY]
    assert main(command) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith(f"a share of 0.5 on crops of 2 pictures in {clean}")
    assert Checkpoint.load(out / "checkpoint.pt").data.endswith("on crops of 2 pictures")
    assert main(command) == 0
    assert "goes on after step 2 of 2" in capsys.readouterr().out
    exporting = ["export", str(out / "checkpoint.pt"), "--out", str(model), "--windows", "64"]
    assert main([*exporting, "--backgrounds", str(clean)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"backgrounds: 2 pictures in {clean}"
    assert any(line.startswith("| backgrounds |") for line in told)
    assert model.is_file()
    add(clean, 2)
    assert main(command) == 2
    assert "checkpoint.pt: belongs to a training on other windows" in capsys.readouterr().err


@pytest.mark.slow
def test_the_dense_network_is_adapted_by_larger_crops(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, clean: Path
) -> None:
    out = tmp_path / "out"
    given = ["--backgrounds", str(clean), "--background-share", "1"]
    command = ["train", "--network", "darkscan-dense", "--out", str(out), *given, *TINY]
    assert main(command) == 0
    assert "a share of 1 on crops of 2 pictures" in capsys.readouterr().out
