"""The element in the terminal, filling in."""

from typing import Literal

import numpy as np
import pytest
from rich.color import Color
from rich.console import Console
from rich.text import Text

from darkscan.cli.element_view import ElementPicture
from darkscan.pipeline.core.frame_results import (
    Centrelines,
    FrameResult,
    NotInspected,
    Traces,
)
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.stages.merging.style import AREA_COLOUR, KIND_COLOURS, NOT_INSPECTED_COLOURS
from tests.builders import frame_meta, scan_info
from tests.mapping.hand_made import lines_of, spots_of

# Four frames of 512 px, 5.12 mm, side by side on an element of 20.48 x 5.12 mm.
SIZE_MM = (20.48, 5.12)
FRAME_MM = 5.12
COLUMNS, ROWS = 40, 5
SCRATCH, FIBRE = (0.9, 0.05, 0.0, 0.0), (0.1, 0.6, 0.0, 0.0)


def scan(**changes: object) -> ScanInfo:
    return scan_info(size_mm=SIZE_MM).model_copy(update=changes)


def result(
    number: int,
    grey: int = 100,
    *,
    x_mm: float | None = None,
    y_mm: float = 0.0,
    scratch_at: tuple[int, int] | None = None,
    traces: Traces | None = None,
) -> FrameResult:
    """A frame of one grey level; the window at ``scratch_at`` (y, x) is positive."""
    origins = np.array([(y, x) for y in (0, 128, 256) for x in (0, 128, 256)], np.int32)
    scores = np.full(len(origins), 0.1, np.float32)
    if scratch_at is not None:
        scores[(origins == scratch_at).all(axis=1)] = 0.9
    return FrameResult(
        meta=frame_meta(number, number * FRAME_MM if x_mm is None else x_mm, y_mm),
        origins=origins,
        scores=scores,
        thumbnail=np.full((64, 64), grey, np.uint8),
        traces=traces or Traces(),
    )


def missing(number: int, kind: Literal["lost", "quarantined"] = "lost") -> NotInspected:
    return NotInspected(meta=frame_meta(number, number * FRAME_MM), kind=kind, reason="no reason")


def picture(*records: FrameResult | NotInspected, info: ScanInfo | None = None) -> ElementPicture:
    shown = ElementPicture(info or scan(), threshold=0.5)
    for record in records:
        if isinstance(record, FrameResult):
            shown.add(record)
        else:
            shown.lose(record)
    return shown


def plain(shown: ElementPicture, columns: int = COLUMNS, rows: int = ROWS) -> list[str]:
    return shown.render(columns, rows, colour=False).plain.split("\n")


def colours(text: Text) -> list[list[tuple[str, str]]]:
    """Colour of the upper and the lower half of each cell, row by row, as #rrggbb."""
    console = Console(width=200, color_system="truecolor", force_terminal=True)

    def name(colour: Color | None) -> str:
        return colour.get_truecolor().hex if colour is not None else "none"

    return [
        [
            (name(segment.style.color), name(segment.style.bgcolor))
            for segment in line
            if segment.style is not None
            for _ in segment.text
        ]
        for line in console.render_lines(text, pad=False)
    ]


def test_nothing_is_seen_at_first() -> None:
    assert plain(picture()) == [" " * COLUMNS] * ROWS


def test_frames_appear_at_their_places() -> None:
    shown = plain(picture(result(0, 40), result(1, 120), result(3, 200)))

    assert shown == ["." * 10 + "+" * 10 + " " * 10 + "@" * 10] * ROWS


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [(40, 50, (40, 5)), (400, 5, (40, 5)), (41, 5, (40, 5)), (1, 1, (1, 1))],
    ids=["width decides", "height decides", "both", "no room at all"],
)
def test_proportions_are_kept(columns: int, rows: int, expected: tuple[int, int]) -> None:
    for text in (
        picture().render(columns, rows),
        picture().render(columns, rows, colour=False),
    ):
        lines = text.plain.split("\n")
        assert (len(lines[0]), len(lines)) == expected


def test_contrast_is_stretched_over_what_was_seen() -> None:
    """Weak light of a deep camera looks like strong light of any."""
    deep = scan().model_copy(update={"pixel_type": "uint16", "bit_depth": 12})
    grey = [800, 860, 930, 1000]
    results = [
        result(number).model_copy(
            update={"thumbnail": np.full((64, 64), level, np.uint16)},
        )
        for number, level in enumerate(grey)
    ]

    line = plain(picture(*results, info=deep))[0]

    assert [line[0], line[-1]] == [".", "@"]
    assert len({line[5], line[15], line[25], line[35]}) == 4


def test_noise_is_not_stretched_to_structure() -> None:
    line = plain(picture(result(0, 100), result(1, 101), result(2, 100), result(3, 101)))[0]

    assert len({".:-=+*%@".index(character) for character in line}) <= 2
    assert line[15] != "@"


def square(x: float, y: float) -> list[tuple[float, float]]:
    """The corners of a spot of 10 pixels around a place."""
    return [(x - 5, y - 5), (x + 5, y - 5), (x + 5, y + 5), (x - 5, y + 5)]


def cells_of(shown: ElementPicture, mark: str) -> set[tuple[int, int]]:
    """Places (x, y) of a character; a cell is 256 um wide and 512 high."""
    rows = plain(shown, 80, 10)
    return {(x, y) for y, row in enumerate(rows) for x, c in enumerate(row) if c == mark}


