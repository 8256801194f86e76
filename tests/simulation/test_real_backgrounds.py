"""Crops of real pictures as backgrounds, and the scratches that are simulated in them."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.element import _background_files, training_images
from darkscan.simulation.element.crops import training_crops
from darkscan.simulation.element.kinds import UNKNOWN, Kind
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.scratches import Line, Stage
from darkscan.simulation.element.sensor import noise_of
from darkscan.simulation.element.training_images import TrainingImage, draw_image
from darkscan.simulation.element.windows import training_batch
from tests.recording.samples import picture, record_all, record_first_then_fail

SIDE = 256


def noise(
    level: float,
    sigma: float,
    shape: tuple[int, int] = (SIDE, SIDE),
    dtype: npt.DTypeLike = np.uint8,
) -> Pixels:
    drawn = np.random.default_rng(5).normal(level, sigma, shape)
    return np.asarray(np.rint(np.clip(drawn, 0, np.iinfo(dtype).max)).astype(dtype))


def backgrounds_of(
    folder: Path, *pictures: npt.NDArray[np.integer], share: float = 1.0
) -> RealBackgrounds:
    folder.mkdir(exist_ok=True)
    for number, levels in enumerate(pictures):
        assert cv2.imwrite(str(folder / f"{number}.png"), levels)
    return RealBackgrounds.of_folder(folder, share)


def drawn(backgrounds: RealBackgrounds, seed: int, scratches: int) -> TrainingImage:
    rng = np.random.default_rng(seed)
    return draw_image(rng, 1.0, "mixed", SIDE, scratches, backgrounds)


def test_the_same_seed_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    backgrounds = backgrounds_of(tmp_path, noise(30, 2, (300, 400)), noise(90, 5), share=0.5)
    sent = pickle.loads(pickle.dumps(backgrounds))  # noqa: S301
    first, again = (training_batch(1, 0, 6, backgrounds=given) for given in (backgrounds, sent))
    for field in first._fields:
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    real = (first.kinds == UNKNOWN).any(axis=(1, 2))
    assert 0 < real.sum() < 6


def test_clean_crops_are_the_pictures_own_pixels_but_for_the_gain(tmp_path: Path) -> None:
    levels = noise(40, 0.6)
    levels[20:40, 20:40] = 255
    backgrounds = backgrounds_of(tmp_path, levels)
    same = 0
    for seed in range(20):
        image = drawn(backgrounds, seed, 0)
        assert not image.lines
        assert (image.picture[20:40, 20:40] == 255).all()
        gain = image.picture[50:].mean() / levels[50:].mean()
        same += np.array_equal(image.picture, levels)
        assert 0.69 < gain < 1.41
        assert np.abs(image.picture[50:] - gain * levels[50:]).max() <= 0.5 * gain + 0.6
    assert 4 <= same <= 16


def test_a_change_of_gain_leaves_no_level_out(tmp_path: Path) -> None:
    backgrounds = backgrounds_of(tmp_path, noise(90, 12))
    for seed in range(8):
        counts = np.bincount(drawn(backgrounds, seed, 0).picture.ravel(), minlength=256)
        middle = int(counts.argmax())
        around = counts[middle - 8 : middle + 9]
        assert around.min() > 0.5 * around.max()


@pytest.mark.parametrize("sigma", [0.6, 4.0], ids=["less than a level", "several levels"])
def test_a_scratch_is_as_bright_as_it_says_over_the_pictures_noise(
    tmp_path: Path, sigma: float
) -> None:
    backgrounds = backgrounds_of(tmp_path, noise(40, sigma))
    ratios = []
    for seed in range(120):
        image = drawn(backgrounds, seed, 1)
        rng = np.random.default_rng(seed)
        rng.random()  # whether the image is a real one
        crop = np.rint(backgrounds.crop(rng, SIDE))
        line, here = image.lines[0], noise_of(crop.astype(np.uint8))
        x, y = np.floor(line.vertices).astype(int).T
        seen = (line.lit > 0) & (np.minimum(x, y) >= 0) & (np.maximum(x, y) < SIDE)
        told = line.kind != "discontinuous" and line.fwhm >= 1.8
        if told and seen.sum() >= 4 and 2 < line.cnr * here < 200:
            light = (image.picture - crop)[y[seen], x[seen]]
            ratios.append(float(light.mean() / (line.lit[seen] * line.cnr * here).mean()))
    assert len(ratios) > 15
    assert np.median(ratios) == pytest.approx(0.95, abs=0.07)  # pixels lie beside the axis


def test_nothing_is_said_of_cells_without_a_scratch(tmp_path: Path) -> None:
    backgrounds = backgrounds_of(tmp_path, noise(40, 1.5))
    clean, scratched = (drawn(backgrounds, 3, count) for count in (0, 1))
    assert (clean.kinds.kinds == UNKNOWN).all()
    assert set(np.unique(scratched.kinds.kinds)) == {Kind.SCRATCH, UNKNOWN}


def test_the_light_of_a_scratch_brings_noise_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broad(
        light: Float32Array, _canvas: Float32Array, _stage: Stage, _count: int, _rng: object
    ) -> list[Line]:
        light[:, :128] += 80
        ends = np.array([[64.0, 0.0], [64.0, 256.0]])
        return [Line("straight", ends, np.ones(2), 128.0, 30.0, 1e3)]

    monkeypatch.setattr(training_images, "add_scratches", broad)
    backgrounds = backgrounds_of(tmp_path, noise(40, 3))
    for seed in range(4):
        picture = drawn(backgrounds, seed, 1).picture
        gain = np.median(picture[:, 128:]) / 40
        lit, dark = noise_of(picture[:, :128]), noise_of(picture[:, 128:])
        assert lit / dark == pytest.approx((1 + 80 / (40 * gain)) ** 0.5, rel=0.08)


@pytest.mark.parametrize(
    ("level", "sigma", "shift"),
    [(600, 2, 0), (3000, 3, 0), (300, 9, 4), (30_000, 400, 0)],
    ids=["a quiet 10-bit camera", "a high black level", "12 bits in the upper 16", "16 bits"],
)
def test_deeper_pictures_keep_their_noise(
    tmp_path: Path, level: float, sigma: float, shift: int
) -> None:
    levels = noise(level, sigma, dtype=np.uint16) << shift
    backgrounds = backgrounds_of(tmp_path, levels)
    (file,) = backgrounds.files
    assert file.scale.step == 1 << shift
    for seed in range(4):
        picture = drawn(backgrounds, seed, 0).picture
        assert 5 < np.median(picture) < 160
        kept = (picture - picture.mean()) / picture.std()
        given = (levels - levels.mean()) / levels.std()
        assert float((kept * given).mean()) > 0.9
        counts = np.bincount(picture.ravel())
        there = np.flatnonzero(counts > counts.max() / 20)
        assert (np.diff(there) == 1).all()


def test_large_images_lie_on_crops_of_theirs(tmp_path: Path) -> None:
    from skimage import data

    backgrounds = backgrounds_of(tmp_path, data.gravel(), data.brick())
    batch = training_crops(1, 0, 4, backgrounds=backgrounds)
    assert batch.images.shape == (4, 512, 512)
    assert ((batch.kinds == UNKNOWN) | (batch.kinds == Kind.SCRATCH)).all()


def test_any_frame_of_a_recording_serves(tmp_path: Path) -> None:
    record_all(tmp_path / "scan.h5", "uint16")
    backgrounds = RealBackgrounds.of_folder(tmp_path)
    assert backgrounds.count == "6 frames of 1 recording"
    frames = [picture(number, "uint16").astype(np.float32) for number in range(6)]
    met = []
    for seed in range(16):
        crop = backgrounds.crop(np.random.default_rng(seed), 256)
        alike = [cv2.matchTemplate(f, crop, cv2.TM_CCOEFF_NORMED).max() for f in frames]
        met.append(int(np.argmax(alike)))
        assert max(alike) > 0.9
    assert len(set(met)) >= 4


def test_frames_without_pixels_are_none(tmp_path: Path) -> None:
    record_first_then_fail(tmp_path / "scan.h5")
    assert RealBackgrounds.of_folder(tmp_path).count == "1 frame of 1 recording"


def test_what_is_kept_in_memory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [noise(level, 2) for level in (20, 40, 60)]
    backgrounds = backgrounds_of(tmp_path, *pictures)
    plenty = [backgrounds.crop(np.random.default_rng(seed), 64) for seed in range(9)]
    monkeypatch.setattr(_background_files, "_KEPT_BYTES", 1)
    scarce = RealBackgrounds.of_folder(tmp_path, 1.0)
    for seed, crop in enumerate(plenty):
        np.testing.assert_array_equal(crop, scarce.crop(np.random.default_rng(seed), 64))


def test_other_files_have_another_fingerprint(tmp_path: Path) -> None:
    first = backgrounds_of(tmp_path / "a", noise(20, 2))
    changed = noise(20, 2)
    changed[5, 5] += 1
    prints = {
        first.fingerprint(),
        backgrounds_of(tmp_path / "b", changed).fingerprint(),
        backgrounds_of(tmp_path / "c", noise(20, 2), share=0.3).fingerprint(),
    }
    assert len(prints) == 3
    assert backgrounds_of(tmp_path / "d", noise(20, 2)).fingerprint() == first.fingerprint()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, b"", "clean: --backgrounds: holds no picture and no recording"),
        ("notes.txt", b"all of them are clean", "notes.txt: is not an image"),
        ("data.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), "data.h5: "),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(9), "cut.png: "),
    ],
    ids=["nothing", "a text", "no recording", "a damaged picture"],
)
def test_a_folder_that_cannot_serve_is_refused(
    tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    folder = tmp_path / "clean"
    (folder / "older").mkdir(parents=True)
    (folder / ".hidden").write_bytes(b"x")
    if name is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        RealBackgrounds.of_folder(folder)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: --backgrounds: cannot be read: No such file"):
        RealBackgrounds.of_folder(tmp_path / "none")


def test_a_picture_without_room_for_a_crop_is_refused_by_name(tmp_path: Path) -> None:
    backgrounds = backgrounds_of(tmp_path, noise(20, 2, (600, 700)), noise(20, 2, (300, 256)))
    backgrounds.require(256)
    with pytest.raises(InputError, match=r"1.png: --backgrounds: is 256x300 pixels; crops of 512"):
        backgrounds.require(512)


@pytest.mark.parametrize("sigma", [0.4, 0.58, 1.0, 2.5, 20.0])
def test_noise_is_measured_down_to_less_than_a_level(sigma: float) -> None:
    measured = noise_of(noise(100, sigma))
    assert 0.95 * sigma < measured < 1.05 * np.hypot(sigma, 12**-0.5)  # with that of rounding
