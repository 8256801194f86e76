"""Data sets on disk: what was built is what is read, whole and always the same."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from darkscan.network.datasets import (
    Counts,
    Dataset,
    MarkedImage,
    Options,
    SimulatedImage,
    Source,
    build_dataset,
    contact_sheet,
)
from darkscan.network.datasets.masks import masks_by_name
from darkscan.network.datasets.rule import VISIBLE_PX
from darkscan.network.pictures import equalised
from darkscan.pipeline.core.errors import InputError, StorageError
from tests.datasets.samples import write_plates
from tests.recording.holding import held

OPTIONS = Options(
    counts={"train": Counts(8, 6), "validation": Counts(3, 2), "test": Counts(4, 3)}, seed=5
)


def simulated(count: int = 4) -> list[Source]:
    return [SimulatedImage(seed, frame_px=900) for seed in range(count)]


def plates(folder: Path, count: int = 3, dtype: str = "uint8") -> list[Source]:
    pairs = masks_by_name(write_plates(folder, count, dtype), folder / "masks", "")
    return [MarkedImage(image, marks, 5) for image, marks in pairs]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("built") / "data.h5"
    build_dataset(simulated(), path, OPTIONS)
    return path


def test_windows_are_cut_where_they_say(built: Path) -> None:
    images = {source.name: source.load() for source in simulated()}
    dataset = Dataset.open(built)
    assert dataset.splits == ("train", "validation", "test")
    for name, (scratch, background) in (
        ("train", (8, 6)),
        ("validation", (3, 2)),
        ("test", (4, 3)),
    ):
        windows = dataset.split(name)
        assert len(windows) == scratch + background
        assert int(windows.labels.sum()) == scratch
        assert windows.full_scale == 255.0
        for index, pixels in enumerate(windows.images(range(len(windows)))):
            y, x = windows.origin[index]
            image = images[windows.source[index]]
            assert (pixels == image.pixels[y : y + 256, x : x + 256]).all()
            touched = image.truth.touched[y : y + 256, x : x + 256]
            if windows.labels[index]:
                assert touched[12:244, 12:244].any()
            else:
                assert not touched.any()


def test_no_image_is_in_two_splits(built: Path) -> None:
    dataset = Dataset.open(built)
    sources = [set(dataset.split(name).source) for name in dataset.splits]
    assert all(sources)
    assert sum(map(len, sources)) == len(set.union(*sources))
    for name, found in zip(dataset.splits, sources, strict=True):
        assert found <= set(dataset.sources(name))


def test_images_come_in_the_order_asked_for(built: Path) -> None:
    windows = Dataset.open(built).split("train")
    whole = windows.images(slice(None))
    assert whole.shape == (14, 256, 256)
    assert (windows.images([9, 2, 9]) == whole[[9, 2, 9]]).all()
    assert (windows.images(np.array([-1])) == whole[-1:]).all()
    assert windows.lines([3, 1]).shape == (2, 32, 32)
    assert windows.images([]).shape == (0, 256, 256)
    with pytest.raises(IndexError):
        windows.images([14])


def test_window_sets_go_to_other_processes(built: Path) -> None:
    windows = Dataset.open(built).split("test")
    copy = pickle.loads(pickle.dumps(windows))  # noqa: S301 - our own bytes
    assert (copy.images([0, 1]) == windows.images([0, 1])).all()
    assert copy.kind.tolist() == windows.kind.tolist()


def test_the_same_build_gives_the_same_bytes_and_another_seed_does_not(
    built: Path, tmp_path: Path
) -> None:
    build_dataset(simulated(), tmp_path / "again.h5", OPTIONS)
    build_dataset(simulated(), tmp_path / "other.h5", replace(OPTIONS, seed=6))
    assert (tmp_path / "again.h5").read_bytes() == built.read_bytes()
    assert Dataset.open(tmp_path / "other.h5").hash != Dataset.open(built).hash
    Dataset.open(built).verify()


def test_a_change_of_content_is_noticed(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.h5"
    path.write_bytes(built.read_bytes())
    with h5py.File(path, "r+") as file:
        file["train/labels"][0] = 1 - file["train/labels"][0]
    with pytest.raises(InputError, match="content has sha256"):
        Dataset.open(path).verify()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_marked_images_keep_their_depth(dtype: str, tmp_path: Path) -> None:
    sources = plates(tmp_path, dtype=dtype)
    build_dataset(sources, tmp_path / "data.h5", OPTIONS)
    windows = Dataset.open(tmp_path / "data.h5").split("train")
    assert windows.images([0]).dtype == dtype
    assert windows.full_scale == (255.0 if dtype == "uint8" else 1023.0)
    assert set(windows.kind) == {""}
    assert np.isnan(windows.cnr).all()
    assert np.isnan(windows.snr).all()
    assert (windows.length_px[windows.labels == 1] >= VISIBLE_PX).all()
    assert windows.lines(np.flatnonzero(windows.labels)).any(axis=(1, 2)).all()


def test_a_split_may_be_left_out(tmp_path: Path) -> None:
    options = replace(OPTIONS, images={"train": 0.0, "validation": 0.0, "test": 1.0})
    build_dataset(plates(tmp_path, 1), tmp_path / "data.h5", options)
    dataset = Dataset.open(tmp_path / "data.h5")
    assert dataset.splits == ("test",)
    with pytest.raises(InputError, match="train: no such split"):
        dataset.split("train")


def test_images_of_two_depths_do_not_mix(tmp_path: Path) -> None:
    sources = plates(tmp_path / "a", 2) + plates(tmp_path / "b", 1, "uint16")
    with pytest.raises(InputError, match=r"is uint16, but plate-0\.png is uint8"):
        build_dataset(sources, tmp_path / "data.h5", OPTIONS)


def test_a_split_without_background_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    sources = plates(tmp_path)
    for number in range(3):
        covered = np.zeros((560, 560), np.uint8)
        covered[::100] = 255
        assert cv2.imwrite(str(tmp_path / "masks" / f"plate-{number}.png"), covered)
    with pytest.raises(InputError, match=r"split train: no .* window could be drawn from 1 image"):
        build_dataset(sources, tmp_path / "data.h5", OPTIONS)
    assert {path.name for path in tmp_path.glob("*.*") if "plate" not in path.name} == set()


def test_too_few_scratched_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 of 2 images have a scratch: too few for 3 splits"):
        build_dataset(plates(tmp_path, 2), tmp_path / "data.h5", OPTIONS)


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="needs up to"):
        build_dataset(simulated(), tmp_path / "data.h5", OPTIONS)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_build_leaves_what_was_there(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    path.write_bytes(built.read_bytes())

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(simulated(), path, replace(OPTIONS, seed=9), interrupt)
    assert path.read_bytes() == built.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def _no_hash(file: h5py.File) -> None:
    del file.attrs["hash"]


def _version_9(file: h5py.File) -> None:
    file.attrs["format_version"] = 9


def _no_pixels(file: h5py.File) -> None:
    del file["test/pixels"]


def _short_column(file: h5py.File) -> None:
    del file["train/cnr"]
    file["train/cnr"] = np.zeros(3, np.float32)


def _other_format(file: h5py.File) -> None:
    file.attrs["format"] = "darkscan recording"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(_no_hash, "is damaged", id="no hash"),
        pytest.param(_version_9, "format_version: version 9 is unknown", id="later version"),
        pytest.param(_no_pixels, "is damaged", id="no pixels"),
        pytest.param(_short_column, "is damaged: /train/cnr has the shape", id="short column"),
        pytest.param(_other_format, "is HDF5, but not a data set", id="another format"),
    ],
)
def test_damaged_data_sets_are_refused(
    change: Callable[[h5py.File], None], problem: str, built: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.h5"
    path.write_bytes(built.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError) as caught:
        Dataset.open(path)
    assert f"{path}: {problem}" in str(caught.value)


def test_a_data_set_cut_short_is_refused(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.h5"
    path.write_bytes(built.read_bytes()[:-5000])
    with pytest.raises(InputError, match="shorter than it was written"):
        Dataset.open(path)


def test_a_data_set_that_another_program_has_open_is_not_called_damaged(
    built: Path, tmp_path: Path
) -> None:
    path = tmp_path / "held.h5"
    path.write_bytes(built.read_bytes())
    with held(path, "r+") as pid:
        assert refusal(path).endswith(f" (process {pid}): close it there, or wait, and try again")
    problem = refusal(path)  # by now that program was killed
    assert "ended without closing it" in problem
    assert problem.endswith("look at it with darkscan dataset info")


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Dataset.open(path)
    return caught.value.problem


def test_the_contact_sheet_shows_windows_raw_and_equalised(built: Path) -> None:
    dataset = Dataset.open(built)
    sheet = contact_sheet(dataset, columns=2)
    windows = dataset.split("train")
    # The first window of the first row is one of the scratched ones, as the camera gave it.
    top = next(
        y
        for y in range(60)
        for image in windows.images(np.flatnonzero(windows.labels))
        if (sheet[y : y + 256, 6:262] == image).all()
    )
    raw, beside = sheet[top : top + 256, 6:262], sheet[top : top + 256, 264:520]
    assert (beside == equalised(raw)).all()
    assert beside.std() > 3 * raw.std()


def test_equalising_spreads_any_depth_over_all_grey_levels() -> None:
    window = np.random.default_rng(1).integers(300, 340, (256, 256)).astype(np.uint16)
    flat = equalised(window)
    assert (flat.min(), flat.max()) == (0, 255)
    assert np.abs(np.percentile(flat, [25, 50, 75]) - [64, 128, 191]).max() < 10
    assert not equalised(np.full((4, 4), 7, np.uint8)).any()
