"""What a run shows of itself."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from darkscan.cli.main import build_parser
from darkscan.cli.progress import ProgressBar, ProgressView
from darkscan.pipeline.core.frame_results import LedgerSums
from darkscan.pipeline.running.supervisor import Progress
from darkscan.pipeline.transport.messages import Status

CELLS = {
    "frames": "5/20",
    "in flight": "2",
    "queued": "2",
    "positive windows": "11",
    "lost": "1",
    "quarantined": "1",
    "restarts": "2",
}
DOING = "strip 3 of 12: on the way to (120.0, 30.0) mm"
HEIGHT = 24


@pytest.fixture
def progress() -> Progress:
    progress = Progress()
    sums = LedgerSums(captured=7, mapped=3, quarantined=1, lost=1, in_flight=2)
    progress.statuses = {
        ("acquisition", 0): Status(stage="acquisition", index=0, pid=1, frames=7, sums=sums),
        ("preprocessing", 0): Status(stage="preprocessing", index=0, pid=2, frames=6, queue=2),
        ("merging", 0): Status(stage="merging", index=0, pid=3, frames=5, positives=11),
    }
    progress.restarts["classification"] = 2
    return progress


def test_a_line_says_what_an_operator_wants_to_know(progress: Progress) -> None:
    stream = io.StringIO()
    with ProgressView(20, stream) as view:
        view.show(progress)
        view.show(progress)  # too soon for another line
    line, last = stream.getvalue().splitlines()
    assert last == line  # the second showing, at the end of the run
    for name, value in CELLS.items():
        assert f"{name} {value}" in line


def shown(progress: Progress, width: int) -> list[str]:
    """The lines of a terminal of so many columns."""

    def picture(columns: int, rows: int, _colour: bool) -> Text:
        return Text("\n".join(["#" * max(columns, 1)] * rows), no_wrap=True)

    stream = io.StringIO()
    view = ProgressView(20, stream, picture=picture, hint="q: end")
    view._console = Console(
        file=stream, force_terminal=True, color_system=None, width=width, height=HEIGHT
    )
    view._console.print(view._view(view._cells(progress)))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("width", [20, 40, 80, 500])
def test_a_terminal_of_any_width_shows_every_figure_under_its_name(
    progress: Progress, width: int
) -> None:
    status = progress.statuses["acquisition", 0]
    progress.statuses["acquisition", 0] = status.model_copy(update={"doing": DOING})
    lines = shown(progress, width)
    for name, value in CELLS.items():
        (row,) = (row for row, line in enumerate(lines) if name in line)
        place = lines[row].index(name)
        assert lines[row + 1][place:].startswith(value)
    assert DOING in " ".join(lines)
    assert any(line.startswith("#") for line in lines)
    assert lines[-1] == "q: end"
    assert max(map(len, lines)) <= width
    assert len(lines) < HEIGHT


def test_what_a_stage_said_last_is_shown_as_it_is(progress: Progress) -> None:
    words = "scan.h5: [/no] [bold]room"
    progress.ended["recording"] = words
    assert words in "\n".join(shown(progress, 80))
    stream = io.StringIO()
    with ProgressView(20, stream) as view:
        view.show(progress)
    assert f"recording ended {words}" in stream.getvalue()


@pytest.mark.parametrize("columns", [1, 20, 40, 500])
def test_help_is_there_on_a_terminal_of_any_width(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    parser = build_parser()
    (commands,) = (action for action in parser._actions if action.dest == "command")
    assert isinstance(commands.choices, dict)
    for command in (parser, *commands.choices.values()):
        assert command.format_help().startswith("usage: darkscan")


def test_counted_work_says_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 100.0
    monkeypatch.setattr("darkscan.cli.progress.time.monotonic", lambda: clock)
    stream = io.StringIO()
    with ProgressBar("training", "steps", total=50, stream=stream) as bar:
        bar.show(1)
        clock += 11
        bar.show(7, note="loss 0.500")
        bar.advance(2)  # too soon for another line
        clock += 11
        bar.advance(3)
    assert stream.getvalue().splitlines() == [
        "training: 7 of 50 steps loss 0.500",
        "training: 12 of 50 steps",
    ]
