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
from darkscan.pipeline.transport.gateway_client import LARGEST_PART
from darkscan.pipeline.transport.messages import Joined, Prepared, Scored

LARGEST_MODEL = 2**28
"""Bytes of the largest model's file that workers take."""
MOST_WINDOWS = 32_768
"""Windows of a frame."""
_LARGEST_BATCH_PX = 2**28
_LARGEST_WINDOW = 4096
_LARGEST_TRACES = 2 * 2**20  # all lines and spots that a frame may have, see Traces


def largest_answer(windows: int) -> int:
    """Bytes that a worker's answer may have to a frame of so many windows."""
    return _LARGEST_TRACES + 8 * windows


def require_size(joined: Joined, *, field: str) -> None:
    """Checks a run's sizes before anything of these sizes is made.

    Raises InputError that names ``field`` if a worker does not take such a run.
    """
    model, (height, width) = joined.model, joined.scan.frame_shape
    if not 1 <= model.stride <= model.window <= min(_LARGEST_WINDOW, height, width):
        problem = f"windows of {model.window} px at steps of {model.stride} fit no frame"
        raise InputError(problem, field=field)
    rows, columns = (-(-(side - model.window) // model.stride) + 1 for side in (height, width))
    margin = 2 * joined.margin_px
    sizes = {
        "bytes of the model": (joined.model_bytes, LARGEST_MODEL),
        "bytes of a frame": (
            (height + margin) * (width + margin) * joined.scan.dtype.itemsize,
            LARGEST_PART,
        ),
        "windows of a frame": (rows * columns, MOST_WINDOWS),
        "pixels of a batch": (joined.batch * model.window**2, _LARGEST_BATCH_PX),
    }
    for what, (size, most) in sizes.items():
        if size > most:
            raise InputError(f"workers take {most} {what} at most, not {size}", field=field)


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
