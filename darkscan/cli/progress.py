"""Shows how far work is: a live view on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TextIO

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from darkscan.cli.terminal import console, say
from darkscan.drivers.recording import is_hdf5, save_recording
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.scan import FrameSource
from darkscan.pipeline.core.units import duration
from darkscan.pipeline.running.rates import Rates
from darkscan.pipeline.running.supervisor import Progress

__all__ = ["ProgressBar", "ProgressView", "progress_bar", "record", "say"]

_BAR_LINE_EVERY_S = 10.0
_LINE_EVERY_S = 5.0
_HIGHEST_PICTURE = 40

Picture = Callable[[int, int, bool], Text]
"""Draws for so many columns and rows of a terminal, in colour or not."""

_BETWEEN = 2  # columns of the terminal, between two figures


class ProgressBar:
    """How far counted work is: a bar with the time left on a terminal, now and then a line else.

    Calling it with (done, total) is the same as ``show``. Elsewhere the first line comes after
    ten seconds: work that is shorter says nothing.
    """

    def __init__(
        self, label: str, unit: str, *, total: int | None = None, stream: TextIO | None = None
    ) -> None:
        """``unit``: what is counted, in the plural; ``stream``: by default standard error."""
        self._label = label
        self._unit = unit
        self._done = 0
        self._total = total
        self._console = console(stream)
        columns = (
            TextColumn("{task.description}", markup=False),  # a file name may look like markup
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit, markup=False),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
        )
        hidden = not self._console.is_terminal
        self._bar = Bars(*columns, console=self._console, disable=hidden, transient=True)
        self._task = self._bar.add_task(label, total=total, note="")
        self._next_line = time.monotonic() + _BAR_LINE_EVERY_S

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int | None = None) -> None:
        """See ``show``."""
        self.show(done, total)

    def show(self, done: int, total: int | None = None, *, note: str = "") -> None:
        """Says how much is done, of how much if that was not known before.

        ``note``: a figure of the moment, behind the count.
        """
        self._done = done
        self._total = self._total if total is None else total
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, total=self._total, note=note)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _BAR_LINE_EVERY_S
            of = "" if self._total is None else f" of {self._total}"
            line = f"{self._label}: {done}{of} {self._unit} {note}".rstrip()
            self._console.print(line, soft_wrap=True)

    def advance(self, more: int = 1) -> None:
        """Says that so much more is done."""
        self.show(self._done + more)

    def say(self, line: str) -> None:
        """Prints a result meanwhile: above the bar on a terminal, else to standard output."""
        if self._console.is_terminal:
            self._console.print(line, soft_wrap=True)
        else:
            say(line)


def progress_bar(label: str, unit: str, total: int | None = None) -> ProgressBar:
    """A bar for counted work, to be used in a ``with`` statement."""
    return ProgressBar(label, unit, total=total)


def record(source: FrameSource, path: Path, *, force: bool) -> None:
    """Records every frame of a source, and shows how far it is.

    The file appears only when it is whole. Raises InputError if it exists and ``force``
    is not given, StorageError if it cannot be written.
    """
    if force and path.exists() and not is_hdf5(path):
        problem = "is no recording, and only recordings are overwritten with --force"
        raise InputError(problem, file=path, field="--out")
    with progress_bar("recording", "frames", len(source.frames)) as bar:
        save_recording(path, source, replace=force, on_frame=bar.show)


class ProgressView:
    """Frames, windows/s, queues, losses and the time left, as the supervisor hears of them."""

    def __init__(
        self,
        frames: int,
        stream: TextIO | None = None,
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
        self._console = console(stream)
        self._live: Live | None = None
        self._next_line = 0.0
        self._cells_shown: dict[str, str] | None = None  # what no line has said yet
        self._rates = Rates()

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
        cells = self._cells(progress)
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
        self._console.print(line, soft_wrap=True)

    def _cells(self, progress: Progress) -> dict[str, str]:
        statuses = progress.statuses.values()
        sums = next((s.sums for s in statuses if s.sums is not None), None)
        settled = 0 if sums is None else sums.captured - sums.in_flight
        windows = sum(s.windows for s in statuses)
        per_s, windows_per_s = self._rates.update(settled, windows)
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
            "left": duration(left / per_s) if per_s else "-",
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
            cells[f"{stage} ended"] = printable(reason)
        uplink = progress.statuses.get(("uplink", 0))
        if uplink is not None and uplink.doing:
            cells["host"] = printable(uplink.doing)
        doing = next((s.doing for s in statuses if s.doing and s is not uplink), "")
        if doing:
            cells["scan"] = printable(doing)
        return cells


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
