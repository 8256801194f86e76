"""Opens the HDF5 file of a recording, in whatever state its writer left it."""

from pathlib import Path

import h5py
from pydantic import ValidationError

from darkscan.drivers.recording._holders import why_not_open, why_not_opened, writer_of
from darkscan.drivers.recording._layout import LIBVER
from darkscan.drivers.recording._left_file import LeftFile
from darkscan.drivers.recording.superblock import FileState, Superblock, read_superblock
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import require_file

READ_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError, RecursionError)
"""What reading a damaged file can raise."""


def open_file(path: Path) -> tuple[Superblock, h5py.File]:
    """The file, open for reading, and what its first bytes say. Raises InputError."""
    require_file(path)
    try:
        block = read_superblock(path)
        problem = why_not_open(path, block)
        is_written = block.state is FileState.SWMR and writer_of(path) is not None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    if problem is not None:
        raise InputError(problem, file=path)
    is_short = block.state is FileState.TRUNCATED
    try:
        is_left = is_short or (block.state is FileState.SWMR and not is_written)
        file = LeftFile(path, block.stated_size) if is_left else path
        # Without a chunk cache, pixels go from the file straight to where they are wanted.
        return block, h5py.File(file, "r", swmr=is_written, libver=LIBVER, rdcc_nbytes=0)
    except OSError as error:
        problem = why_cut_short(block) if is_short else why_not_opened(path, error)
        raise InputError(problem, file=path) from error
    except READ_ERRORS as error:
        raise InputError(why_unreadable(block, error), file=path) from error


def why_cut_short(block: Superblock) -> str:
    """Says how much of a file is there."""
    return f"is cut short: {block.size} of {block.stated_size} bytes are there"


def why_unreadable(block: Superblock, error: Exception) -> str:
    """What is wrong with an open file that cannot be read, in one line."""
    if block.state is FileState.TRUNCATED:
        return why_cut_short(block)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"is damaged: {str(error) or type(error).__name__}"
