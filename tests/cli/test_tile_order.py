"""The order in which tiles are laid: by their numbers where a shell has sorted the names."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.cli.main import main
from darkscan.cli.tile_order import Order, in_order
from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.errors import InputError
from tests.images.samples import reassemble


def order_of(names: list[str], order: Order | None = None) -> tuple[list[str], str]:
    taken, told = in_order([Path(name) for name in names], order)
    return [str(path) for path in taken], told


SORTED: dict[str, list[str]] = {
    "tiles": [f"tile-{n}.png" for n in range(1, 13)],
    "rows and columns": [f"r{row}_c{n}.tif" for row in range(1, 12) for n in range(1, 12)],
    "rows in folders": [f"row-{row}/{n}.png" for row in range(1, 11) for n in range(1, 11)],
    "capital letters": ["A-2.png", "A-10.png", "a-9.png", "a-10.png"],
    "padded and not": ["t-01.png", "t-2.png", "t-03.png", "t-10.png"],
    "a name without a number": ["t-1.png", "t-2.png", "t-10.png", "t.png"],
    "a number of many digits": [f"t-{'9' * 60}.png", f"t-1{'0' * 60}.png"],
}


@pytest.mark.parametrize("names", SORTED.values(), ids=SORTED)
def test_names_that_a_shell_has_sorted_are_put_in_the_order_of_their_numbers(
    names: list[str],
) -> None:
    by_letters = sorted(names)
    assert by_letters != names
    taken, told = order_of(by_letters)
    assert taken == names
    assert told.startswith(f"tiles are taken in natural order: {Path(names[0]).name}, ")
    assert told.endswith("--order given keeps yours")
    assert order_of(by_letters, "given") == (by_letters, "")
    assert order_of(by_letters, "natural") == (names, "")


def test_tiles_of_one_name_are_told_apart_by_their_folders() -> None:
    _, told = order_of(["s1/t.png", "s10/t.png", "s2/t.png"])
    assert told.startswith("tiles are taken in natural order: s1/t.png, s2/t.png, s10/t.png; ")


def test_letters_sorted_without_regard_to_case_stay_so() -> None:
    taken, _ = order_of(["a-1", "A-10", "a-2", "B-1"])
    assert taken == ["a-1", "a-2", "A-10", "B-1"]


def test_each_of_several_patterns_is_put_in_order() -> None:
    given = [f"{row}-{n}.png" for row in ("upper", "lower") for n in (1, 10, 2)]
    taken, told = order_of(given)
    assert taken == [f"{row}-{n}.png" for row in ("upper", "lower") for n in (1, 2, 10)]
    assert "natural order" in told


@pytest.mark.parametrize(
    "names",
    [["a.png"], ["1.png", "2.png", "10.png"], ["a.png", "b.png"], ["p01", "p02", "p10"]],
    ids=["one", "by numbers", "no numbers", "padded"],
)
def test_nothing_is_said_where_nothing_is_to_be_said(names: list[str]) -> None:
    assert order_of(names) == (names, "")


@pytest.mark.parametrize(
    "names", [["3.png", "1.png", "2.png"], ["10.png", "1.png", "2.png"]], ids=["mixed", "backwards"]
)
def test_an_order_of_ones_own_is_kept_and_named(names: list[str]) -> None:
    taken, told = order_of(names)
    assert taken == names
    assert told == (
        f"tiles are taken in the order given: {', '.join(names)}; --order natural sorts them"
    )


def test_a_tile_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"^tile-1\.png: is given more than once"):
        order_of(["tile-1.png", "tile-2.png", "./tile-1.png"])


@pytest.mark.parametrize("order", [None, "given"])
def test_an_import_lays_the_tiles_so_and_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], order: Order | None
) -> None:
    numbers = range(1, 13)
    for number in numbers:
        tile = np.full((100, 100), number, np.uint8)
        assert cv2.imwrite(str(tmp_path / f"tile-{number}.png"), tile)
    images = sorted(str(path) for path in tmp_path.glob("tile-*.png"))
    out = tmp_path / "scan.h5"
    options = ["--pitch-um", "10", "--columns", "4", "--frame", "300", "--out", str(out)]
    assert main(["import", *images, *options, *(["--order", order] if order else [])]) == 0
    said = capsys.readouterr().out.splitlines()
    with Recording(out) as recording:
        laid = reassemble(recording)[::100, ::100].ravel().tolist()
    if order == "given":
        assert laid == [1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9]
        return
    assert laid == list(numbers)
    assert said[0] == (
        "tiles are taken in natural order: tile-1.png, tile-2.png, tile-3.png, ..., tile-12.png; "
        "--order given keeps yours"
    )
