"""TensorRT's Python library, if it is installed in a version whose calls we know.

Importing it is safe without a GPU; using it is not (``trt.Runtime`` crashes the process), so
``find_device`` is asked before anything is made of it.
"""

import importlib
from dataclasses import dataclass, field
from typing import Any

from darkscan.pipeline.core.errors import InputError

_INSTALL_RTX = "pip install tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings"
_INSTALL = "pip install 'darkscan[gpu]', or TensorRT as NVIDIA describes"
# Module, name, the version whose calls we know. TensorRT for RTX comes second: it has the same
# calls, but compiles again when an engine is opened.
_KNOWN = (("tensorrt", "tensorrt", "11"), ("tensorrt_rtx_bindings", "tensorrt-rtx", "1"))
_NEED_NO_GPU = {"tensorrt-rtx"}


@dataclass(frozen=True)
class Library:
    """One of the two libraries with TensorRT's calls."""

    trt: Any
    """The module."""

    name: str
    """"tensorrt", or "tensorrt-rtx": TensorRT for RTX."""

    version: str
    log: "Log" = field(compare=False)

    @property
    def tag(self) -> str:
        """Name and version, as file names have them: engines are of one version."""
        return f"{self.name}-{self.version}"

    @property
    def reads_without_gpu(self) -> bool:
        """Whether it reads and builds graphs on a machine without a GPU."""
        return self.name in _NEED_NO_GPU

    @property
    def keeps_timings(self) -> bool:
        """Whether it measures kernels when it builds, and can keep what it measured."""
        return self.name == "tensorrt"


class Log:
    """Keeps the last error the library logged: its calls return None on failure, no reason."""

    def __init__(self) -> None:
        self._errors: list[str] = []

    def heard(self, text: str) -> None:
        """Keeps the first line of an error."""
        self._errors.append((text.strip().splitlines() or ["no reason given"])[0])

    def take(self) -> str:
        """The latest error since the last call of this."""
        latest = self._errors[-1] if self._errors else "no reason given"
        self._errors.clear()
        return latest


def load_library(*, without_gpu: bool = False) -> Library:
    """TensorRT, or else TensorRT for RTX. Raises InputError, in one line, if neither is usable.

    ``without_gpu``: only what reads and builds graphs without one, which TensorRT does not.
    """
    reasons = []
    for module, name, major in _KNOWN:
        if without_gpu and name not in _NEED_NO_GPU:
            continue
        try:
            trt = importlib.import_module(module)
        except ModuleNotFoundError as error:
            # Its own libraries missing is another matter than not being there itself.
            if error.name != module:
                reasons.append(f"{module} cannot be loaded: {error}")
            continue
        except (ImportError, OSError, RuntimeError) as error:
            reasons.append(f"{module} cannot be loaded: {(str(error).splitlines() or ['?'])[0]}")
            continue
        if str(trt.__version__).split(".")[0] != major:
            reasons.append(f"{module} is version {trt.__version__}, darkscan needs {major}")
            continue
        return Library(trt, name, str(trt.__version__), Log())
    if without_gpu and not reasons:
        raise InputError(f"without a GPU, graphs are read by TensorRT for RTX: {_INSTALL_RTX}")
    raise InputError("; ".join(reasons) or f"TensorRT is not installed: {_INSTALL}")


def listener(library: Library) -> Any:
    """A logger for the library that prints nothing and hands errors to ``library.log``."""
    logger: Any = library.trt.ILogger

    class Listener(logger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # without it, the library crashes

        def log(self, severity: Any, message: str) -> None:
            if severity in {logger.ERROR, logger.INTERNAL_ERROR}:
                library.log.heard(message)

    return Listener()
