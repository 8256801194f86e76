"""Checks of the messages between the gateway and its workers, and of the model file sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from darkscan.inference import FrameFormat
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import DarkscanError, InputError, StorageError
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.transport.messages import Prepared, Scored


def pixels_of(
    payload: memoryview | None, prepared: Prepared, frames: FrameFormat, windows: int
) -> Pixels:
    """The pixels that came with a frame, with its margin; mostly without a copy.

    Raises ValueError unless they and the frame's windows fit the format of the scan's frames.
    """
    height, width = frames.surrounded
    expected = height * width * frames.dtype.itemsize
    size = 0 if payload is None else payload.nbytes
    if payload is None or size != expected:
        raise ValueError(f"came with {size} bytes of pixels, not {expected}")
    _require(prepared.gains, "gains", np.float32, (windows,))
    _require(prepared.offsets, "offsets", np.float32, (windows,))
    # Bytes that came over a network may lie at any address.
    return np.require(np.frombuffer(payload, frames.dtype), requirements="A").reshape(height, width)


def require_fit(scored: Scored, prepared: Prepared, scan: ScanInfo) -> None:
    """Raises ValueError unless the scores and lines can be those of that frame."""
    _require(scored.scores, "scores", np.float32, (len(prepared.gains),))
    if not ((scored.scores >= 0) & (scored.scores <= 1)).all():
        raise ValueError("scores must be probabilities")
    for shapes in (scored.traces.lines, scored.traces.spots):
        if ((shapes.points < 0) | (shapes.points > np.array(scan.frame_shape[::-1]))).any():
            raise ValueError("what was traced must lie within the frame")


def _require(
    array: npt.NDArray[np.generic],
    name: str,
    dtype: type[np.generic],
    shape: tuple[int, ...],
) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{name} must be {np.dtype(dtype)} {shape}, are {array.dtype} {array.shape}"
        )


def read_model(path: Path, expected: str) -> bytes:
    """A model file's bytes. Raises InputError if it is gone or has another hash by now."""
    content = read_file(path)
    if _hash(content) != expected:
        raise InputError("has changed since the run began", file=path)
    return content


@contextmanager
def model_file(content: bytes, expected: str) -> Iterator[Path]:
    """A temporary file with a model's bytes. Raises DarkscanError unless they are whole."""
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
