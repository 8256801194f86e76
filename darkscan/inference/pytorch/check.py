"""Checks in a process of its own whether torch can run a model here.

Loading torch takes seconds and hundreds of megabytes, and its CUDA libraries may crash on a
strange machine: the process that asks is spared both.
"""

import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from darkscan.pipeline.core.errors import InputError

_NEEDED = ("torch", "onnx")
_PATIENCE_S = 120


@cache
def why_not_torch(model: Path, devices: tuple[int, ...]) -> str | None:
    """Why torch cannot run a model on these GPUs, or with none on the CPU; None if it can."""
    for module in _NEEDED:
        if find_spec(module) is None:
            return f"needs {module}: pip install 'darkscan[gpu]'"
    command = [sys.executable, "-m", __name__, str(model), *map(str, devices)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"torch did not answer within {_PATIENCE_S} s"
    if done.returncode < 0:
        return f"torch crashed here (signal {-done.returncode})"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode:
        return f"torch failed here: {lines[-1] if lines else 'without a word'}"
    return lines[-1] if lines else None


def _reason(model: Path, devices: list[int]) -> str | None:
    import torch

    from darkscan.inference.pytorch._program import read_network

    try:
        read_network(model)
    except InputError as error:
        return error.problem
    if not devices:
        return None
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no GPU it can use"
    for device in devices:
        try:
            torch.ones(1, device=f"cuda:{device}").add(1).item()
        except (RuntimeError, AssertionError) as error:
            return f"torch cannot use GPU {device}: {str(error).splitlines()[0]}"
    return None


if __name__ == "__main__":
    print(_reason(Path(sys.argv[1]), [int(n) for n in sys.argv[2:]]) or "")  # noqa: T201
