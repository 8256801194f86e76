"""Recipes: every file in configs/ loads, and every mistake is named."""

import re
import tomllib
from pathlib import Path

import pytest

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.recipe import Inspection, Recipe, inspection_hash, load_recipe
from tests.conftest import REPOSITORY

# Rig files are loaded, planned and run by the tests of planning and rigs.
CONFIGS = sorted(
    path for path in (REPOSITORY / "configs").glob("*.toml") if not path.name.startswith("rig-")
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_recipe_in_configs_loads(path: Path) -> None:
    assert load_recipe(path).name


def test_the_default_file_says_the_defaults_and_all_of_them() -> None:
    path = REPOSITORY / "configs" / "default.toml"
    assert load_recipe(path) == Recipe()
    # Uncommented, the optional keys stand there too.
    text = re.sub(r"^# (\w*threshold = )", r"\1", path.read_text(), flags=re.MULTILINE)
    written = tomllib.loads(text)
    for table, fields in Recipe().model_dump().items():
        assert table in written
        if isinstance(fields, dict):
            assert set(written[table]) == set(fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[inspection]\nwindw = 256",
            "inspection.windw: unknown key; did you mean 'window'?",
            id="misspelt key",
        ),
        pytest.param(
            "[procesess]\n",
            "procesess: unknown key; did you mean 'processes'?",
            id="misspelt table",
        ),
        pytest.param(
            "[inspection]\nxyz = 1",
            "inspection.xyz: unknown key; known here: context_px, grow_threshold, model, "
            "precision, stride, threshold",
            id="unknown key",
        ),
        pytest.param(
            "[inspection]\nwindow = 'big'",
            "inspection.window: input should be a valid integer",
            id="wrong type",
        ),
        pytest.param(
            "[processes]\nworkers = true",
            "processes.workers: input should be a valid integer",
            id="a truth value for a number",
        ),
        pytest.param(
            '[inspection]\nwindow = "256"',
            "inspection.window: input should be a valid integer",
            id="a text for a number",
        ),
        pytest.param("inspection = 3", "inspection: must be a table", id="a number for a table"),
        pytest.param(
            "[processes]\nrestarts = 1",
            "processes: restarts 1 is less than attempts 2",
            id="fewer restarts than attempts",
        ),
        pytest.param(
            "[inspection]\nthreshold = 1.5",
            "inspection.threshold: input should be less than 1 (is 1.5)",
            id="threshold out of range",
        ),
        pytest.param(
            "[inspection]\nthreshold = nan", "inspection.threshold", id="threshold is no number"
        ),
        pytest.param(
            "[inspection]\nstride = 512",
            "inspection: stride 512 is larger than window 256",
            id="stride over window",
        ),
        pytest.param(
            "[processes]\nworkers = 0",
            "processes.workers: input should be greater than or equal to 1",
            id="no workers",
        ),
        pytest.param("name = ", "is not TOML", id="broken TOML"),
    ],
)
def test_names_file_and_field_of_a_mistake(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\x7fELF\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_recipe(tmp_path / "binary.toml")


def test_a_models_path_starts_from_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[inspection]\nmodel = "mine.onnx"')
    assert load_recipe(path).inspection.model == str(tmp_path / "mine.onnx")


def test_the_hash_covers_what_decides_the_map_and_nothing_else() -> None:
    def of(inspection: Inspection, model: str = "a", high: float = 0.5, low: float = 0.4) -> str:
        return inspection_hash(inspection, model_hash=model, threshold=high, grow_threshold=low)

    base = of(Inspection())
    assert base == of(Inspection(model="x"))
    assert base != of(Inspection(stride=64))
    assert base != of(Inspection(), model="b")
    assert base != of(Inspection(), high=0.6)
    assert base != of(Inspection(), low=0.3)
