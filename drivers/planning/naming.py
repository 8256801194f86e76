"""Names the rig file in errors that planning finds in what it says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkscan.drivers.rig import Rig
from darkscan.pipeline.errors import InputError


@contextmanager
def naming(rig_file: Path) -> Iterator[None]:
    """Raises InputErrors about a key of the rig file anew, with the file's name."""
    try:
        yield
    except InputError as error:
        table = (error.field or "").partition(".")[0]
        if error.file is not None or table not in Rig.model_fields:
            raise
        raise InputError(error.problem, file=rig_file, field=error.field) from error
