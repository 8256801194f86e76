"""Image files as users name them: names that are no text, and one of several FITS images."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from astropy.io import fits

from darkscan.cli.main import main
from darkscan.cli.models import model_file
from darkscan.drivers.recording import Recording
from tests.images.files import by_pillow, packed, tags_of, tiff

NAMES = {
    "a Latin-1 byte": os.fsdecode(b"pl\xe4te"),
    "spaces and brackets": "a b [red]x",
    "a line's end": "new\nline",
    "a leading dash": "-dash",
}


def darkscan(*words: str | Path) -> int:
    return main([str(word) for word in words])


def plate(seed: int = 1) -> Any:
    levels = np.random.default_rng(seed).normal(40, 4, (300, 700)).astype(np.uint8)
    levels[100:260, 150:153] = 200
    return levels


@pytest.mark.parametrize("kind", ["tif", "png", "jpg", "fits"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_images_of_any_name_are_imported(
    tmp_path: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image, out = tmp_path / f"{name}.{kind}", tmp_path / f"{name}.h5"
    if kind == "tif":
        tifffile.imwrite(image, plate())
    elif kind == "fits":
        fits.PrimaryHDU(plate()).writeto(tmp_path / "a.fits")
        (tmp_path / "a.fits").rename(image)
    else:
        image.write_bytes(by_pillow(plate(), {"png": "PNG", "jpg": "JPEG"}[kind]))
    assert darkscan("import", image, "--pitch-um", "10", "--out", out) == 0
    assert darkscan("info", out) == 0
    with Recording(out) as recording:
        assert recording.info.element.isprintable()
        recording.info.element.encode()
    assert capsys.readouterr().err == ""


def test_names_that_are_no_text_go_through_or_are_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = NAMES["a Latin-1 byte"]
    image, scan, model = (tmp_path / f"{name}.{kind}" for kind in ("tif", "h5", "onnx"))
    tifffile.imwrite(image, plate())
    tifffile.imwrite(tmp_path / "mask.tif", ((plate() == 200) * 255).astype(np.uint8))
    with model_file(None) as shipped:
        shutil.copy(shipped, model)
    darkscan("import", image, "--pitch-um", "10", "--out", scan)
    compared = ("compare", image, "--mask", tmp_path / "mask.tif", "--methods", "otsu")
    assert darkscan(*compared, "--out", tmp_path / name) == 0
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / f"{name}.png").write_bytes(by_pillow(((plate() == 200) * 255).astype("u1"), "PNG"))
    built = ("dataset", "build", image, "--masks", masks, "--windows", "20", "--split", "1:0:0")
    assert darkscan(*built, "--out", tmp_path / f"{name}.data.h5") == 0
    assert darkscan("score", image, "--out", tmp_path / f"{name}.npz") == 0
    capsys.readouterr()
    for command in (
        ("score", image, "--model", model, "--out", tmp_path / "a.npz"),
        ("replay", scan, "--out", tmp_path / "results"),
    ):
        assert darkscan(*command) == 2
        error = capsys.readouterr().err
        assert "its name is no UTF-8 text: rename it" in error
        assert r"pl\xe4te" in error
        assert error.count("\n") == 1


def test_a_name_that_is_no_text_is_printed_whatever_the_terminal_takes(tmp_path: Path) -> None:
    image = tmp_path / f"{NAMES['a Latin-1 byte']}.tif"
    tifffile.imwrite(image, plate())
    run = subprocess.run(
        [sys.executable, "-m", "darkscan", "import", image, "--pitch-um", "10", "--out", "scan.h5"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert r"element pl\xe4te" in run.stdout


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A FITS file with two images of one size."""
    units = [fits.ImageHDU(plate(seed), name="SCI", ver=seed) for seed in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "two.fits")
    return tmp_path / "two.fits"


def test_every_command_on_images_asks_which_of_several(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs").write_text("two.fits,two.fits")
    for command in (
        ("import", two, "--pitch-um", "10", "--out", tmp_path / "a.h5"),
        ("score", two, "--out", tmp_path / "a.npz"),
        ("compare", two, "--methods", "otsu", "--out", tmp_path / "compared"),
        ("explain", two, "--window", "0,0", "--out", tmp_path / "a.png"),
        ("dataset", "build", "--pairs", tmp_path / "pairs", "--out", tmp_path / "data.h5"),
    ):
        assert darkscan(*command) == 2
        error = capsys.readouterr().err
        assert "holds 2 images, wanted is one: 1 (SCI,1) of 700x300 pixels, 2 (SCI,2)" in error


def test_hdu_chooses_the_image(two: Path, tmp_path: Path) -> None:
    chosen = ("--hdu", "SCI,2")
    imported = ("import", two, "--pitch-um", "10", "--frame", "700", *chosen)
    assert darkscan(*imported, "--out", tmp_path / "a.h5") == 0
    pixels = np.empty((300, 700), np.uint8)
    with Recording(tmp_path / "a.h5") as recording:
        recording.read_into(0, pixels)
    np.testing.assert_array_equal(pixels, plate(2))
    assert darkscan("score", two, *chosen, "--out", tmp_path / "a.npz") == 0
    compared = ("compare", two, *chosen, "--methods", "otsu")
    assert darkscan(*compared, "--out", tmp_path / "compared") == 0
    tifffile.imwrite(tmp_path / "mask.tif", ((plate(2) == 200) * 255).astype(np.uint8))
    (tmp_path / "pairs").write_text("two.fits,mask.tif")
    built = ("dataset", "build", "--pairs", tmp_path / "pairs", *chosen, "--windows", "20")
    assert darkscan(*built, "--split", "1:0:0", "--out", tmp_path / "data.h5") == 0
    with h5py.File(tmp_path / "data.h5") as data:
        y, x = data["train/origin"][0]
        np.testing.assert_array_equal(data["train/pixels"][0], plate(2)[y : y + 256, x : x + 256])


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "--simulated", "1", "--out", "c"),
        ("dataset", "build", "--simulated", "3", "--out", "data.h5"),
        ("explain", "--map", "a", "--scan", "b", "--defect", "D1", "--out", "a.png"),
        ("evaluate", "--model", "default", "--data", "a.h5", "--out", "report"),
    ],
    ids=lambda command: command[0],
)
def test_hdu_without_an_image_is_refused(
    tmp_path: Path,
    command: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert darkscan(*command, "--hdu", "1") == 2
    assert "darkscan: error: --hdu: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_packed_levels_keep_their_depth_in_a_data_set(tmp_path: Path) -> None:
    levels = plate().astype(np.uint16) * 4
    image = tmp_path / "plate.tif"
    image.write_bytes(tiff(tags_of(levels, 12), packed(levels, 12)))
    (tmp_path / "plate.png").write_bytes(by_pillow((levels == 800).astype("u1") * 255, "PNG"))
    built = ("dataset", "build", image, "--masks", tmp_path, "--windows", "20")
    assert darkscan(*built, "--split", "1:0:0", "--out", tmp_path / "data.h5") == 0
    with h5py.File(tmp_path / "data.h5") as data:
        assert data.attrs["full_scale"] == 4095
