"""Text files as people's editors write them."""

from pathlib import Path

import pytest

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.recipe import load_recipe
from darkscan.pipeline.text import read_text

TEXT = "[inspection]\nthreshold = 0.75\n"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "recipe.toml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode(), id="UTF-8"),
        pytest.param(TEXT.encode("utf-8-sig"), id="UTF-8 with a byte-order mark"),
        pytest.param(TEXT.replace("\n", "\r\n").encode("utf-8-sig"), id="Windows' ends of lines"),
    ],
)
def test_text_is_the_same_however_its_file_begins(content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    assert read_text(path) == TEXT
    assert load_recipe(path).inspection.threshold == 0.75


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(TEXT.encode("utf-16"), "is a text file in UTF-16", id="UTF-16"),
        pytest.param(TEXT.encode("utf-32"), "is a text file in UTF-16 or UTF-32", id="UTF-32"),
        pytest.param(TEXT.encode("utf-16-le"), "zero bytes", id="UTF-16 without a mark"),
        pytest.param(
            b"# one\n# M\xfcller\n", "not a text file in UTF-8 (byte 0xfc in line 2)", id="Latin-1"
        ),
    ],
)
def test_other_text_is_refused_by_name(content: bytes, problem: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
