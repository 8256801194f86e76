"""The score command: every window of any image, as the pipeline would score it."""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits

from darkscan.cli.main import main
from darkscan.cli.options import model_file
from darkscan.drivers.images import Mosaic
from darkscan.inference import Seen
from darkscan.inference.scoring import ModelScorer, score_image
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.grid import window_origins

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def scorer() -> ModelScorer:
    with model_file(None) as file:
        return ModelScorer(file, threads=1)


def plate(height: int, width: int, seed: int = 1) -> npt.NDArray[np.uint8]:
    """A noisy dark image with one bright diagonal line."""
    rng = np.random.default_rng(seed)
    levels = np.clip(rng.normal(12, 2, (height, width)), 0, 255).astype(np.uint8)
    # From corner to corner, so that some windows show it and others do not.
    cv2.line(levels, (0, 0), (width - 1, height - 1), 60, 2)
    return levels


def score(image: Path, out: Path, *options: str) -> dict[str, Array]:
    assert main(["score", str(image), "--out", str(out), "--threads", "1", *options]) == 0
    with np.load(out) as content:
        return dict(content)


def test_every_window_of_the_grid_has_the_score_it_has_in_a_frame(
    tmp_path: Path, scorer: ModelScorer, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = plate(500, 700)
    cv2.imwrite(str(tmp_path / "plate.png"), levels)
    content = score(tmp_path / "plate.png", tmp_path / "scores.npz")

    assert set(content) == {"origins", "scores"}
    rows, columns = [0, 128, 244], [0, 128, 256, 384, 444]
    assert content["origins"].tolist() == [[y, x] for y in rows for x in columns]
    assert np.issubdtype(content["origins"].dtype, np.integer)
    frame = scorer.frame(levels, content["origins"].astype(np.int32), 255)
    np.testing.assert_allclose(content["scores"], frame, atol=1e-6)
    windows = np.stack([levels[y : y + 256, x : x + 256] for y, x in content["origins"]])
    alone = scorer(windows, 255)
    assert (content["scores"] >= alone - 1e-6).all()  # a neighbour raises, and never lowers
    assert (content["scores"] > alone + 1e-3).any()
    assert content["scores"].max() > 0.9
    assert content["scores"].min() < 0.5
    said = capsys.readouterr().out
    over = (content["scores"] >= scorer.info.threshold).sum()
    assert said.startswith(f"plate.png: 15 windows, {over} at or over the threshold")
    assert f"highest {content['scores'].max():.4f}" in said


class Corners:
    """A dense model whose scores are the levels of windows' first pixels."""

    dense = True
    info = Namespace(window=256, stride=128, dense=True)

    def __init__(self) -> None:
        self.tiles: list[tuple[int, ...]] = []

    def alone(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> Seen:
        assert full_scale == 65535
        self.tiles.append(pixels.shape)
        return Seen(pixels[origins[:, 0], origins[:, 1]].astype(np.float32), None)


@pytest.mark.parametrize(
    ("shape", "tiles"),
    [
        pytest.param((300, 2048), 1, id="as wide as a frame"),
        pytest.param((256, 2049), 2, id="a pixel wider"),
        pytest.param((2400, 4200), 6, id="several frames"),
    ],
)
def test_a_large_image_passes_a_dense_model_in_tiles(
    tmp_path: Path, shape: tuple[int, int], tiles: int
) -> None:
    levels = np.random.default_rng(2).integers(0, 65536, shape).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "plate.png"), levels)
    scorer, told = Corners(), list[tuple[int, int]]()
    mosaic = Mosaic([tmp_path / "plate.png"])
    origins, scores = score_image(
        mosaic,
        scorer,  # type: ignore[arg-type]
        65535,
        lambda *done: told.append(done),
    )
    np.testing.assert_array_equal(origins, window_origins(shape, 256, 128))
    np.testing.assert_array_equal(scores, levels[origins[:, 0], origins[:, 1]])
    assert len(scorer.tiles) == tiles
    assert np.max(scorer.tiles) <= 2048
    widths = [width for _, width in scorer.tiles]
    assert min(widths) >= max(widths) - 256  # none so narrow that it sees less than the others
    rows = len(np.unique(origins[:, 0]))
    assert told[-1] == (rows, rows)


@pytest.mark.parametrize(
    ("suffix", "convert"),
    [
        pytest.param("tif", lambda x: x.astype(np.uint16), id="16 bit"),
        pytest.param("fits", lambda x: x.astype(np.float32), id="FITS of floats"),
        pytest.param("fits", lambda x: x.astype(np.int16) - 40, id="FITS of signed, below zero"),
    ],
)
def test_the_same_levels_have_the_same_scores_in_any_file(
    tmp_path: Path, suffix: str, convert: Callable[[Array], Array]
) -> None:
    levels = plate(300, 300)
    levels[0, 0] = 0  # signed levels are shifted so that the lowest is zero
    cv2.imwrite(str(tmp_path / "plate.png"), levels)
    other = tmp_path / f"other.{suffix}"
    if suffix == "fits":
        fits.writeto(other, convert(levels))
    else:
        cv2.imwrite(str(other), convert(levels))
    options = ("--full-scale", "255")
    expected = score(tmp_path / "plate.png", tmp_path / "a.npz")
    np.testing.assert_array_equal(
        score(other, tmp_path / "b.npz", *options)["scores"], expected["scores"]
    )


