"""Commands that write files leave those that are there, unless they are told otherwise."""

from pathlib import Path

import pytest

from darkscan.cli.main import main

EXISTING = [
    pytest.param(("export", "absent.pt", "--out"), "m.onnx", "m.onnx", id="export"),
    pytest.param(
        ("export", "absent.pt", "--out", "m.onnx", "--weights"), "m.pt", "m.pt", id="weights"
    ),
    pytest.param(("score", "absent.png", "--out"), "scores.npz", "scores.npz", id="score"),
    pytest.param(("score", "plate.png", "--out"), "out", "out/plate.scores.npz", id="scores"),
    pytest.param(("compare", "absent.png", "--out"), "out", "out/comparison.csv", id="compare"),
    pytest.param(
        ("evaluate", "--model", "absent.onnx", "--data", "absent.h5", "--out"),
        "out",
        "out/metrics.json",
        id="evaluate",
    ),
    pytest.param(
        ("explain", "absent.png", "--window", "0,0", "--out"), "a.png", "a.png", id="explain"
    ),
    pytest.param(
        ("crops", "absent", "--scan", "absent.h5", "--out"), "out", "out/index.html", id="crops"
    ),
    pytest.param(("quantise", "absent.onnx", "--out"), "m.onnx", "m.onnx", id="quantise"),
]


@pytest.mark.parametrize(("words", "out", "existing"), EXISTING)
def test_existing_files_are_overwritten_only_by_force(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    out: str,
    existing: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / existing
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"dear to somebody")
    assert main([*words, out]) == 2
    refused = capsys.readouterr().err
    assert f"{existing}: --out: exists already; --force overwrites files" in refused
    # With --force the next thing that is wrong is told: the input is not there.
    assert main([*words, out, "--force"]) == 2
    assert "exists already" not in capsys.readouterr().err
    assert file.read_bytes() == b"dear to somebody"


def test_a_folder_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "absent.pt", "--out", str(tmp_path), "--force"]) == 2
    assert "exists already; --force overwrites files" in capsys.readouterr().err