def test_positive_windows_and_scratches_are_marked() -> None:
    lines = lines_of([(10, 384), (500, 384)])
    shown = picture(
        result(0), result(1, scratch_at=(0, 256)), result(2, traces=Traces(lines=lines))
    )

    found, traced = cells_of(shown, "o"), cells_of(shown, "#")
    # The middle of the window: 8.32 to 9.6 mm, 0.64 to 1.92.
    assert {x for x, _ in found} <= set(range(32, 39))
    assert {y for _, y in found} == {1, 2, 3}
    assert {y for _, y in traced} == {7}
    assert {x for x, _ in traced} >= set(range(41, 59))


@pytest.mark.parametrize(
    ("lines", "mark"),
    [
        pytest.param(lines_of([(10, 384), (500, 384)]), "#", id="straight, kinds are not told"),
        pytest.param(
            lines_of([(10, 384), (500, 384)], bent=1.0),
            "~",
            id="bent, kinds are not told",
        ),
        pytest.param(
            lines_of([(10, 384), (500, 384)], kinds=SCRATCH, bent=1.0),
            "#",
            id="the model says scratch",
        ),
        pytest.param(
            lines_of([(10, 384), (500, 384)], kinds=FIBRE), "~", id="the model says fibre"
        ),
    ],
)
def test_a_scratch_looks_other_than_a_fibre(lines: Centrelines, mark: str) -> None:
    shown = picture(result(0, traces=Traces(lines=lines)))
    assert {y for _, y in cells_of(shown, mark)} == {7}
    assert not cells_of(shown, "~" if mark == "#" else "#")


def test_spots_are_marked_and_a_scratch_over_them_is_seen() -> None:
    lines, spots = lines_of([(10, 384), (500, 384)]), spots_of(square(100, 100), square(300, 384))
    shown = picture(result(0, traces=Traces(lines=lines, spots=spots)))
    assert (3, 1) in cells_of(shown, "x")
    assert {y for _, y in cells_of(shown, "x")} <= {1, 2}
    assert (11, 7) in cells_of(shown, "#")


def test_colours_are_those_of_the_map() -> None:
    found, dark = result(0, 200, scratch_at=(128, 128)), result(3, 40)
    shown = picture(found, dark, missing(1), missing(2, "quarantined"))

    cells = colours(shown.render(COLUMNS, ROWS))
    characters = shown.render(COLUMNS, ROWS).plain.split("\n")

    assert cells[2][5][0] == AREA_COLOUR
    assert cells[2][15][0] == NOT_INSPECTED_COLOURS["lost"]
    assert cells[2][25][0] == NOT_INSPECTED_COLOURS["quarantined"]
    assert characters[2][15] == characters[2][25] != characters[2][5]
    grey = cells[0][0][0]
    assert grey[1:3] == grey[3:5] == grey[5:7]
    assert len({AREA_COLOUR, *KIND_COLOURS.values()}) == 5


def test_a_cell_shows_two_places_one_above_the_other() -> None:
    halves = np.zeros((64, 64), np.uint8)
    halves[32:] = 200
    shown = picture(result(0).model_copy(update={"thumbnail": halves}))

    (cell,) = colours(shown.render(4, 1))[0][:1]
    dark, bright = (int(colour[1:3], 16) for colour in cell)

    assert bright > dark + 100


def test_a_lost_frame_is_hatched_until_it_is_taken_after_all() -> None:
    shown = picture(result(0), missing(1), missing(2, "quarantined"))
    assert plain(shown)[0][10:30] == "/" * 10 + "?" * 10

    shown.add(result(1))
    assert "/" not in plain(shown)[0]
    assert plain(shown)[0][20:30] == "?" * 10


def test_what_a_neighbour_has_seen_is_not_lost() -> None:
    beside = missing(1).model_copy(update={"meta": frame_meta(1, FRAME_MM / 2)})
    shown = plain(picture(result(0), beside))

    assert "/" not in shown[0][:10]
    assert shown[0][10:15] == "/" * 5


def test_a_turned_camera_is_shown_upright() -> None:
    """A frame whose columns follow y and whose rows run against x."""
    turned = PixelToStage(xx=0.0, xy=-0.01, yx=0.01, yy=0.0)
    thumbnail = np.zeros((64, 64), np.uint8)
    thumbnail[:32] = 200  # the first rows lie at large x
    shown = picture(
        result(0, x_mm=FRAME_MM).model_copy(update={"thumbnail": thumbnail}),
        info=scan(pixel_to_stage=turned),
    )

    assert plain(shown)[2] == "." * 5 + "@" * 5 + " " * 30


@pytest.mark.parametrize(
    ("x_mm", "y_mm"),
    [(-100.0, 0.0), (100.0, 0.0), (0.0, -100.0), (0.0, 100.0), (20.4799, 0.0)],
    ids=["left", "right", "above", "below", "a sliver on the rim"],
)
def test_frames_beside_the_element_do_no_harm(x_mm: float, y_mm: float) -> None:
    shown = picture(result(0, x_mm=x_mm, y_mm=y_mm, scratch_at=(0, 0)))
    shown.lose(missing(1).model_copy(update={"meta": frame_meta(1, x_mm, y_mm)}))

    assert all(len(line) == COLUMNS for line in plain(shown))
