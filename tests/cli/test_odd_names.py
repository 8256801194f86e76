"""Names that lead to no file, and machines without a folder of one's own: one line, no waiting."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darkscan.cli.main import main
from darkscan.drivers.recording import Recording
from tests.images.samples import write_image
from tests.recording.samples import record_all

PITCH = ("--pitch-um", "10")


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pipe that nobody writes to, a link to itself, a recording and recipes."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    record_all(tmp_path / "scan.h5")
    plate = np.full((300, 400), 20, np.uint8)
    fits.writeto("plate.fits", plate)
    for name, model in (("pipe", "pipe"), ("loop", "loop"), ("null", "a\\u0000b")):
        Path(f"{name}.toml").write_text(f'[inspection]\nmodel = "{model}"\n')
    return tmp_path


LONG = "n" * 300
REFUSED: dict[str, tuple[str, ...]] = {
    "a pipe for a recording": ("info", "pipe"),
    "a device for a recording": ("info", "/dev/zero"),
    "a link to itself for a recording": ("info", "loop"),
    "a name too long for a recording": ("info", LONG),
    "a pipe for a recipe": ("replay", "scan.h5", "--out", "out", "--recipe", "pipe"),
    "a pipe for a recipe's model": ("replay", "scan.h5", "--out", "out", "--recipe", "pipe.toml"),
    "a recipe's model that leads to itself": (
        *("replay", "scan.h5", "--out", "out"),
        *("--recipe", "loop.toml"),
    ),
    "a null byte in a recipe": ("replay", "scan.h5", "--out", "out", "--recipe", "null.toml"),
    "results under a recording": ("replay", "scan.h5", "--out", "scan.h5/out"),
    "results under a name too long": ("replay", "scan.h5", "--out", LONG),
    "a pipe to write a recording to": ("import", "plate.fits", *PITCH, "--out", "pipe", "--force"),
    "an import under a name too long": ("import", "plate.fits", *PITCH, "--out", LONG),
    "a pipe for a model": ("score", "plate.fits", "--model", "pipe", "--out", "scores.npz"),
    "scores under a name too long": ("score", "plate.fits", "--out", LONG),
    "a pipe for a rig": ("plan", "--rig", "pipe"),
    "a pipe for a map": ("explain", "--map", "pipe", "--scan", "scan.h5", "--out", "why.png"),
    "a pipe for a checkpoint": (
        *("explain", "plate.fits", "--window", "0,0"),
        *("--checkpoint", "pipe", "--out", "why.png"),
    ),
    "a pipe to export": ("export", "pipe", "--out", "model.onnx"),
    "a link to itself to export to": ("export", "none.pt", "--out", "loop"),
    "a pipe to quantise": ("quantise", "pipe", "--out", "model.onnx"),
    "a pipe to start from": ("train", "--init", "pipe", "--out", "trained", "--steps", "1"),
    "a pipe for results": ("profile", "pipe"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_an_odd_name_is_refused_in_one_line_without_waiting(
    odd: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    before = sorted(odd.iterdir())
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("darkscan: error: ")
    assert sorted(odd.iterdir()) == before


def test_nothing_is_asked_of_the_home_and_the_temporary_folder(
    odd: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", without_any)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    write_image(odd / "plate.png", np.full((300, 400), 20, np.uint8))
    write_image(odd / "other.tif", np.full((300, 400), 20, np.uint8))
    for words in (
        ("score", "plate.png", "other.tif", "--out", "."),
        ("import", "plate.fits", *PITCH, "--out", "new.h5", "--frame", "300"),
        ("info", "new.h5"),
        ("score", "plate.fits", "--out", "scores.npz"),
    ):
        assert main(words) == 0, capsys.readouterr().err
    with Recording(odd / "new.h5") as recording:
        assert recording.complete
    with pytest.raises(FileNotFoundError):
        tempfile.gettempdir()


without_any: Callable[[], list[str]] = list
