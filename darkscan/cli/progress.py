"""Shows results and how far work is: a live view on a terminal, a line now and then elsewhere."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from darkscan.drivers.recording import is_hdf5, save_recording
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.names import as_text
from darkscan.pipeline.core.scan import FrameSource
from darkscan.pipeline.running.supervisor import Progress


def say(text: str) -> None:
    """Prints to standard output; a reader that is gone (`| head`) changes nothing else.

    What the terminal cannot show, as bytes in a file's name that are no text, is escaped.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(as_text(text).encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Else Python would try to flush the rest at its end, and fail with another code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress_bar(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on a terminal, nothing elsewhere; tell it (done, total)."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}", markup=False),  # a file name may look like markup
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Bars(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def record(source: FrameSource, path: Path, *, force: bool) -> None:
    """Records every frame of a source, with a bar on a terminal, silently elsewhere.

    The file appears only when it is whole. Raises InputError if it exists and ``force``
    is not given, StorageError if it cannot be written.
    """
    if force and path.exists() and not is_hdf5(path):
        problem = "is no recording, and only recordings are overwritten with --force"
        raise InputError(problem, file=path, field="--out")
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("recording"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("recording", total=len(source.frames))
        save_recording(
            path,
            source,
            replace=force,
            on_frame=lambda done: progress.update(task, completed=done),
        )


_LINE_EVERY_S = 5.0
_RATE_OVER_S = 30.0
_HIGHEST_PICTURE = 40
_BETWEEN = 2

Picture = Callable[[int, int, bool], Text]
"""Draws for so many columns and rows of a terminal, in colour or not."""


class _QuietConsole(Console):
    """Goes quiet when nobody reads any more, and lets the inspection go on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class ProgressView:
    """Frames, windows/s, queues, losses and the time left, as the supervisor hears of them."""

    def __init__(
        self,
        frames: int,
        stream: TextIO = sys.stderr,
        *,
        inspects: bool = True,
        picture: Picture | None = None,
        hint: str = "",
    ) -> None:
        """``picture``: drawn below the figures, for so many columns and rows, coloured or not.

        ``inspects``: whether windows are counted; ``hint``: on the keys, below all else.
        """
        self._frames = frames
        self._inspects = inspects
        self._picture = picture
        self._hint = hint
        self._console = _QuietConsole(file=stream)
        self._live: Live | None = None
        self._next_line = 0.0
        self._cells_shown: dict[str, str] | None = None  # what no line has said yet
        self._history: deque[tuple[float, int, int]] = deque()  # moment, settled, windows

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        elif self._cells_shown:
            self._print(self._cells_shown)

    def show(self, progress: Progress) -> None:
        """Takes note of the run's state and shows it if it is time to."""
        now = time.monotonic()
        cells = self._cells(progress, now)
        if self._live is not None:
            self._live.update(self._view(cells))
            return
        self._cells_shown = cells
        if now >= self._next_line:
            self._next_line = now + _LINE_EVERY_S
            self._print(cells)
            self._cells_shown = None

    def _view(self, cells: dict[str, str]) -> RenderableType:
        size = self._console.size
        doing = cells.pop("scan", "")
        parts: list[RenderableType] = [*_tables(cells, size.width)]
        words = [Text(doing)] if doing else []
        hint = [Text(self._hint, style="dim")] if self._hint else []
        rows = size.height - 1 - self._height([*parts, *words, *hint])
        parts += words
        if self._picture is not None and rows > 0:
            coloured = self._console.color_system is not None
            picture = self._picture(size.width - 2, min(rows, _HIGHEST_PICTURE), coloured)
            picture.end = "\n"
            parts.append(picture)
        return Group(*parts, *hint)

    def _height(self, parts: list[RenderableType]) -> int:
        """Lines of the terminal."""
        return len(self._console.render_lines(Group(*parts), pad=False))

    def _print(self, cells: dict[str, str]) -> None:
        line = ", ".join(f"{name} {value}" for name, value in cells.items())
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _cells(self, progress: Progress, now: float) -> dict[str, str]:
        statuses = progress.statuses.values()
        sums = next((s.sums for s in statuses if s.sums is not None), None)
        settled = 0 if sums is None else sums.captured - sums.in_flight
        windows = sum(s.windows for s in statuses)
        per_s, windows_per_s = self._rates(now, settled, windows)
        queued = sum(s.queue for s in statuses if s.stage == "preprocessing")
        positive = max((s.positives or 0 for s in statuses), default=0)
        left = self._frames - settled
        cells = {
            "frames": f"{settled}/{self._frames}",
            "windows/s": f"{windows_per_s:.0f}" if windows_per_s else "-",
            "in flight": str(sums.in_flight if sums else 0),
            "queued": str(queued),
            "positive windows": str(positive),
            "lost": str(sums.lost if sums else 0),
            "quarantined": str(sums.quarantined if sums else 0),
            "left": _duration(left / per_s) if per_s else "-",
        }
        if not self._inspects:
            for name in ("windows/s", "queued", "positive windows", "quarantined"):
                del cells[name]
        restarts = sum(progress.restarts.values())
        if restarts:
            cells["restarts"] = str(restarts)
        if progress.stopping:
            cells["state"] = "draining"
        for stage, reason in progress.ended.items():
            cells[f"{stage} ended"] = reason
        doing = next((s.doing for s in statuses if s.doing), "")
        if doing:
            cells["scan"] = doing
        return cells

    def _rates(self, now: float, settled: int, windows: int) -> tuple[float, float]:
        """Frames and windows per second over the last half minute."""
        history = self._history
        history.append((now, settled, windows))
        while now - history[0][0] > _RATE_OVER_S:
            history.popleft()
        then, settled_then, windows_then = history[0]
        span = now - then
        if span <= 0:
            return 0.0, 0.0
        return (settled - settled_then) / span, max(0, windows - windows_then) / span


def _tables(cells: dict[str, str], width: int) -> list[Table]:
    """Names above values, as many side by side as fit into ``width`` columns."""
    rows: list[list[tuple[str, str]]] = []
    room = 0
    for name, value in cells.items():
        needed = max(len(name), len(value)) + _BETWEEN
        if not rows or needed - _BETWEEN > room:
            rows.append([])
            room = width
        rows[-1].append((name, value))
        room -= needed
    return [_table(row) for row in rows]


def _table(row: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, _BETWEEN, 0, 0))
    for _ in row:
        table.add_column(overflow="fold")
    table.add_row(*(Text(name, style="dim") for name, _ in row))
    table.add_row(*(Text(value, style="bold") for _, value in row))
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
