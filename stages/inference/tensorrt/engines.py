"""Where engines are kept, and what their file names say."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

from darkscan.pipeline.errors import StorageError
from darkscan.stages.inference.tensorrt.shapes import Shapes

Arithmetic = Literal["fp32", "fp16", "bf16"]
"""Of the trunk; int8 models are built as "fp32", which leaves their types as they are."""

_ARITHMETICS = get_args(Arithmetic)
_HASH_DIGITS = 12
_NAME = re.compile(
    r"(?P<model>[0-9a-f]{12})_(?P<device>[a-z0-9-]+-sm\d+)_(?P<library>[a-z-]+-[0-9.]+)_"
    r"(?P<height>\d+)x(?P<width>\d+)x(?P<depth>[12])_(?P<windows>[1-9]\d*)_"
    rf"(?P<arithmetic>{'|'.join(_ARITHMETICS)})\.engine"
)


@dataclass(frozen=True)
class Engine:
    """What an engine was built from and for, all of it in its file's name."""

    model: str
    """The first digits of the model file's hash."""

    device: str
    """The GPU's name and capability."""

    library: str
    """TensorRT's name and version: no other can read it."""

    shapes: Shapes
    arithmetic: Arithmetic

    @property
    def file_name(self) -> str:
        """The engine's file name."""
        height, width, depth, windows = self.shapes
        size = f"{height}x{width}x{depth}_{windows}"
        return f"{self.model}_{self.device}_{self.library}_{size}_{self.arithmetic}.engine"

    @classmethod
    def from_file_name(cls, name: str) -> Self | None:
        """None if it is no engine's."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        numbers = (int(found[part]) for part in ("height", "width", "depth", "windows"))
        arithmetic = next(known for known in _ARITHMETICS if known == found["arithmetic"])
        return cls(found["model"], found["device"], found["library"], Shapes(*numbers), arithmetic)


def engines_folder() -> Path:
    """``$XDG_CACHE_HOME/darkscan/engines``, else ``~/.cache/darkscan/engines``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "darkscan" / "engines"


def short_hash(model_hash: str) -> str:
    """A model file's hash as engines' names have it."""
    return model_hash.removeprefix("sha256:")[:_HASH_DIGITS]


def engines_in(folder: Path) -> list[tuple[Path, Engine]]:
    """The engines in a folder, the one built last first. Raises StorageError."""
    found = []
    try:
        for path in folder.iterdir() if folder.is_dir() else ():
            engine = Engine.from_file_name(path.name)
            if engine is not None:
                found.append((path.stat().st_mtime_ns, path, engine))
    except OSError as error:
        raise StorageError(folder, f"cannot be looked through: {error.strerror}") from error
    return [(path, engine) for _, path, engine in sorted(found, key=lambda f: f[:2], reverse=True)]


def engines_for(
    folder: Path, *, model: str, device: str, library: str
) -> list[tuple[Path, Engine]]:
    """Those that run a model on a device with a library, the one built last first."""
    wanted = (model, device, library)
    return [
        (path, engine)
        for path, engine in engines_in(folder)
        if (engine.model, engine.device, engine.library) == wanted
    ]