def test_a_camera_of_sixteen_bits_sees_what_one_of_eight_sees(tmp_path: Path) -> None:
    levels = plate(300, 400)
    levels[0, 0] = 255
    cv2.imwrite(str(tmp_path / "eight.png"), levels)
    cv2.imwrite(str(tmp_path / "sixteen.png"), levels.astype(np.uint16) * 257)
    eight = score(tmp_path / "eight.png", tmp_path / "eight.npz")
    sixteen = score(tmp_path / "sixteen.png", tmp_path / "sixteen.npz")
    np.testing.assert_allclose(sixteen["scores"], eight["scores"], atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "origins"),
    [
        pytest.param((100, 90), [[0, 0]], id="both sides too short"),
        pytest.param((1, 1), [[0, 0]], id="a single pixel"),
        pytest.param((100, 300), [[0, 0], [0, 44]], id="too low"),
    ],
)
def test_a_small_image_is_padded_by_reflection(
    tmp_path: Path,
    scorer: ModelScorer,
    capsys: pytest.CaptureFixture[str],
    shape: tuple[int, int],
    origins: list[list[int]],
) -> None:
    levels = plate(*shape)
    cv2.imwrite(str(tmp_path / "small.png"), levels)
    content = score(tmp_path / "small.png", tmp_path / "small.npz")
    assert content["origins"].tolist() == origins
    assert "padded to 256 by reflection" in capsys.readouterr().out
    missing = [(0, max(0, 256 - side)) for side in shape]
    padded = np.pad(levels, missing, mode="reflect")
    frame = scorer.frame(padded, np.array(origins, np.int32), 255)
    np.testing.assert_allclose(content["scores"], frame, atol=1e-6)


def test_default_stands_for_the_shipped_model(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "plate.png"), plate(256, 256))
    for name, words in (("a", []), ("b", ["--model", "default"])):
        out = str(tmp_path / f"{name}.npz")
        assert main(["score", str(tmp_path / "plate.png"), "--out", out, *words]) == 0
    one, other = (np.load(tmp_path / f"{name}.npz")["scores"] for name in "ab")
    np.testing.assert_array_equal(one, other)


def test_several_images_go_to_a_folder(tmp_path: Path) -> None:
    images = [tmp_path / "one.png", tmp_path / "two.png"]
    for seed, image in enumerate(images):
        cv2.imwrite(str(image), plate(256, 256, seed))
    assert main(["score", *map(str, images), "--out", str(tmp_path / "out")]) == 0
    names = {entry.name for entry in (tmp_path / "out").iterdir()}
    assert names == {"one.scores.npz", "two.scores.npz"}


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    cv2.imwrite(str(tmp_path / "plate.png"), plate(256, 256))
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "other").mkdir()
    cv2.imwrite(str(tmp_path / "other" / "plate.png"), plate(256, 256))

    def run(*arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        assert main(["score", *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert sorted(tmp_path.rglob("*")) == before
        (line,) = printed.err.strip().splitlines()
        return line

    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["none.png", "--out", "a.npz"], "cannot be read", id="no such image"),
        pytest.param(["text.png", "--out", "a.npz"], "is not an image", id="a text as image"),
        pytest.param(
            ["plate.png", "text.png", "--out", "a.npz"], "must be a folder", id="one file for two"
        ),
        pytest.param(["plate.png", "--out", "text.png"], "must end in .npz", id="another file"),
        pytest.param(
            ["plate.png", "other/plate.png", "--out", "x"], "the same name", id="equal names"
        ),
        pytest.param(
            ["plate.png", "--out", "text.png/a.npz"], "not a directory", id="below a file"
        ),
        pytest.param(
            ["plate.png", "--out", "a.npz", "--model", "text.png"], "no ONNX model", id="model"
        ),
        pytest.param(
            ["plate.png", "--out", "a.npz", "--model", "no.onnx"], "no such model", id="no model"
        ),
        pytest.param(["plate.png", "--out", "a.npz", "--threads", "0"], "--threads", id="threads"),
        pytest.param(
            ["plate.png", "--out", "a.npz", "--full-scale", "30"],
            "--full-scale: must be from the image's highest level, 60",
            id="full scale below the levels",
        ),
    ],
)
def test_refuses_bad_input_in_one_line(
    tmp_path: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in refused(*arguments)


def test_scores_without_torch(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "plate.png"), plate(256, 256))
    code = (
        "import sys; sys.modules['torch'] = None; from darkscan.cli.main import main; "
        f"sys.exit(main(['score', {str(tmp_path / 'plate.png')!r}, "
        f"'--out', {str(tmp_path / 'scores.npz')!r}]))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (tmp_path / "scores.npz").exists()


def test_a_real_streak_outscores_the_sky_beside_it(real_images: Path, tmp_path: Path) -> None:
    content = score(real_images / "long.fits", tmp_path / "long.npz")
    above = content["origins"][:, 0] == 0  # the streak runs from row 300 down
    assert content["scores"][~above].min() > 0.9
    assert content["scores"][above].max() < 0.7
