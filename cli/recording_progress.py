"""Writes a recording and shows how far it is."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from darkscan.drivers.recording import is_hdf5, save_recording
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.frames import FrameSource


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
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("recording", total=len(source.frames))
        save_recording(
            path,
            source,
            replace=force,
            on_frame=lambda done: progress.update(task, completed=done),
        )
