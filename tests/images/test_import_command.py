"""``darkscan import`` and ``darkscan info``, as they are typed."""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from astropy.io import fits

from darkscan.cli import import_images, info
from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.errors import InputError
from tests.images.samples import noise, reassemble, write_image
from tests.recording.samples import record_first_then_fail


def darkscan(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    import_images.add_parser(commands)
    info.add_parser(commands)
    arguments = parser.parse_args([str(word) for word in words])
    return int(arguments.run(arguments))


def test_import_writes_a_recording_and_says_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = noise(700, 900, 4095)
    image = write_image(tmp_path / "plate.tif", pixels)
    out = tmp_path / "scan.h5"
    assert darkscan("import", image, "--pitch-um", "10", "--out", out, "--frame", "512") == 0
    said = capsys.readouterr()
    assert "6 frames of 512x512 pixels, uint16 with 12 bits" in said.out
    assert "element plate, front: 9.00 x 7.00 mm" in said.out
    assert f"next: darkscan replay {out}" in said.out
    assert said.err == ""
    with Recording(out) as recording:
        np.testing.assert_array_equal(reassemble(recording), pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plate.tif", "scan.h5"]


def test_import_takes_tiles_names_and_depth(tmp_path: Path) -> None:
    tile = noise(300, 300, 900)
    images = [write_image(tmp_path / f"{i}.png", tile) for i in range(4)]
    out = tmp_path / "scan.h5"
    options = ["--columns", "2", "--element", "G-113", "--side", "back", "--bit-depth", "14"]
    darkscan("import", *images, "--pitch-um", "5", "--out", out, *options)
    with Recording(out) as recording:
        assert recording.info.element_size_mm == (3.0, 3.0)
        assert (recording.info.element, recording.info.side) == ("G-113", "back")
        assert recording.info.bit_depth == 14
        np.testing.assert_array_equal(reassemble(recording), np.tile(tile, (2, 2)))


@pytest.mark.parametrize("pitch", ["0", "-10", "nan", "inf"])
def test_import_refuses_a_bad_pitch_first(tmp_path: Path, pitch: str) -> None:
    with pytest.raises(InputError, match=r"--pitch-um: must be from 0\.01 to 10000 micrometres"):
        darkscan("import", tmp_path / "absent.png", f"--pitch-um={pitch}", "--out", "scan.h5")


def test_import_overwrites_only_by_force(tmp_path: Path) -> None:
    image = write_image(tmp_path / "plate.png", noise(300, 300, 255, "uint8"))
    out = tmp_path / "scan.h5"
    out.write_text("precious")
    command: list[str | Path] = ["import", image, "--pitch-um", "10", "--out", out]
    with pytest.raises(InputError, match=r"scan\.h5: exists already; --force"):
        darkscan(*command)
    with pytest.raises(InputError, match="is no recording"):
        darkscan(*command, "--force")
    assert out.read_text() == "precious"
    out.unlink()
    darkscan(*command)
    darkscan(*command, "--force")
    Recording(out).close()


def test_info_describes_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = write_image(tmp_path / "plate.png", noise(900, 900, 255, "uint8"))
    out = tmp_path / "scan.h5"
    darkscan("import", image, "--pitch-um", "10", "--out", out, "--frame", "512")
    capsys.readouterr()
    assert darkscan("info", out) == 0
    text = capsys.readouterr().out
    for part in (
        "plate, front",
        "9.000 x 9.000 mm",
        "10 um",
        "9 of 9 recorded",
        "512x512 pixels, uint8 with 8 bits",
        "x 0.000 to 3.880",
        "128.0 px within strips, 128.0 px between strips",
        "plate.png",
        "complete    yes",
    ):
        assert part in text


def test_info_describes_an_interrupted_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record_first_then_fail(tmp_path / "scan.h5")
    assert darkscan("info", path) == 0
    text = capsys.readouterr().out
    assert "1 of 6 recorded, 5 missing" in text
    assert "recording was interrupted: 1 of 6 frames are there, frames 1-5 are missing" in text
    darkscan("info", path, "--json")
    description = json.loads(capsys.readouterr().out)
    assert description["frames"]["missing"] == [1, 2, 3, 4, 5]
    assert not description["complete"]


@pytest.mark.parametrize(
    "name",
    ["ib1f31e9q_flc.fits.jpg", "id8m11g4q_flc.fits.jpg", "long.fits"],
    ids=["a frame with a faint streak", "a frame with a bright streak", "a raw signed frame"],
)
def test_real_images_come_through_unchanged(tmp_path: Path, real_images: Path, name: str) -> None:
    image = real_images / name
    out = tmp_path / "scan.h5"
    darkscan("import", image, "--pitch-um", "10", "--out", out)
    if name.endswith(".fits"):
        original = fits.getdata(image).astype(int)
        original -= original.min()
    else:
        original = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
    with Recording(out) as recording:
        np.testing.assert_array_equal(reassemble(recording), original)
