"""``darkscan explain``, as it is typed, with a network made by hand in the checkpoint's place."""

import argparse
import re
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.cli import explain as command
from darkscan.drivers.recording import save_recording
from darkscan.network.explaining import area_windows, defect_windows
from darkscan.network.training import Checkpoint
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import to_json
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.frame_results import Traces
from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.stages.merging import build_map
from tests.explaining.small_networks import ByHand
from tests.mapping.hand_made import frames_of, inspected, lines_of, result, scan_info

MODELS = Path(command.__file__).parents[1] / "models"
SCRATCHED = [(512, 512), (512, 640), (640, 640)]


class TwoFrames:
    """A FrameSource: noise, and a bright line in the first frame's scratched windows."""

    def __init__(self) -> None:
        self.frames: list[FrameMeta] = frames_of(2, 1)
        self.info: ScanInfo = scan_info(
            frames_planned=2, element_size_mm=(38.4, 20.48), region_mm=(0.0, 0.0, 38.4, 20.48)
        )

    def read_into(self, index: int, out: Pixels) -> None:
        rng = np.random.default_rng(index)
        out[:] = rng.integers(18, 23, out.shape)
        if index == 0:
            out[700:860, 780:784] = 90  # within window (640, 640) alone

    def close(self) -> None:
        pass


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint file; whatever its content, the network by hand is read from it."""

    class Loaded:
        def __init__(self, file: Path) -> None:
            self.options = argparse.Namespace(network=file.read_text())

        def averaged_network(self) -> ByHand:
            return ByHand().eval()

    monkeypatch.setattr(Checkpoint, "load", Loaded)
    file = tmp_path / "checkpoint.pt"
    file.write_text("by hand")
    return file


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "plate.png"
    levels = np.random.default_rng(1).integers(0, 4096, (300, 600)).astype(np.uint16)
    assert cv2.imwrite(str(path), levels)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    save_recording(path, TwoFrames())
    return path


@pytest.fixture
def defect_map(tmp_path: Path) -> Path:
    source = TwoFrames()
    results = [
        result(meta, SCRATCHED if meta.frame == 0 else (), scan=source.info)
        for meta in source.frames
    ]
    line = Traces(lines=lines_of([(782, 700), (782, 860)]))
    results[0] = results[0].model_copy(update={"traces": line})
    path = tmp_path / "defect-map.json"
    path.write_text(to_json(build_map(inspected(results, scan=source.info))))
    return path


def darkscan(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["explain", *(str(word) for word in words)])
    return int(arguments.run(arguments))


def test_windows_of_an_image_are_explained(
    tmp_path: Path, image: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figure.png"
    words: list[str | Path] = [
        "--window",
        "0,0",
        "--window",
        "44, 344",
        "--checkpoint",
        checkpoint,
        "--out",
        out,
    ]
    assert darkscan(image, *words) == 0
    said = capsys.readouterr().out
    assert "0,0: by hand 0." in said
    assert "44,344: by hand 0." in said
    assert f"{out}: 2 windows, 1 network" in said
    figure = cv2.imread(str(out))
    assert figure is not None
    assert figure.shape[0] > 400


@pytest.mark.parametrize(("name", "stages"), [("default", 2), ("windowed", 4)])
def test_the_shipped_networks_show_every_panel(
    tmp_path: Path, image: Path, name: str, stages: int
) -> None:
    # The default network is what is explained when none is named.
    named: list[str | Path] = [] if name == "default" else ["--checkpoint", MODELS / f"{name}.pt"]
    heights = []
    for panel in ("cam", "line", "place", "channel", "scale"):
        out = tmp_path / f"{panel}.png"
        words: list[str | Path] = ["--window", "0,0", *named, "--show", panel, "--out", out]
        assert darkscan(image, *words) == 0
        figure = cv2.imread(str(out))
        assert figure is not None
        heights.append(figure.shape[0])
    # The groups of all stages with scale attention, in place of one map.
    row = (heights[-1] - heights[0]) / (stages - 1)
    assert row > 100
    assert heights == pytest.approx([heights[0]] * 4 + [heights[-1]], abs=2)


def test_networks_stand_below_each_other(
    tmp_path: Path, image: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.pt"
    other.write_text("attention-92")
    words: list[str | Path] = ["--window", "0,0", "--checkpoint", checkpoint, "--checkpoint", other]
    darkscan(image, *words, "--show", "cam", "--out", tmp_path / "two.png")
    assert re.match(r"0,0: by hand (0\.\d{3}), attention-92 \1\n", capsys.readouterr().out)
    darkscan(image, *words[:4], "--show", "cam", "--out", tmp_path / "one.png")
    two, one = (cv2.imread(str(tmp_path / name)) for name in ("two.png", "one.png"))
    assert two is not None
    assert one is not None
    assert two.shape[0] > one.shape[0]


@pytest.mark.parametrize(
    ("name", "strongest", "others"),
    [
        ("A0001", ["640,640"], SCRATCHED),
        ("D0001", ["640,640", "640,768"], list(product((512, 640, 768), (640, 768)))),
    ],
    ids=["an area's own", "those that a scratch passes"],
)
@pytest.mark.usefixtures("scan", "defect_map", "checkpoint")
def test_the_strongest_windows_of_a_maps_defect_are_found_in_the_scan(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    strongest: list[str],
    others: list[tuple[int, int]],
) -> None:
    monkeypatch.chdir(tmp_path)
    of_map = ["--map", "defect-map.json", "--scan", "scan.h5", "--defect", name, "--windows", "2"]
    assert darkscan(*of_map, "--checkpoint", "checkpoint.pt", "--out", "figure.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(lines[0].startswith(f"{name}, frame 0 {place}: by hand") for place in strongest)
    assert len(lines) == 3
    assert any(f" {y},{x}: " in lines[1] for y, x in others)
    assert Path("figure.png").exists()


def test_a_defects_windows_are_all_that_its_outline_reaches_into(defect_map: Path) -> None:
    document, source = read_map(defect_map.parent), TwoFrames()
    (defect,), (area,) = document.defects, document.areas
    places = defect_windows(document, defect, source.info, source.frames)
    assert [(place.y, place.x) for place in places] == list(product((512, 640, 768), (640, 768)))
    assert {place.frame for place in places} == {0}
    assert places[0].centre_mm == pytest.approx((7.68, 6.40))
    places = area_windows(document, area, source.info, source.frames)
    assert [(place.y, place.x) for place in places] == SCRATCHED


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["plate.png"], "--window: name at least one"),
        (["plate.png", "--window", "12"], "--window: must be like 512,1024, is '12'"),
        (["plate.png", "--window=-1,5"], "--window: must be like"),
        (["plate.png", "--window", "100,0"], "--window: 100,0 is not within the image of 600x300"),
        (["absent.png", "--window", "0,0"], "absent.png: cannot be read"),
        (["plate.png", "--window", "0,0", "--map", "m.json"], "--map: an image has no defect map"),
        (["plate.png", "--window", "0,0", "--show", "cam,soul"], "--show: must be some of cam"),
        (["--map", "defect-map.json", "--defect", "D0001"], "--scan: give an IMAGE, or --map"),
        (
            ["--map", "defect-map.json", "--scan", "scan.h5", "--defect", "D0009"],
            "defect-map.json: --defect: has no 'D0009'; defects: 1, areas: 1",
        ),
        (
            ["--map", "plate.png", "--scan", "scan.h5", "--defect", "D0001"],
            "plate.png: is no defect map",
        ),
        (
            ["--map", "defect-map.json", "--scan", "other.h5", "--defect", "D0001"],
            "other.h5: --scan: is of element other",
        ),
        (["plate.png", "--window", "0,0", "--windows", "0"], "--windows?: from 1 to 16"),
        (["plate.png", "--window", "0,0", "--out", "figure.jpg"], "figure.jpg: --out: must end in"),
    ],
    ids=[
        "no window", "half a place", "a negative place", "beyond the border", "no such image",
        "an image and a map", "no such panel", "a map without its scan", "no such defect",
        "no map", "another element's scan", "no windows", "a picture of another kind",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("image", "scan", "defect_map")
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint: Path,
    words: list[str],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "other.h5" in words:
        source = TwoFrames()
        source.info = source.info.model_copy(update={"element": "other"})
        save_recording(Path("other.h5"), source)
    with pytest.raises(InputError, match=problem):
        darkscan("--checkpoint", checkpoint, "--out", "figure.png", *words)
    assert not list(Path().glob("figure.*"))


def test_a_missing_checkpoint_is_named(tmp_path: Path, image: Path) -> None:
    words: list[str | Path] = [
        "--window",
        "0,0",
        "--checkpoint",
        "absent.pt",
        "--out",
        tmp_path / "figure.png",
    ]
    with pytest.raises(InputError, match=r"absent\.pt: --checkpoint: there is no such checkpoint"):
        darkscan(image, *words)


def test_a_figure_is_overwritten_only_by_force(
    tmp_path: Path, image: Path, checkpoint: Path
) -> None:
    out = tmp_path / "figure.png"
    out.write_text("precious")
    words: list[str | Path] = ["--window", "0,0", "--checkpoint", checkpoint, "--out", out]
    with pytest.raises(InputError, match=r"figure\.png: --out: exists already; --force"):
        darkscan(image, *words)
    assert out.read_text() == "precious"
    assert darkscan(image, *words, "--force") == 0
    assert cv2.imread(str(out)) is not None


def test_measured_values_are_shown_too(tmp_path: Path, checkpoint: Path) -> None:
    path, out = tmp_path / "plate.tif", tmp_path / "figure.png"
    levels = np.random.default_rng(1).normal(0, 1, (300, 300)).astype(np.float32)
    assert cv2.imwrite(str(path), levels)
    assert darkscan(path, "--window", "0,0", "--checkpoint", checkpoint, "--out", out) == 0
    assert cv2.imread(str(out)) is not None


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, image: Path
) -> None:
    with pytest.raises(StorageError, match="is not a directory"):
        darkscan(image, "--window", "0,0", "--checkpoint", "absent.pt", "--out", image / "a.png")
    assert sorted(tmp_path.iterdir()) == [image]
