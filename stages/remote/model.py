"""The model file of a run, as it goes to workers on other computers."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from darkscan.pipeline.errors import DarkscanError, InputError, StorageError
from darkscan.pipeline.files import read_file


def read_model(path: Path, expected: str) -> bytes:
    """The file's bytes. Raises InputError if it is gone or no longer the one of that hash."""
    content = read_file(path)
    if _hash(content) != expected:
        raise InputError("has changed since the run began", file=path)
    return content


@contextmanager
def model_file(content: bytes, expected: str) -> Iterator[Path]:
    """A file of its own for the bytes that came. Raises DarkscanError unless they are whole."""
    if _hash(content) != expected:
        raise DarkscanError("the model did not come whole")
    with TemporaryDirectory(prefix="darkscan-worker-") as folder:
        path = Path(folder) / "model.onnx"
        try:
            path.write_bytes(content)
        except OSError as error:
            raise StorageError(path, error) from error
        yield path


def _hash(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()
