"""Rig files, producers and GPUs: broken ones, and none."""

from pathlib import Path

import pytest

from darkscan.doctor import _inference
from darkscan.doctor._examination import guarded
from darkscan.doctor._inference import check_backends, check_gpu, nvidia_cards
from darkscan.doctor._instrument import check_producers, check_rig
from darkscan.inference.gpus import Gpu, Gpus
from darkscan.pipeline.core.recipe import Processes, Recipe
from tests.conftest import REPOSITORY
from tests.doctor.subjects import levels, subject

RIG = REPOSITORY / "configs" / "rig-area-simulated.toml"


def test_a_rig_file_that_cannot_be_used_is_a_problem_that_names_the_field(tmp_path: Path) -> None:
    broken = tmp_path / "rig.toml"
    broken.write_text(RIG.read_text().replace("width = 2048", 'width = "wide"'))
    (found,) = guarded("rig", check_rig, subject(tmp_path, rig_file=broken))
    assert found.level == "problem"
    assert "camera.width" in found.text


def test_a_rig_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (found,) = guarded("rig", check_rig, subject(tmp_path, rig_file=tmp_path / "none.toml"))
    assert found.level == "problem"
    assert "none.toml" in found.text


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no library", "cannot be loaded"), (None, "is no file")],
    ids=["no library", "absent"],
)
def test_a_rig_whose_producer_does_not_load_is_a_problem(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    rig = tmp_path / "rig.toml"
    real, _, _ = RIG.read_text().rpartition("[simulation]")
    rig.write_text(real.replace('producer = "simulated"', 'producer = "maker.cti"'))
    if content is not None:
        (tmp_path / "maker.cti").write_bytes(content)
    found = list(guarded("rig", check_rig, subject(tmp_path, rig_file=rig)))
    assert levels(found) == ["ok", "problem"]
    assert said in found[-1].text


def test_producers_are_looked_for_where_their_makers_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "producers").mkdir()
    (tmp_path / "producers" / "broken.cti").write_bytes(b"\x7fELF")
    (tmp_path / "empty").mkdir()
    folders = [tmp_path / "producers", tmp_path / "empty", tmp_path / "gone"]
    monkeypatch.setenv("GENICAM_GENTL64_PATH", ":".join(map(str, folders)))
    found = list(check_producers(subject(tmp_path)))
    assert levels(found) == ["problem", "note", "note"]
    assert [str(folder) in each.text for folder, each in zip(folders, found, strict=True)]


def test_a_library_that_is_no_producer_is_told_from_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import _ctypes

    (tmp_path / "other.cti").symlink_to(_ctypes.__file__)
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    (found,) = check_producers(subject(tmp_path))
    assert found.level == "problem"
    assert "is no GenTL producer" in found.text


def test_without_registered_producers_nothing_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    assert levels(list(check_producers(subject(tmp_path)))) == ["ok"]


def test_a_card_without_a_driver_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, vendor, kind in (("a", "0x10de", "0x030000"), ("b", "0x8086", "0x030000")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    assert nvidia_cards(tmp_path) == 1
    assert nvidia_cards(tmp_path / "nothing") == 0
    monkeypatch.setattr(_inference, "find_gpus", lambda: Gpus((), "", "there is no driver"))
    monkeypatch.setattr(_inference, "nvidia_cards", lambda: 1)
    (found,) = check_gpu(subject(tmp_path))
    assert found.level == "note"
    assert "driver" in found.advice


def test_gpus_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inference, "find_gpus", lambda: Gpus((Gpu(0, "A card"),), "13.0"))
    (found,) = check_gpu(subject(tmp_path))
    assert (found.level, "A card" in found.text) == ("ok", True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "level"),
    [(Recipe(), "ok"), (Recipe(processes=Processes(backend="tensorrt")), "problem")],
    ids=["the fastest that works", "one that does not work here"],
)
def test_the_backend_is_the_recipes(
    recipe: Recipe, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = list(guarded("backend", check_backends, subject(tmp_path, recipe=recipe)))
    assert found[0].level == level
